//! The page `/api/docs`: the description of the API for people, rendered on the server from the `OpenAPI` document. It needs no
//! script; readers try requests in their own shell.

use super::Rendered;
use crate::http::error::problem::KINDS;
use crate::pages::layout;
use actix_web::HttpResponse;
use actix_web::web::Data;
use bootledger_aggregates::rules::Rule;
use maud::{Markup, html};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) async fn show(rendered: Data<Rendered>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(rendered.page.clone())
}

/// A text of the description. Text in backticks is rendered as code.
fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() { @if index % 2 == 1 { code { (part) } } @else { (part) } }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn entries<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten()
}

/// The page of an `OpenAPI` document.
pub(super) fn page(document: &Value) -> Markup {
    let mut tags: BTreeMap<&str, Vec<(&str, &str, &Value)>> = BTreeMap::new();
    for (path, item) in entries(document, "/paths") {
        for (method, operation) in item.as_object().into_iter().flatten().filter(|(_, operation)| operation.is_object()) {
            tags.entry(text(operation, "/tags/0")).or_default().push((path, method, operation));
        }
    }
    let title = format!("{} API", text(document, "/info/title"));
    layout::wide(
        &title,
        &html! {
            h1 { (title) }
            p { (prose(text(document, "/info/description"))) }
            p {
                "Send " code { "Authorization: Bearer bl_…" } " with every request under " code { "/api/v1" } ". "
                "The same for programs: " a href="/api/openapi.json" { "openapi.json" } "."
            }
            nav.parts aria-label="Parts of this page" { @for tag in tags.keys() { a href=(format!("#tag-{tag}")) { (tag) } " " } a href="#problems" { "problems" } " " a href="#rules" { "rules" } " " a href="#schemas" { "schemas" } }
            @for (tag, operations) in &tags {
                section id=(format!("tag-{tag}")) {
                    h2 { (tag) }
                    @for (path, method, operation) in operations { (route(path, method, operation)) }
                }
            }
            section id="problems" {
                h2 { "problems" }
                p { "Every error is " code { "application/problem+json" } " (RFC 9457). " code { "errors" } " lists every problem with the code of its " a href="#rules" { "rule" } "." }
                table {
                    thead { tr { th { "type" } th { "status" } th { "title" } } }
                    tbody {
                        @for (name, status, title) in KINDS {
                            tr id=(format!("problem-{name}")) { td { code { (name) } } td { @if status > 0 { (status) } } td { (title) } }
                        }
                    }
                }
            }
            section id="rules" {
                h2 id="schema-Rule" { "rules" }
                p { (prose(text(document, "/components/schemas/Rule/description"))) }
                table {
                    thead { tr { th { "rule" } th { "status" } th { "meaning" } } }
                    tbody {
                        @for rule in Rule::by_code() {
                            tr { td { code { (rule.code()) } } td { (rule.status().shown()) } td { (prose(rule.help())) } }
                        }
                    }
                }
            }
            section id="schemas" {
                h2 { "schemas" }
                @for (name, schema) in entries(document, "/components/schemas").filter(|(name, _)| *name != "Rule") {
                    details id=(format!("schema-{name}")) { summary { code { (name) } } p { (prose(text(schema, "/description"))) } (fields(schema)) }
                }
            }
        },
    )
}

fn route(path: &str, method: &str, operation: &Value) -> Markup {
    let summary = text(operation, "/summary");
    html! {
        details id=(text(operation, "/operationId")) {
            summary { code.method { (method.to_uppercase()) } " " code { (path) } " " span.quiet { (prose(summary)) } }
            p { (prose(text(operation, "/description"))) }
            @if !list(operation, "parameters").is_empty() {
                table {
                    thead { tr { th { "parameter" } th { "in" } th { "type" } th { "meaning" } } }
                    tbody {
                        @for parameter in list(operation, "parameters") {
                            tr {
                                td { code { (text(parameter, "/name")) } @if parameter.get("required") == Some(&Value::Bool(true)) { " *" } }
                                td { (text(parameter, "/in")) }
                                td { (kind(parameter.get("schema").unwrap_or(&Value::Null))) }
                                td { (prose(text(parameter, "/description"))) }
                            }
                        }
                    }
                }
            }
            @for (form, body) in entries(operation, "/requestBody/content") {
                p { "Body, " code { (form) } ": " (kind(body.get("schema").unwrap_or(&Value::Null))) }
            }
            table {
                thead { tr { th { "response" } th { "body" } th { "meaning" } } }
                tbody {
                    @for (status, response) in entries(operation, "/responses") {
                        tr {
                            td { (status) }
                            td { @for (form, body) in entries(response, "/content") { code { (form) } " " (kind(body.get("schema").unwrap_or(&Value::Null))) " " } }
                            td { (prose(text(response, "/description"))) }
                        }
                    }
                }
            }
        }
    }
}

/// A short description of a schema, with links to schemas that have a name.
fn kind(schema: &Value) -> Markup {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next()) {
        return html! { a href=(format!("#schema-{name}")) { (name) } };
    }
    if let Some(items) = schema.get("items") {
        return html! { "list of " (kind(items)) };
    }
    let choices = ["oneOf", "anyOf", "allOf"].iter().find_map(|name| schema.get(*name)?.as_array());
    if let Some(choices) = choices {
        return html! { @for (index, choice) in choices.iter().enumerate() { @if index > 0 { " or " } (kind(choice)) } };
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return html! { @for (index, value) in values.iter().enumerate() { @if index > 0 { " or " } code { (value.to_string()) } } };
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec!["anything"],
    };
    html! { (types.join(" or ")) @if let Some(example) = schema.get("example") { ", such as " code { (example.to_string()) } } }
}

fn fields(schema: &Value) -> Markup {
    let parts: Vec<&Value> = list(schema, "allOf").iter().collect();
    let forms = list(schema, "oneOf");
    if !forms.is_empty() && forms.iter().all(|form| form.get("properties").is_some()) {
        return html! { @for form in forms { p { (prose(text(form, "/description"))) } (fields(form)) } };
    }
    let required: Vec<&str> = list(schema, "required").iter().filter_map(Value::as_str).collect();
    html! {
        @for part in parts {
            @if part.get("$ref").is_some() { p { "all of " (kind(part)) ", and:" } } @else { (fields(part)) }
        }
        @if schema.get("properties").is_some() {
            table {
                thead { tr { th { "field" } th { "type" } th { "meaning" } } }
                tbody {
                    @for (name, field) in entries(schema, "/properties") {
                        tr {
                            td { code { (name) } @if required.contains(&name.as_str()) { " *" } }
                            td { (kind(field)) }
                            td { (prose(text(field, "/description"))) }
                        }
                    }
                }
            }
        } @else if schema.get("allOf").is_none() { p { (kind(schema)) } }
    }
}
