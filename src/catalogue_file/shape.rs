//! The allowed form of an entry, derived from the schemas with which the API describes the same types.
//!
//! A field that is added to a type is therefore known here without further changes: a file may contain it, its type is checked
//! with the line number, and the test of all fields fails until it has a value for the field.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The form of a value.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// A mapping with these fields, some of them required.
    Fields(BTreeMap<String, Field>),
    /// A mapping from any keys to values of one form.
    Mapping(Box<Shape>),
    /// A list of values of one form.
    List(Box<Shape>),
    /// A text; if there are choices, one of them.
    Text(Vec<String>),
    /// A whole number.
    Integer,
    /// A number, possibly with decimals.
    Number,
    /// A boolean, true or false.
    Boolean,
    /// A value of one of these forms.
    Either(Vec<Shape>),
    /// Any value. The type that parses it decides what is allowed.
    Any,
}

/// A field of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) shape: Shape,
    pub(super) required: bool,
    pub(super) nullable: bool,
}

/// The form of a type.
pub(super) fn of<T: ToSchema>() -> Shape {
    let mut schemas = vec![];
    T::schemas(&mut schemas);
    let json = |schema| serde_json::to_value(schema).unwrap_or_default();
    let named = schemas.into_iter().map(|(name, schema)| (name, json(schema))).collect();
    Schemas { named }.shape(&json(T::schema()), 0).0
}

/// The fields of a type.
pub(super) fn fields<T: ToSchema>() -> BTreeMap<String, Field> {
    match of::<T>() {
        Shape::Fields(fields) => fields,
        _ => BTreeMap::new(),
    }
}

impl Field {
    /// A field that may be omitted.
    pub(super) fn optional(shape: Shape) -> Self {
        Self { shape, required: false, nullable: true }
    }
}

/// A limit deeper than any type; schemas that refer to themselves end here.
const DEEPEST: usize = 16;

struct Schemas {
    named: BTreeMap<String, Value>,
}

impl Schemas {
    /// The form of a schema, and whether null is one of its values.
    fn shape(&self, schema: &Value, depth: usize) -> (Shape, bool) {
        if depth > DEEPEST {
            return (Shape::Any, true);
        }
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap_or_default();
            return self.named.get(name).map_or((Shape::Any, true), |named| self.shape(named, depth + 1));
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let mut all = BTreeMap::new();
            for part in parts.iter().chain(schema.get("properties").map(|_| schema)) {
                if let Shape::Fields(fields) = self.own(part, depth) {
                    all.extend(fields);
                }
            }
            return (Shape::Fields(all), false);
        }
        if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
            let nullable = choices.iter().any(|choice| choice["type"] == "null");
            let mut shapes: Vec<Shape> =
                choices.iter().filter(|choice| choice["type"] != "null").map(|choice| self.shape(choice, depth + 1).0).collect();
            return match shapes.len() {
                1 => (shapes.remove(0), nullable),
                _ => (Shape::Either(shapes), nullable),
            };
        }
        (self.own(schema, depth), types(schema).contains(&"null"))
    }

    fn own(&self, schema: &Value, depth: usize) -> Shape {
        if schema.get("$ref").is_some() {
            return self.shape(schema, depth + 1).0;
        }
        let inner = |schema: &Value| Box::new(self.shape(schema, depth + 1).0);
        let of_types = types(schema).into_iter().filter(|one| *one != "null").collect::<Vec<_>>();
        match of_types[..] {
            ["object"] => match (schema["properties"].as_object(), &schema["additionalProperties"]) {
                (Some(properties), _) if !properties.is_empty() => {
                    Shape::Fields(self.fields(properties, &schema["required"], depth))
                }
                (_, additional @ Value::Object(_)) => Shape::Mapping(inner(additional)),
                _ => Shape::Any,
            },
            ["array"] => Shape::List(inner(&schema["items"])),
            ["string"] => {
                let choices = schema["enum"].as_array().into_iter().flatten();
                let constant = schema["const"].as_str();
                Shape::Text(choices.filter_map(Value::as_str).chain(constant).map(ToOwned::to_owned).collect())
            }
            ["integer"] => Shape::Integer,
            ["number"] => Shape::Number,
            ["boolean"] => Shape::Boolean,
            _ => Shape::Any,
        }
    }

    fn fields(&self, properties: &Map<String, Value>, required: &Value, depth: usize) -> BTreeMap<String, Field> {
        let required: Vec<&str> = required.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let field = |(name, schema): (&String, &Value)| {
            let (shape, nullable) = self.shape(schema, depth + 1);
            (name.clone(), Field { shape, required: required.contains(&name.as_str()), nullable })
        };
        properties.iter().map(field).collect()
    }
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}
