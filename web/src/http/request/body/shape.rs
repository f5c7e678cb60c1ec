//! Checks a body against the schema with which the API describes it.
//!
//! Serde refuses unknown fields only if a type requests it, and never inside flattened types, and its errors use Rust's terms.
//! The domain's types are also stored in events, which must remain readable with any fields. So the description decides here: a
//! field that it does not name is refused, and a field that it names must have the described type.

use super::values;
use crate::http::error::problem::ProblemError;
use crate::http::request::messages::{listed, near};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::shortened;
use serde_json::{Map, Value};
use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use utoipa::{PartialSchema, ToSchema};

/// Maximum number of errors that are listed for a body.
const LISTED: usize = 50;

/// The schema of a type, and the schemas that it refers to.
pub(super) struct Shape {
    root: Value,
    named: HashMap<String, Value>,
}

/// The shape of a type. It is computed once for each type.
pub(super) fn of<T: ToSchema + 'static>() -> Arc<Shape> {
    static MADE: LazyLock<Mutex<HashMap<TypeId, Arc<Shape>>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let shape = made.entry(TypeId::of::<T>()).or_insert_with(|| {
        let json = |schema| serde_json::to_value(schema).unwrap_or_default();
        let mut schemas = vec![];
        T::schemas(&mut schemas);
        let named = schemas.into_iter().map(|(name, schema)| {
            let mut schema = json(schema);
            if let Value::Object(fields) = &mut schema {
                fields.insert(values::NAME.to_owned(), Value::String(name.clone()));
            }
            (name, schema)
        });
        let named = named.collect();
        Arc::new(Shape { root: json(<T as PartialSchema>::schema()), named })
    });
    Arc::clone(shape)
}

impl Shape {
    /// The fields that the schema does not have, and lists in places where it has objects.
    pub(super) fn unknown(&self, body: &Value) -> Vec<ProblemError> {
        // A derived deserialiser accepts a list in place of an object and takes its items for the fields.
        let kept = self.found(body).into_iter().filter(|one| one.error.is(Rule::UnknownField) || one.misplaced_list);
        kept.map(|one| one.error).collect()
    }

    /// Every value that does not fit the schema, in the order of the body, up to a number that a user can read.
    pub(super) fn errors(&self, body: &Value) -> Vec<ProblemError> {
        self.found(body).into_iter().map(|one| one.error).collect()
    }

    fn found(&self, body: &Value) -> Vec<ShapeError> {
        let mut errors = Errors { shape: self, found: vec![] };
        errors.check(body, &self.root, "");
        errors.found.truncate(LISTED);
        errors.found
    }

    /// Follows a reference to another schema.
    fn resolved<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        // A reference leads to a schema in one or two steps.
        for _ in 0..8 {
            let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
            match name.and_then(|name| self.named.get(name)) {
                Some(named) => schema = named,
                None => break,
            }
        }
        schema
    }

    /// The alternatives of which one must fit; the schema itself if it has none.
    fn choices<'a>(&'a self, schema: &'a Value) -> Vec<&'a Value> {
        let schema = self.resolved(schema);
        let choice = ["oneOf", "anyOf"].iter().find_map(|word| schema.get(word)?.as_array());
        choice.map_or_else(|| vec![schema], |choices| choices.iter().flat_map(|choice| self.choices(choice)).collect())
    }

    /// The fields that an object may and must have. `None` if any field is allowed.
    fn object<'a>(&'a self, schema: &'a Value) -> Option<Object<'a>> {
        let schema = self.resolved(schema);
        let mut object = Object::default();
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            let choices = self.choices(part);
            let single = choices.len() == 1;
            for choice in choices {
                let Object { fields, required, others } = self.object(choice)?;
                object.fields.extend(fields);
                object.others = object.others.or(others);
                if single {
                    object.required.extend(required);
                }
            }
        }
        object.fields.extend(schema.get("properties").and_then(Value::as_object).into_iter().flatten());
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        object.required.extend(required.filter_map(Value::as_str));
        match schema.get("additionalProperties") {
            Some(Value::Object(_)) => object.others = schema.get("additionalProperties"),
            Some(Value::Bool(true)) => return None,
            None if object.fields.is_empty() => return None,
            Some(_) | None => {}
        }
        Some(object)
    }
}

/// The fields that an object may and must have.
#[derive(Default)]
struct Object<'a> {
    fields: BTreeMap<&'a String, &'a Value>,
    required: BTreeSet<&'a str>,
    /// The schema for all other fields.
    others: Option<&'a Value>,
}

/// An error of a value.
struct ShapeError {
    error: ProblemError,
    /// Whether the value is a list in a place where the schema has none.
    misplaced_list: bool,
}

struct Errors<'a> {
    shape: &'a Shape,
    found: Vec<ShapeError>,
}

impl<'a> Errors<'a> {
    fn check(&mut self, value: &Value, schema: &'a Value, path: &str) {
        if self.found.len() >= LISTED {
            return;
        }
        let choices = self.shape.choices(schema);
        let before = self.found.len();
        let fitting: Vec<&Value> = choices.iter().copied().filter(|choice| may_be(choice, value)).collect();
        match fitting[..] {
            [] => {
                let mut expected: Vec<&str> = choices.iter().flat_map(|choice| words(choice)).collect();
                expected.dedup();
                let message = format!("expected {}, found {}", listed(&expected, "or"), kind(value));
                self.add(path, Rule::WrongType, &message, value.is_array());
            }
            [choice] => self.check_inside(value, choice, path),
            [..] => self.check_nearest(value, &fitting, path),
        }
        // An alternative may itself be a list of alternatives.
        let named = self.shape.resolved(schema);
        if self.found.len() == before
            && !value.is_null()
            && let Some(problem) = values::problem(named, value)
        {
            self.refuse(path, Rule::Malformed, &problem);
        }
    }

    /// Checks alternatives that have the same JSON type: uses the one that fits, otherwise reports the errors of the one
    /// that fits best.
    fn check_nearest(&mut self, value: &Value, choices: &[&'a Value], path: &str) {
        if self.check_united(value, choices, path) {
            return;
        }
        let mut nearest: Option<Vec<ShapeError>> = None;
        for choice in choices {
            let mut errors = Errors { shape: self.shape, found: vec![] };
            errors.check_inside(value, choice, path);
            if nearest.as_ref().is_none_or(|least| errors.found.len() < least.len()) {
                nearest = Some(errors.found);
            }
        }
        self.found.extend(nearest.unwrap_or_default());
    }

    /// Checks alternatives that differ only in their allowed texts or in the one field that they have. If the value fits none
    /// of them, the error lists all. Returns whether the alternatives are of this form.
    fn check_united(&mut self, value: &Value, choices: &[&'a Value], path: &str) -> bool {
        match value {
            Value::String(text) => {
                let allowed: Option<Vec<&Vec<Value>>> =
                    choices.iter().map(|choice| choice.get("enum").and_then(Value::as_array)).collect();
                let Some(allowed) = allowed else { return false };
                let allowed: Vec<&str> = allowed.into_iter().flatten().filter_map(Value::as_str).collect();
                self.check_enumerated(text, &allowed, path);
                true
            }
            Value::Object(object) => {
                let fields: Vec<&str> = choices
                    .iter()
                    .filter_map(|choice| self.shape.object(choice))
                    .flat_map(|one| one.fields.into_keys())
                    .map(String::as_str)
                    .collect();
                if fields.is_empty() || object.keys().any(|name| fields.contains(&name.as_str())) {
                    return false;
                }
                for name in object.keys() {
                    let near = near(name, fields.iter().copied());
                    let field = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    let message = format!("there is no such field; the fields are {}{near}", listed(&fields, "and"));
                    self.refuse(&field, Rule::UnknownField, &message);
                }
                if object.is_empty() {
                    self.refuse(
                        path,
                        Rule::MissingField,
                        &format!("expected an object with one of the fields {}", listed(&fields, "and")),
                    );
                }
                true
            }
            _ => false,
        }
    }

    fn check_enumerated(&mut self, text: &str, allowed: &[&str], path: &str) {
        if !allowed.contains(&text) {
            let near = near(text, allowed.iter().copied());
            self.refuse(path, Rule::Malformed, &format!("{text:?} is not one of {}{near}", listed(allowed, "and")));
        }
    }

    fn check_inside(&mut self, value: &Value, schema: &'a Value, path: &str) {
        let before = self.found.len();
        self.check_parts(value, schema, path);
        if self.found.len() == before
            && !value.is_null()
            && let Some(problem) = values::problem(schema, value)
        {
            self.refuse(path, Rule::Malformed, &problem);
        }
    }

    fn check_parts(&mut self, value: &Value, schema: &'a Value, path: &str) {
        match value {
            Value::Object(object) => self.check_object(object, schema, path),
            Value::Array(items) => {
                let Some(of) = schema.get("items") else { return };
                for (number, item) in items.iter().enumerate() {
                    self.check(item, of, &format!("{path}[{number}]"));
                }
            }
            Value::String(text) => {
                let Some(allowed) = schema.get("enum").and_then(Value::as_array) else { return };
                let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
                self.check_enumerated(text, &allowed, path);
            }
            _ => {}
        }
    }

    fn check_object(&mut self, value: &Map<String, Value>, schema: &'a Value, path: &str) {
        let Some(object) = self.shape.object(schema) else { return };
        let field = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let names = schema.get("propertyNames");
        for (name, value) in value {
            if let Some(names) = names.filter(|_| !object.fields.contains_key(name)) {
                self.check(&Value::String(name.clone()), names, &field(name));
            }
            if let Some(schema) = object.fields.get(name).copied().or(object.others) {
                self.check(value, schema, &field(name));
            } else {
                let known = object.fields.keys().map(|name| name.as_str());
                let near = near(name, known.clone());
                let all = listed(&known.collect::<Vec<_>>(), "and");
                self.refuse(&field(name), Rule::UnknownField, &format!("there is no such field; the fields are {all}{near}"));
            }
        }
        for name in object.required.iter().filter(|name| !value.contains_key(**name)) {
            self.refuse(&field(name), Rule::MissingField, "it is missing");
        }
    }

    fn refuse(&mut self, field: &str, rule: Rule, message: &str) {
        self.add(field, rule, message, false);
    }

    fn add(&mut self, field: &str, rule: Rule, message: &str, misplaced_list: bool) {
        let place = if field.is_empty() { "the body: ".to_owned() } else { format!("{field}: ") };
        let error = ProblemError::new(field, rule, format!("{place}{}", shortened(message.to_owned())));
        self.found.push(ShapeError { error, misplaced_list });
    }
}

/// The names of JSON's types: as in a schema, and as in messages.
const TYPES: [(&str, &str); 7] = [
    ("string", "a string"),
    ("integer", "a whole number"),
    ("number", "a number"),
    ("boolean", "true or false"),
    ("array", "a list"),
    ("object", "an object"),
    ("null", "null"),
];

/// The JSON types that a schema allows; empty if it allows all.
fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("allOf").is_some() => vec!["object"],
        _ => vec![],
    }
}

fn words(schema: &Value) -> Vec<&'static str> {
    types(schema).iter().filter_map(|name| TYPES.iter().find(|(known, _)| known == name).map(|(_, words)| *words)).collect()
}

/// Whether the schema allows the type of a value.
fn may_be(schema: &Value, value: &Value) -> bool {
    let name = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = types(schema);
    types.is_empty() || types.contains(&name) || (name == "integer" && types.contains(&"number"))
}

/// The type of a value, for messages. The value itself is never shown, because it may be a password.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) if number.fract() != 0.0 => "a number with a fraction",
            Some(number) if number.abs() >= 1e15 => "a number that is too large",
            Some(_) => "a number with a decimal point or an exponent",
            None => "a number",
        },
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
