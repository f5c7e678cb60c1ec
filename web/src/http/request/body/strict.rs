//! A JSON parser that refuses an object with a repeated field. `serde_json` alone would keep the last one and drop the others.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::fmt;

/// Why a text cannot be the JSON of a request.
#[derive(Debug)]
pub(super) enum Malformed {
    /// A field is repeated; contains its path.
    Repeated(String),
    /// The text is not JSON.
    Syntax(serde_json::Error),
}

/// Parses JSON strictly.
pub(super) fn read(body: &[u8]) -> Result<Value, Malformed> {
    let repeated = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = Reader { place: &Place::Whole, repeated: &repeated }.deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => Err(repeated.take().map_or(Malformed::Syntax(error), Malformed::Repeated)),
    }
}

/// The place of a value in the document.
enum Place<'a> {
    Whole,
    Field(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Field(Self::Whole, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, number) => write!(f, "{parent}[{number}]"),
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    place: &'a Place<'a>,
    repeated: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Reader { place: &Place::Item(self.place, list.len()), ..self })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let place = Place::Field(self.place, &name);
            if object.contains_key(&name) {
                self.repeated.replace(Some(place.to_string()));
                return Err(A::Error::custom("a field occurs twice"));
            }
            let value = fields.next_value_seed(Reader { place: &place, ..self })?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// Describes why a text is not JSON, and where the error is.
pub(super) fn in_words(body: &[u8], error: &serde_json::Error) -> String {
    if body.is_empty() {
        return "the body is empty; send a JSON object".to_owned();
    }
    if body.starts_with(&[0xef, 0xbb, 0xbf]) {
        return "the body starts with a byte order mark; save it as UTF-8 without one".to_owned();
    }
    if std::str::from_utf8(body).is_err() {
        let gzip = if body.starts_with(&[0x1f, 0x8b]) { ": it is compressed with gzip" } else { "" };
        return format!("the body is not UTF-8 text{gzip}; send JSON as UTF-8, not compressed");
    }
    let text = error.to_string();
    let cause = text.split(" at line ").next().unwrap_or_default();
    let what = match cause {
        _ if error.is_eof() => "it ends too early: a bracket, brace or quotation mark is not closed",
        "expected value" | "expected ident" => "a value is missing; strings must be in double quotes",
        "key must be a string" => "the name of a field is not in double quotes",
        "trailing comma" => "a comma must be followed by another element",
        "trailing characters" => "there is text after the end of the JSON value",
        "expected `:`" => "a colon must follow the name of a field",
        "expected `,` or `}`" => "a comma or closing brace must follow a field",
        "expected `,` or `]`" => "a comma or closing bracket must follow an item of a list",
        "number out of range" => "a number is too large",
        "invalid number" => "a number is not in JSON's format",
        "invalid escape" => "a backslash does not begin a valid JSON escape",
        _ if cause.starts_with("control character") => "a string contains a control character that is not escaped",
        // The first half of a surrogate pair without a second escape after it.
        _ if cause.contains("surrogate") || cause == "unexpected end of hex escape" => {
            "an escape such as \\ud800 is half of a surrogate pair; write both halves, or the character itself"
        }
        _ => "the syntax is not valid JSON",
    };
    format!("the body is not JSON: {what} (line {}, column {})", error.line(), error.column())
}
