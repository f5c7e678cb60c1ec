//! Converts a value of the file into the JSON that its type parses. The type decides the kind of a scalar, not its appearance:
//! `70123456` is a text in a serial number and a number in a VLAN, and `no` is false only where a boolean is expected.

use super::shape::{Field, Shape};
use super::yaml::{Content, Node, Place, Problem, shortened};
use crate::nearest::nearest;
use bootledger_aggregates::values::invisible;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Converts values, and collects errors.
pub(super) struct Converter<'a> {
    pub(super) problems: &'a mut Vec<Problem>,
    /// The names that lead to the current value.
    pub(super) path: Vec<String>,
}

/// The maximum number of known names that a message lists. Operators do not read longer lists.
const SHOWN: usize = 12;

impl Converter<'_> {
    pub(super) fn problem(&mut self, place: Place, message: impl AsRef<str>) {
        let path = self.path.join(".").replace(".[", "[");
        let colon = if path.is_empty() { "" } else { ": " };
        self.problems.push(Problem::new(place, format!("{path}{colon}{}", message.as_ref())));
    }

    /// Reads a value below a name.
    pub(super) fn at<T>(&mut self, name: impl Into<String>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.into());
        let value = read(self);
        self.path.pop();
        value
    }

    /// The value as JSON; null if an error was found.
    pub(super) fn value(&mut self, node: &Node, shape: &Shape) -> Value {
        match (shape, &node.content) {
            (Shape::Either(shapes), _) => self.either(node, shapes),
            (Shape::Any, _) => self.any(node),
            (Shape::Fields(fields), Content::Mapping(_)) => Value::Object(self.fields(node, fields)),
            (Shape::Mapping(shape), Content::Mapping(pairs)) => {
                let mut values = Map::new();
                for pair in pairs {
                    self.visible(&pair.key, pair.place);
                    let value = self.at(pair.key.as_str(), |converter| converter.filled(&pair.value, shape));
                    values.insert(pair.key.clone(), value);
                }
                Value::Object(values)
            }
            (Shape::List(shape), Content::List(items)) => {
                let items = items.iter().enumerate();
                Value::Array(
                    items.map(|(n, item)| self.at(format!("[{n}]"), |converter| converter.filled(item, shape))).collect(),
                )
            }
            (Shape::Text(choices), Content::Scalar { text, .. }) => self.text(text, choices, node.place),
            (Shape::Integer, Content::Scalar { text, .. }) => self.integer(text, node.place),
            (Shape::Number, Content::Scalar { text, .. }) => match decimal(text) {
                Some(number) => number,
                None => self.wrong(node, "a number such as 1.5"),
            },
            (Shape::Boolean, Content::Scalar { text, .. }) => match boolean(text) {
                Some(value) => Value::Bool(value),
                None => self.wrong(node, "true or false"),
            },
            (Shape::Fields(_) | Shape::Mapping(_), _) => self.wrong(node, "a mapping, such as `{ name: value }`"),
            (Shape::List(_), _) => self.wrong(node, "a list, such as `[first, second]`"),
            (Shape::Text(_), _) => self.wrong(node, "a string"),
            (Shape::Integer | Shape::Number, _) => self.wrong(node, "a number"),
            (Shape::Boolean, _) => self.wrong(node, "true or false"),
        }
    }

    /// Reads a mapping or a list, which may be empty but not null.
    fn filled(&mut self, node: &Node, shape: &Shape) -> Value {
        // A Puppet class without parameters is written as null.
        if node.is_null() && !matches!(shape, Shape::Any | Shape::Mapping(_)) {
            self.problem(
                node.place,
                "the value is missing. Enter one, or remove the entry; the string `null` or `~` needs quotes",
            );
            return Value::Null;
        }
        if node.is_null() {
            return Value::Null;
        }
        self.value(node, shape)
    }

    fn wrong(&mut self, node: &Node, expected: &str) -> Value {
        self.problem(node.place, format!("found {}, expected {expected}", node.what()));
        Value::Null
    }

    fn fields(&mut self, node: &Node, fields: &BTreeMap<String, Field>) -> Map<String, Value> {
        let mut values = Map::new();
        let Content::Mapping(pairs) = &node.content else { return values };
        for pair in pairs {
            let Some(field) = fields.get(&pair.key) else {
                self.unknown(&pair.key, pair.place, fields.keys().map(String::as_str));
                continue;
            };
            let value = self.at(pair.key.as_str(), |converter| {
                if !pair.value.is_null() {
                    return converter.value(&pair.value, &field.shape);
                }
                if !field.nullable {
                    converter.problem(pair.place, "the value is missing. Enter one, or leave the field out");
                }
                Value::Null
            });
            values.insert(pair.key.clone(), value);
        }
        for (name, _) in fields.iter().filter(|(name, field)| field.required && !values.contains_key(*name)) {
            self.problem(node.place, format!("`{name}` is missing"));
        }
        values
    }

    /// Records an unknown key.
    pub(super) fn unknown<'k>(&mut self, key: &str, place: Place, known: impl Iterator<Item = &'k str>) {
        let known: Vec<&str> = known.collect();
        let advice = match nearest(key, &known) {
            Some(nearest) => format!("Did you mean `{nearest}`?"),
            None if known.len() <= SHOWN => format!("The fields are {}", known.join(", ")),
            None => format!("The fields are {} and others; see docs/catalogue-files.md", known[..SHOWN].join(", ")),
        };
        self.problem(place, format!("there is no field `{}`. {advice}", shortened(key)));
    }

    fn either(&mut self, node: &Node, shapes: &[Shape]) -> Value {
        let fits = |shape: &&Shape| {
            matches!(
                (shape, &node.content),
                (Shape::Fields(_) | Shape::Mapping(_), Content::Mapping(_))
                    | (Shape::List(_), Content::List(_))
                    | (Shape::Text(_) | Shape::Integer | Shape::Number | Shape::Boolean, Content::Scalar { .. })
                    | (Shape::Any, _)
            )
        };
        let fitting: Vec<&Shape> = shapes.iter().filter(fits).collect();
        match (&fitting[..], &node.content) {
            ([only], _) => self.value(node, only),
            // Variants of an enum are distinguished by their single field.
            (several @ [_, ..], Content::Mapping(pairs)) => {
                let has = |shape: &&&Shape, key: &str| matches!(shape, Shape::Fields(fields) if fields.contains_key(key));
                let named = pairs.first().and_then(|pair| several.iter().find(|shape| has(shape, &pair.key)));
                if let Some(shape) = named.or(several.iter().find(|shape| matches!(shape, Shape::Mapping(_)))) {
                    return self.value(node, shape);
                }
                let known: Vec<&str> = several
                    .iter()
                    .filter_map(|shape| if let Shape::Fields(fields) = shape { Some(fields.keys()) } else { None })
                    .flatten()
                    .map(String::as_str)
                    .collect();
                match pairs.first() {
                    Some(pair) => self.unknown(&pair.key, pair.place, known.into_iter()),
                    None => self.problem(node.place, format!("one of these fields is required: {}", known.join(", "))),
                }
                Value::Null
            }
            ([_, ..], Content::Scalar { .. }) if fitting.iter().all(|shape| matches!(shape, Shape::Text(_))) => {
                let choices: Vec<String> = fitting
                    .iter()
                    .filter_map(|shape| if let Shape::Text(choices) = shape { Some(choices.clone()) } else { None })
                    .flatten()
                    .collect();
                self.value(node, &Shape::Text(choices))
            }
            ([_, ..], _) => self.any(node),
            ([], _) => {
                let forms: Vec<&str> = shapes.iter().map(form).collect();
                self.wrong(node, &forms.join(" or "))
            }
        }
    }

    /// A value whose type depends only on its appearance, as in YAML 1.2. A value that YAML 1.1 reads differently is refused,
    /// because its intended meaning is ambiguous.
    fn any(&mut self, node: &Node) -> Value {
        match &node.content {
            Content::List(items) => {
                let items = items.iter().enumerate();
                Value::Array(items.map(|(n, item)| self.at(format!("[{n}]"), |converter| converter.any(item))).collect())
            }
            Content::Mapping(pairs) => {
                let mut values = Map::new();
                for pair in pairs {
                    self.visible(&pair.key, pair.place);
                    let value = self.at(pair.key.as_str(), |converter| converter.any(&pair.value));
                    values.insert(pair.key.clone(), value);
                }
                Value::Object(values)
            }
            Content::Scalar { text, plain: false } => self.text(text, &[], node.place),
            Content::Scalar { .. } if node.is_null() => Value::Null,
            Content::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => Value::Bool(true),
                "false" | "False" | "FALSE" => Value::Bool(false),
                _ if boolean(text).is_some() => {
                    let meant = boolean(text).unwrap_or_default();
                    self.problem(
                        node.place,
                        format!(
                            "`{text}` is a string in YAML 1.2 and {meant} in YAML 1.1. Write \"{text}\" in quotes, or {meant}"
                        ),
                    );
                    Value::Null
                }
                _ => match decimal(text) {
                    Some(number) => number,
                    None if is_unclear_number(text) => {
                        self.problem(node.place, format!("programs read `{text}` as different numbers. Write \"{text}\" in quotes if it is a string, otherwise write a decimal number"));
                        Value::Null
                    }
                    None => self.text(text, &[], node.place),
                },
            },
        }
    }

    fn text(&mut self, text: &str, choices: &[String], place: Place) -> Value {
        if !choices.is_empty() && !choices.iter().any(|choice| choice == text) {
            let known: Vec<&str> = choices.iter().map(String::as_str).collect();
            let meant = nearest(text, &known).map(|nearest| format!(". Did you mean `{nearest}`?")).unwrap_or_default();
            self.problem(place, format!("`{}` is not one of {}{meant}", shortened(text), known.join(", ")));
            return Value::Null;
        }
        // The content of a boot file is kept unchanged.
        if self.path.last().is_none_or(|name| name != "text") {
            self.visible(text, place);
        }
        Value::String(text.to_owned())
    }

    fn visible(&mut self, text: &str, place: Place) {
        if let Err(error) = invisible::refuse(text) {
            self.problem(place, format!("`{}`: {error}", shortened(text)));
        }
    }

    fn integer(&mut self, text: &str, place: Place) -> Value {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_decimal && digits.len() > 1 && digits.starts_with('0') {
            let meant = digits.trim_start_matches('0');
            let meant = if meant.is_empty() { "0" } else { meant };
            self.problem(place, format!("`{text}` begins with 0, which YAML 1.1 reads as an octal number. Write {meant}"));
            return Value::Null;
        }
        match text.parse::<i64>() {
            Ok(number) if is_decimal => Value::from(number),
            _ if is_decimal => {
                self.problem(place, format!("`{}` is too large", shortened(text)));
                Value::Null
            }
            _ => {
                self.problem(place, format!("found `{}`, expected a whole number such as 42", shortened(text)));
                Value::Null
            }
        }
    }
}

fn form(shape: &Shape) -> &'static str {
    match shape {
        Shape::Fields(_) | Shape::Mapping(_) => "a mapping",
        Shape::List(_) => "a list",
        Shape::Text(_) => "a string",
        Shape::Integer | Shape::Number => "a number",
        Shape::Boolean => "true or false",
        Shape::Either(_) | Shape::Any => "another value",
    }
}

/// Booleans as YAML 1.1 and 1.2 write them.
fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A number as JSON writes it.
fn decimal(text: &str) -> Option<Value> {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        .then(|| serde_json::from_str::<serde_json::Number>(text).ok().map(Value::Number))
        .flatten()
}

/// Whether some version of YAML reads the text as a number, except for decimal numbers.
fn is_unclear_number(text: &str) -> bool {
    let unsigned = text.trim_start_matches(['+', '-']);
    let all = |text: &str, allowed: fn(char) -> bool| !text.is_empty() && text.chars().all(allowed);
    let digits = |c: char| c.is_ascii_digit() || c == '_';
    let based = ["0x", "0o", "0b"]
        .iter()
        .any(|base| unsigned.strip_prefix(base).is_some_and(|rest| all(rest, |c| c.is_ascii_hexdigit() || c == '_')));
    let plain = unsigned.starts_with(|c: char| c.is_ascii_digit())
        && all(unsigned, |c| c.is_ascii_digit() || matches!(c, '_' | '.'))
        && unsigned.matches('.').count() <= 1;
    let power = unsigned
        .split_once(['e', 'E'])
        .is_some_and(|(base, power)| all(&base.replace('.', ""), digits) && all(power.trim_start_matches(['+', '-']), digits));
    based || plain || power || matches!(unsigned.to_ascii_lowercase().as_str(), ".inf" | ".nan")
}
