//! Tests of the API's description.

use crate::support::TestSite;
use actix_web::test::TestRequest;
use bootledger_aggregates::rules::Rule;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;

#[actix_web::test]
async fn the_description_lists_these_routes() {
    let site = TestSite::create().await;
    let document = site.request(TestRequest::get().uri("/api/openapi.json")).await.json();
    let mut routes = String::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let methods: Vec<String> = item.as_object().expect("an item").keys().map(|method| method.to_uppercase()).collect();
        writeln!(routes, "{path} {}", methods.join(" ")).expect("a line");
    }
    insta::assert_snapshot!(routes);
}

/// Every `$ref` in a document.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[actix_web::test]
async fn the_description_is_whole() {
    let site = TestSite::create().await;
    let document = site.request(TestRequest::get().uri("/api/openapi.json")).await.json();
    let schemas: BTreeSet<&String> = document["components"]["schemas"].as_object().expect("schemas").keys().collect();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        let name = reference.strip_prefix("#/components/schemas/").expect("a schema");
        assert!(schemas.contains(&name.to_owned()), "{name} is described nowhere");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            assert!(ids.insert(operation["operationId"].as_str().expect("an id").to_owned()), "{path} {method}: id twice");
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{path} {method}: no summary");
            if path.starts_with("/api/v1/") {
                assert!(operation["responses"]["401"]["content"]["application/problem+json"].is_object(), "{path} {method}");
                let schemes = serde_json::json!([{"token": []}, {"session": []}]);
                assert_eq!(operation["security"], schemes, "{path} {method}");
            }
        }
    }
}

/// Two types with the same name would become one schema, which is right for only one of them.
#[actix_web::test]
async fn the_schemas_of_reasons_and_problems_are_distinct() {
    let site = TestSite::create().await;
    let document = site.request(TestRequest::get().uri("/api/openapi.json")).await.json();
    let properties = |name: &str| {
        let schema = document["components"]["schemas"][name]["properties"].as_object().cloned().unwrap_or_default();
        schema.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(properties("Reason"), ["reason"]);
    assert_eq!(properties("ProblemError"), ["column", "field", "holder", "message", "row", "rule"]);
    let codes = document["components"]["schemas"]["Rule"]["enum"].as_array().cloned().unwrap_or_default();
    assert_eq!(codes.len(), Rule::ALL.len());
    let rule = document["components"]["schemas"]["ProblemError"]["properties"]["rule"].to_string();
    assert!(rule.contains("#/components/schemas/Rule"), "{rule}");
}

#[actix_web::test]
async fn the_page_of_the_api_needs_no_script_and_shows_every_route() {
    let site = TestSite::create().await;
    let page = site.request(TestRequest::get().uri("/api/docs")).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let inline = page.text.matches("<script").count() - page.text.matches("<script src=\"/assets/").count();
    assert!(inline == 0 && !page.text.contains("style="), "the page's own policy would block it");
    let html = scraper::Html::parse_document(&page.text);
    let count = |selector: &str| html.select(&scraper::Selector::parse(selector).expect("a selector")).count();
    assert!(count("section[id^='tag-'] > details") > 45, "{}", count("section[id^='tag-'] > details"));
    assert!(count("#schema-NewDeployment tbody tr") >= 8, "the fields of a deployment are missing");
    let ids: BTreeSet<&str> = html.root_element().descendent_elements().filter_map(|element| element.attr("id")).collect();
    for link in html.select(&scraper::Selector::parse("a[href^='#']").expect("a selector")) {
        let target = link.attr("href").expect("a link").trim_start_matches('#');
        assert!(ids.contains(target), "a link leads to #{target}, which is not there");
    }
}

/// The names of a schema's fields. `inside` is for an answer, whose `spec` is included.
fn fields(document: &Value, schema: &Value, inside: bool) -> BTreeSet<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().expect("a name");
        return fields(document, &document["components"]["schemas"][name], inside);
    }
    let mut found = BTreeSet::new();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        // An object of the catalogue has its description under `spec`.
        if inside && name == "spec" {
            found.extend(fields(document, field, true));
        }
        found.insert(name.clone());
    }
    for part in ["allOf", "oneOf"].iter().flat_map(|word| schema[word].as_array().into_iter().flatten()) {
        found.extend(fields(document, part, inside));
    }
    found
}

/// The fields of a body have the same names in the answer.
#[actix_web::test]
async fn fields_have_the_same_name_in_requests_and_answers() {
    let site = TestSite::create().await;
    let document = site.request(TestRequest::get().uri("/api/openapi.json")).await.json();
    let pairs = [
        ("post", "/api/v1/devices", "/api/v1/devices/{id}"),
        ("patch", "/api/v1/devices/{id}", "/api/v1/devices/{id}"),
        ("post", "/api/v1/deployments", "/api/v1/deployments/{id}"),
        ("put", "/api/v1/sites/{key}", "/api/v1/sites/{key}"),
        ("put", "/api/v1/racks/{key}", "/api/v1/racks/{key}"),
        ("put", "/api/v1/networks/{key}", "/api/v1/networks/{key}"),
        ("put", "/api/v1/ventures/{key}", "/api/v1/ventures/{key}"),
        ("put", "/api/v1/boot-images/{key}", "/api/v1/boot-images/{key}"),
        ("put", "/api/v1/dhcp-servers/{key}", "/api/v1/dhcp-servers/{key}"),
        ("put", "/api/v1/secrets/{key}", "/api/v1/secrets/{key}"),
        ("put", "/api/v1/webhooks/{key}", "/api/v1/webhooks/{key}"),
        ("post", "/api/v1/tokens", "/api/v1/tokens/{id}"),
        ("post", "/api/v1/users", "/api/v1/users/{name}"),
    ];
    // A password is never shown, and a remark is added to a list.
    let only_written = ["password", "remark"];
    for (method, write, read) in pairs {
        let body = &document["paths"][write][method]["requestBody"]["content"]["application/json"]["schema"];
        let answer = &document["paths"][read]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let (written, read) = (fields(&document, body, false), fields(&document, answer, true));
        assert!(!written.is_empty() && !read.is_empty(), "{method} {write}");
        let missing: Vec<&String> =
            written.iter().filter(|name| !read.contains(*name) && !only_written.contains(&name.as_str())).collect();
        assert!(missing.is_empty(), "{method} {write} takes {missing:?}, which the answer has under another name");
    }
}

/// What a `PUT` accepts is at `spec` itself, so no answer has a description within a description.
#[actix_web::test]
async fn no_answer_has_a_spec_within_a_spec() {
    let site = TestSite::create().await;
    let document = site.request(TestRequest::get().uri("/api/openapi.json")).await.json();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let followed = |schema: &Value| -> Value {
        let target = schema["$ref"].as_str().or_else(|| schema["oneOf"].as_array()?.iter().find_map(|one| one["$ref"].as_str()));
        target.and_then(|target| document.pointer(target.trim_start_matches('#'))).cloned().unwrap_or_else(|| schema.clone())
    };
    let nested = |schema: &Value| followed(&schema["properties"]["spec"])["properties"].get("spec").is_some();
    assert!(schemas.values().filter(|schema| schema["properties"].get("spec").is_some()).count() > 5, "too few schemas");
    let wrong: Vec<&String> = schemas.iter().filter(|(_, schema)| nested(schema)).map(|(name, _)| name).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
