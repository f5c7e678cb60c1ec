//! JSON bodies accept what the API description says, at every level: for each route, object and field that the description has.

use crate::support::{Answer, TestSite};
use actix_web::dev::Service;
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A part of a body: its path, its name in an error, and its schema.
struct Part {
    /// The fields that lead to it; `[]` is the first item of a list.
    path: Vec<String>,
    schema: Value,
}

impl Part {
    /// The part's name in errors.
    fn field(&self) -> String {
        self.path.join(".").replace(".[]", "[0]")
    }

    /// A body with only this value at this path.
    fn body(&self, value: Value) -> Value {
        self.path.iter().rev().fold(value, |inner, name| if name == "[]" { json!([inner]) } else { json!({ name: inner }) })
    }
}

struct Description(Value);

impl Description {
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(name) => self.resolved(&self.0["components"]["schemas"][name.rsplit('/').next().expect("a name")]),
            None => schema,
        }
    }

    fn choices<'a>(&'a self, schema: &'a Value) -> Vec<&'a Value> {
        let schema = self.resolved(schema);
        match schema["oneOf"].as_array() {
            Some(choices) => choices.iter().flat_map(|choice| self.choices(choice)).collect(),
            None => vec![schema],
        }
    }

    /// The JSON types that a schema allows; empty if it allows any.
    fn types(&self, schema: &Value) -> BTreeSet<String> {
        let mut types = BTreeSet::new();
        for choice in self.choices(schema) {
            match &choice["type"] {
                Value::String(one) => types.extend([one.clone()]),
                Value::Array(several) => types.extend(several.iter().filter_map(Value::as_str).map(str::to_owned)),
                _ if choice["allOf"].is_array() => types.extend(["object".to_owned()]),
                _ => return BTreeSet::new(),
            }
        }
        types
    }

    /// Whether a text at this part has a type of our own.
    fn choices_named(&self, schema: &Value) -> bool {
        let of = |schema: &Value| schema["$ref"].is_string() && self.resolved(schema)["type"] == "string";
        of(schema) || schema["oneOf"].as_array().is_some_and(|choices| choices.iter().any(of))
    }

    /// The fields of the schema's object if it allows only one kind of object; otherwise none.
    fn fields(&self, schema: &Value) -> Vec<(String, Value)> {
        let objects: Vec<&Value> =
            self.choices(schema).into_iter().filter(|choice| self.types(choice).contains("object")).collect();
        let [object] = objects[..] else { return vec![] };
        let parts = object["allOf"].as_array().into_iter().flatten().flat_map(|part| self.fields(part));
        let own = object["properties"].as_object().into_iter().flatten().map(|(name, schema)| (name.clone(), schema.clone()));
        parts.chain(own).collect()
    }

    fn walk(&self, part: Part, found: &mut Vec<Part>) {
        let inside = |name: String, schema: Value| Part { path: [part.path.clone(), vec![name]].concat(), schema };
        let mut inner: Vec<Part> = self.fields(&part.schema).into_iter().map(|(name, schema)| inside(name, schema)).collect();
        for choice in self.choices(&part.schema) {
            if choice["items"].is_object() {
                inner.push(inside("[]".to_owned(), choice["items"].clone()));
            }
            if choice["additionalProperties"].is_object() {
                inner.push(inside("some_name".to_owned(), choice["additionalProperties"].clone()));
            }
        }
        found.push(part);
        for part in inner {
            self.walk(part, found);
        }
    }
}

/// One value of each JSON type.
fn samples() -> [(&'static str, Value); 7] {
    [
        ("null", Value::Null),
        ("boolean", json!(true)),
        ("integer", json!(7)),
        ("number", json!(7.5)),
        ("string", json!("text")),
        ("array", json!([])),
        ("object", json!({})),
    ]
}

/// Terms of Rust and its libraries, which mean nothing to the sender of a request.
const OURS: [&str; 21] = [
    "`",
    "invalid type",
    "invalid value",
    "invalid digit",
    "borrowed",
    "Option",
    "missing field",
    "unknown field",
    "struct",
    "enum",
    "variant",
    "u8",
    "u16",
    "u32",
    "u64",
    "i64",
    "expected a map",
    "sequence",
    "newtype",
    "tuple",
    "line 1",
];

/// Whether an answer contains such terms.
pub(crate) fn is_ours(text: &str) -> bool {
    // Problems refer to their own list of errors.
    let text = text.replace("`errors`", "errors").replace("(line 1, column", "");
    OURS.iter().any(|word| text.contains(word))
}

/// A path with a value for each of its variables.
pub(crate) fn filled(path: &str) -> String {
    let filled = path.replace("{id}", "0192f0c0-0000-7000-8000-000000000001").replace("{ip}", "10.0.0.20");
    let filled = filled.replace("{hostname}", "h200.dc1.example").replace("{mac}", "52:54:00:00:00:01");
    filled.split('/').map(|part| if part.starts_with('{') { "x1" } else { part }).collect::<Vec<_>>().join("/")
}

/// Numbers outside the range of a schema's format.
fn beyond(schema: &Value) -> Option<[Value; 2]> {
    let most = match schema["format"].as_str()? {
        "uint8" => json!(256),
        "uint16" => json!(65536),
        "uint32" => json!(4_294_967_296_u64),
        "int32" => json!(2_147_483_648_u64),
        "uint64" | "int64" => json!(1e30),
        _ => return None,
    };
    Some([most, if schema["format"].as_str()?.starts_with('u') { json!(-1) } else { json!(-1e30) }])
}

#[actix_web::test]
async fn unknown_fields_are_refused_and_every_wrong_value_is_reported_with_its_path_and_the_expected_form() {
    let site = TestSite::create().await;
    let administrator = site.bearer(TokenScope::Administrator).await;
    let description = Description(site.request(TestRequest::get().uri("/api/openapi.json")).await.json());
    let service = site.start().await;
    let (mut objects, mut fields, mut texts, mut numbers) = (0, 0, 0, 0);
    for (path, item) in description.0["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if !path.starts_with("/api/v1/") || schema.is_null() {
                continue;
            }
            let filled = filled(path);
            let send = async |body: &str| {
                let request = TestRequest::default().method(method.to_uppercase().parse().expect("a method")).uri(&filled);
                let request = request.insert_header(("authorization", format!("Bearer {administrator}")));
                let request = request.insert_header(("content-type", "application/json")).set_payload(body.to_owned());
                Answer::of(service.call(request.to_request()).await.expect("an answer")).await
            };
            let refused = async |body: &str, status: u16, rules: &[&str], field: &str| {
                let answer = send(body).await;
                let text = format!("{method} {path} {body}: {} {}", answer.status, answer.text);
                assert_eq!(answer.status.as_u16(), status, "{text}");
                let problem = answer.json();
                let errors = problem["errors"].as_array().expect("errors");
                let of_field = |error: &&Value| error["field"] == field && rules.iter().any(|rule| error["rule"] == *rule);
                let error = errors.iter().find(of_field).unwrap_or_else(|| panic!("no {rules:?} of {field}: {text}"));
                let message = error["message"].as_str().expect("a message");
                assert!(message.contains(field) && !OURS.iter().any(|word| message.contains(word)), "{text}");
            };
            let mut parts = vec![];
            description.walk(Part { path: vec![], schema: schema.clone() }, &mut parts);
            for part in &parts {
                let types = description.types(&part.schema);
                let body = |value: Value| part.body(value).to_string();
                if !description.fields(&part.schema).is_empty() {
                    objects += 1;
                    let field = [part.field(), "nope".to_owned()].join(".");
                    let field = field.trim_start_matches('.');
                    refused(&body(json!({"nope": 1})), 422, &["unknown_field"], field).await;
                    let twice = body(json!("TWICE")).replace("\"TWICE\"", r#"{"nope": 1, "nope": 2}"#);
                    refused(&twice, 400, &["field_repeated"], field).await;
                }
                if types.is_empty() || part.path.is_empty() {
                    continue;
                }
                fields += 1;
                let allowed = |name: &str| types.contains(name) || (name == "integer" && types.contains("number"));
                // Every second one only: the whole matrix takes long and finds no more.
                for (_, value) in samples().into_iter().filter(|(name, _)| !allowed(name)).step_by(2) {
                    refused(&body(value), 422, &["wrong_type"], &part.field()).await;
                }
                for choice in description.choices(&part.schema) {
                    for value in beyond(choice).into_iter().flatten() {
                        numbers += 1;
                        refused(&body(value), 422, &["malformed", "wrong_type"], &part.field()).await;
                    }
                }
                // A type of our own accepts no control character.
                let named = description.choices_named(&part.schema);
                if types.contains("string") && named {
                    texts += 1;
                    refused(&body(json!("a\u{1}~\u{0}")), 422, &["malformed"], &part.field()).await;
                }
                for value in
                    ["", "\u{0}", "\u{202e}", "..", "-1"].map(|text| json!(text)).into_iter().chain([json!({}), json!([])])
                {
                    let answer = send(&body(value.clone())).await;
                    let text = format!("{method} {path} {} {value}: {} {}", part.field(), answer.status, answer.text);
                    assert!(answer.status.as_u16() < 500 && !is_ours(&answer.text), "{text}");
                }
            }
        }
    }
    assert!(objects > 30 && fields > 120 && texts > 60 && numbers > 10, "{objects} {fields} {texts} {numbers}");
}

#[actix_web::test]
async fn malicious_bodies_are_refused_with_a_reviewed_message() {
    let site = TestSite::create().await;
    let administrator = site.bearer(TokenScope::Administrator).await;
    let put = |kind: &str, body: &[u8]| {
        let request =
            TestRequest::put().uri("/api/v1/racks/r1").insert_header(("authorization", format!("Bearer {administrator}")));
        request.insert_header(("content-type", kind)).set_payload(body.to_vec())
    };
    let json = "application/json";
    let cases: Vec<(TestRequest, u16, &str)> = vec![
        (put(json, b""), 400, "empty"),
        (put(json, b"\xef\xbb\xbf{}"), 400, "byte order mark"),
        (put(json, b"{\"site\": \"dc1\",}"), 400, "comma at the end"),
        (put(json, b"{\"units\": NaN}"), 400, "NaN"),
        (put(json, b"{\"units\": 1e400}"), 400, "large number"),
        (put(json, b"{\"units\": 01}"), 400, "leading zero"),
        (put(json, b"{'site': 1}"), 400, "single quotes"),
        (put(json, b"{\"site\": \"\\ud800\"}"), 400, "half of a character"),
        (put(json, b"{\"site\": \"\\ud800\\u0041\"}"), 400, "half of a character and a letter"),
        (put(json, b"{\"site\": \"\\x41\"}"), 400, "unknown escape"),
        (put(json, b"{\"site\": \"\xff\"}"), 400, "not UTF-8"),
        (put(json, b"\x1f\x8b\x08"), 400, "gzip"),
        (put(json, b"{} {}"), 400, "two objects"),
        (put(json, b"{\"site\": \"a"), 400, "incomplete"),
        (put(json, b"[]"), 422, "list"),
        (put(json, b"[\"dc1\", 42]"), 422, "list of values"),
        (put(json, b"null"), 422, "null"),
        (put(json, "[".repeat(100).as_bytes()), 400, "nested lists"),
        (put(json, "{\"a\":".repeat(50_000).as_bytes()), 400, "nested objects"),
        (put(json, &vec![b' '; 10_000_000]), 413, "large body"),
        (put("text/plain", b"{}"), 415, "text"),
        (put("application/json; charset=utf-16", b"{}"), 415, "UTF-16"),
        (put(json, b"{}").insert_header(("content-encoding", "gzip")), 415, "compressed"),
    ];
    let mut messages = String::new();
    for (request, status, case) in cases {
        let answer = site.request(request).await;
        assert_eq!(answer.status.as_u16(), status, "{case}: {answer:?}");
        assert!(!is_ours(&answer.text), "{case}: {answer:?}");
        let problem = answer.problem().1;
        let rule = problem["errors"][0]["rule"].as_str();
        let expected = match (status, case) {
            (400, "nested lists" | "nested objects") => Some("json_too_deep"),
            (400, _) => Some("json_malformed"),
            (422, _) => Some("wrong_type"),
            _ => None,
        };
        assert_eq!(rule, expected, "{case}: {problem}");
        writeln!(messages, "{case}: {status}: {}", problem["detail"].as_str().expect("a detail")).expect("a line");
    }
    insta::assert_snapshot!("messages_about_bodies", messages);
    let fine = site.request(put("application/json;charset=\"UTF-8\"", b"{\"site\": \"dc1\"}")).await;
    assert_eq!(fine.status.as_u16(), 404, "the domain has no answer: {fine:?}");
    let long = site.request(put(json, format!("{{\"site\": \"{}~\"}}", "x".repeat(60)).as_bytes())).await.json();
    let message = long["detail"].as_str().expect("a detail");
    assert!(message.starts_with("site: \"xxx") && message.matches("xxx~").count() == 1, "{message}");
    let longer =
        site.request(put(json, format!("{{\"site\": \"dc1\", \"units\": \"{}\"}}", "x".repeat(100_000)).as_bytes())).await;
    assert!(longer.text.len() < 1000, "{longer:?}");
}
