//! Every parameter of the API's description: an invalid value is refused with the parameter's name, and every operation refuses
//! a parameter that it does not have.

use crate::bodies::{filled, is_ours};
use crate::support::{Answer, TestSite};
use actix_web::dev::Service;
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use serde_json::Value;

#[actix_web::test]
async fn a_wrong_and_an_unknown_parameter_are_refused_by_name_everywhere() {
    let site = TestSite::create().await;
    let administrator = site.bearer(TokenScope::Administrator).await;
    let description = site.request(TestRequest::get().uri("/api/openapi.json")).await.json();
    let service = site.start().await;
    let (mut unknown, mut wrong, mut paths) = (0, 0, 0);
    for (path, item) in description["paths"].as_object().expect("paths").iter().filter(|(path, _)| path.starts_with("/api/v1/")) {
        for (method, operation) in item.as_object().expect("operations") {
            let kinds = operation["requestBody"]["content"].as_object();
            let kind = kinds.and_then(|kinds| kinds.keys().next().cloned()).unwrap_or_default();
            let send = async |uri: String| {
                let request = TestRequest::default().method(method.to_uppercase().parse().expect("a method")).uri(&uri);
                let request = request.insert_header(("authorization", format!("Bearer {administrator}")));
                let request = request.insert_header(("content-type", kind.clone())).set_payload("{}");
                let answer = Answer::of(service.call(request.to_request()).await.expect("an answer")).await;
                let text = format!("{method} {uri}: {} {}", answer.status, answer.text);
                // An answer with data may contain any word: an event has a sequence, for example.
                assert!(answer.status.as_u16() < 500 && (answer.status.is_success() || !is_ours(&answer.text)), "{text}");
                (answer, text)
            };
            let refused = async |uri: String, name: &str| {
                let (answer, text) = send(uri).await;
                assert!([400, 422].contains(&answer.status.as_u16()), "{text}");
                let problem = answer.json();
                let error = problem["errors"].as_array().expect("errors").iter().find(|error| error["field"] == name);
                let message = error.unwrap_or_else(|| panic!("nothing of {name}: {text}"))["message"].to_string();
                assert!(message.matches("perhaps").count() <= 1, "{text}");
            };
            let place = filled(path);
            // A route that reads its body first may refuse the body before the parameter.
            if kind.is_empty() {
                unknown += 1;
                refused(format!("{place}?nope=1"), "nope").await;
                refused(format!("{place}?nope=1&nope=2"), "nope").await;
            }
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            if method != "get" && !parameters.clone().any(|parameter| parameter["name"] == "dry_run") {
                // The change is not made: the scripted domain would answer 404.
                let (answer, text) = send(format!("{place}?dry_run=true")).await;
                assert!([400, 415, 422].contains(&answer.status.as_u16()), "{text}");
                assert!(!kind.is_empty() || answer.json()["errors"][0]["field"] == "dry_run", "{text}");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().expect("a name");
                match parameter["in"].as_str() {
                    Some("query") => {
                        let types = parameter["schema"]["type"].to_string();
                        if types.contains("boolean") || types.contains("integer") {
                            wrong += 1;
                            refused(format!("{place}?{name}=perhaps"), name).await;
                            refused(format!("{place}?{name}="), name).await;
                            refused(format!("{place}?{name}=99999999999999999999999"), name).await;
                        }
                        for value in ["%00", "%01", "%E2%80%AE", "x%2Fy", "%ff", "-1", &"x".repeat(5000)] {
                            let (_, text) = send(format!("{place}?{name}={value}")).await;
                            assert!(text.len() < 8000, "{name}: {} bytes", text.len());
                        }
                    }
                    Some("path") => {
                        paths += 1;
                        for value in ["a%2Fb", "%01", "~", "%ff", &"x".repeat(2000)] {
                            let variable = format!("{{{name}}}");
                            let (answer, text) = send(filled(&path.replace(&variable, value))).await;
                            let is_client = answer.status.is_client_error();
                            assert!(is_client, "{text}");
                            if kind.is_empty() && answer.status == 400 && !value.contains("%ff") {
                                let problem: Value = answer.json();
                                assert_eq!(problem["errors"][0]["field"], name, "{text}");
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(unknown > 50 && wrong > 30 && paths > 50, "{unknown} {wrong} {paths}");
}

#[actix_web::test]
async fn invalid_headers_and_forms_are_refused_with_a_clear_message() {
    let site = TestSite::create().await;
    let administrator = site.bearer(TokenScope::Administrator).await;
    let spec = serde_json::json!({"site": "dc1", "description": "", "units": 42});
    site.append("rack", "r1", serde_json::json!({"type": "RackDefined", "spec": spec})).await;
    let wrong = |name: &str, value: &str| TestRequest::post().uri("/api/v1/tokens").insert_header((name, value));
    let twice = |name: &str, value: &str| wrong(name, value).append_header((name, "another"));
    let mut requests = vec![];
    for name in ["Idempotency-Key", "Bootledger-Min-Position"] {
        requests.extend(["", "two words", "\u{e4}", "-1", "1e3"].map(|value| (wrong(name, value), format!("{name}: {value:?}"))));
        requests.push((twice(name, "7"), format!("{name} twice")));
    }
    let form = |path: &str, kind: &str, body: &str| {
        let request = TestRequest::post().uri(path).insert_header(("content-type", kind)).set_payload(body.to_owned());
        (request, format!("{path} {kind} {body:?}"))
    };
    for path in ["/racks/r1/add", "/boot-images/debian/files"] {
        let multipart = "multipart/form-data; boundary=x";
        requests.push(form(path, "multipart/form-data", ""));
        requests.push(form(path, "application/json", "{}"));
        let bodies = [
            "",
            "garbage",
            "--x\r\n",
            "--x\r\n\r\nvalue\r\n--x--\r\n",
            "--x\r\ncontent-disposition: form-data\r\n\r\nvalue\r\n--x--\r\n",
            "--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nvalue",
            "--x\r\n: \u{1}\r\n\r\nvalue\r\n--x--\r\n",
        ];
        requests.extend(bodies.map(|body| form(path, multipart, body)));
    }
    for (request, what) in requests {
        let answer = site.request_as(&administrator, request.insert_header(("accept", "application/json"))).await;
        let text = format!("{what}: {} {}", answer.status, answer.text);
        assert!(answer.status.is_client_error() && !is_ours(&answer.text), "{text}");
        // A key may be any visible text, so these two are valid keys.
        let is_key = what.starts_with("Idempotency-Key: \"1e3") || what.starts_with("Idempotency-Key: \"-1");
        assert!(is_key || answer.problem().1["detail"].as_str().is_some_and(|detail| detail.len() > 20), "{text}");
    }
}
