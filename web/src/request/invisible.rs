//! Refuses invisible characters in the texts of a JSON body, wherever they are and however they are written.
//!
//! Values of the domain refuse them where they are parsed from a text; what comes as JSON is read like a stored event, which
//! may be older than the rule.

use bootledger_aggregates::values::invisible;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The first problem of a body that is valid JSON; its words are those of the domain.
pub(super) fn found(body: &[u8]) -> Option<String> {
    // Most bodies have neither.
    if body.is_ascii() && !body.windows(2).any(|two| two == b"\\u") {
        return None;
    }
    serde_json::from_slice::<Clean>(body).err().filter(serde_json::Error::is_data).map(|error| error.to_string())
}

/// Any value, of which nothing is kept.
struct Clean;

impl<'de> Deserialize<'de> for Clean {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Clean)
    }
}

impl<'de> Visitor<'de> for Clean {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self, E> {
        invisible::refuse(text).map_err(|error| E::custom(format!("in {:?}: {error}", invisible::shown(text))))?;
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invisible_character_is_found_in_any_text_of_a_body() {
        for body in ["{\"a\": [1, {\"b\": \"x\u{202e}y\"}]}", r#"{"a": "x\u202ey"}"#, r#"{"x\u200b": 1}"#, r#"["\udb40\udc01"]"#]
        {
            let problem = found(body.as_bytes()).expect(body);
            assert!(problem.contains("invisible character U+"), "{problem}");
        }
        for body in ["{}", r#"{"a": "Łódź \u00fc", "b": [true, null, 1.5, -2]}"#, "no JSON \u{202e}"] {
            assert_eq!(found(body.as_bytes()), None, "{body}");
        }
    }
}
