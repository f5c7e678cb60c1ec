//! What a JSON body may have is what the description of the API says, at every level of it: for each route, each object and
//! each field that the description has.

use crate::support::{TestSite, sending};
use actix_web::test::TestRequest;
use bootledger_aggregates::token::Scope;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Something that a body can have: where it is, how it is written in an error, and its schema.
struct Part {
    /// The fields that lead to it; `[]` is the first item of a list.
    path: Vec<String>,
    schema: Value,
}

impl Part {
    /// As errors name it.
    fn field(&self) -> String {
        self.path.join(".").replace(".[]", "[0]")
    }

    /// A body that has nothing but this value at this place.
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

    /// The JSON types that a schema allows; none for any.
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

    /// The fields of an object that is the only kind of object there, else nothing.
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

/// Words of Rust and of its libraries, which mean nothing to the sender of a body.
const OURS: [&str; 14] = [
    "`",
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

#[actix_web::test]
async fn what_the_description_does_not_name_is_refused_and_a_wrong_type_is_named_with_what_was_expected() {
    let site = TestSite::create().await;
    let administrator = site.bearer(Scope::Administrator).await;
    let description = Description(site.ask(TestRequest::get().uri("/api/openapi.json")).await.json());
    let (mut objects, mut fields) = (0, 0);
    for (path, item) in description.0["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if !path.starts_with("/api/v1/") || schema.is_null() {
                continue;
            }
            let filled = path.replace("{id}", "0192f0c0-0000-7000-8000-000000000001");
            let filled =
                filled.split('/').map(|part| if part.starts_with('{') { "x1" } else { part }).collect::<Vec<_>>().join("/");
            let refused = async |part: &Part, value: Value, rule: &str, field: String| {
                let request = TestRequest::default().method(method.to_uppercase().parse().expect("a method")).uri(&filled);
                let body = part.body(value);
                let answer = site.ask_as(&administrator, sending(request, &body)).await;
                let text = format!("{method} {path} {body}: {} {}", answer.status, answer.text);
                assert_eq!(answer.status.as_u16(), 422, "{text}");
                let problem = answer.json();
                let errors = problem["errors"].as_array().expect("errors");
                let error = errors.iter().find(|error| error["field"] == field.as_str() && error["rule"] == rule);
                let error = error.unwrap_or_else(|| panic!("no {rule} of {field}: {text}"));
                let message = error["message"].as_str().expect("a message");
                assert!(message.contains(&field) && !OURS.iter().any(|word| message.contains(word)), "{text}");
            };
            let mut parts = vec![];
            description.walk(Part { path: vec![], schema: schema.clone() }, &mut parts);
            for part in &parts {
                let types = description.types(&part.schema);
                if !description.fields(&part.schema).is_empty() {
                    objects += 1;
                    let field = [part.field(), "nope".to_owned()].join(".");
                    refused(part, json!({"nope": 1}), "unknown_field", field.trim_start_matches('.').to_owned()).await;
                }
                if types.is_empty() || part.path.is_empty() {
                    continue;
                }
                fields += 1;
                let allowed = |name: &str| types.contains(name) || (name == "integer" && types.contains("number"));
                // Every second one: the whole matrix takes long, and says no more.
                for (_, value) in samples().into_iter().filter(|(name, _)| !allowed(name)).step_by(2) {
                    refused(part, value, "wrong_type", part.field()).await;
                }
            }
        }
    }
    assert!(objects > 30 && fields > 120, "{objects} objects, {fields} fields");
}
