//! Refuses invisible characters in the texts of a JSON body, wherever they are and however they are written.
//!
//! The domain's values refuse them where they are parsed from a text. Values in JSON are read like a stored event, which may be
//! older than the rule; so JSON bodies are checked here.

use bootledger_aggregates::values::invisible;
use serde_json::Value;

/// The first problem of a body: its path, and the domain's message.
pub(super) fn found(body: &Value) -> Option<(String, String)> {
    search(body, "")
}

fn search(value: &Value, path: &str) -> Option<(String, String)> {
    match value {
        Value::String(text) => problem(text).map(|problem| (path.to_owned(), problem)),
        Value::Array(items) => items.iter().enumerate().find_map(|(number, item)| search(item, &format!("{path}[{number}]"))),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let shown = invisible::shown(name).replace('\0', "");
            let path = if path.is_empty() { shown } else { format!("{path}.{shown}") };
            match problem(name) {
                Some(problem) => Some((path, format!("the name of the field: {problem}"))),
                None => search(value, &path),
            }
        }),
        _ => None,
    }
}

fn problem(text: &str) -> Option<String> {
    if text.contains('\0') {
        return Some("it contains the character NUL, which is not allowed; remove it".to_owned());
    }
    invisible::refuse(text).err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invisible_character_is_found_in_any_text_of_a_body() {
        for (body, field) in [
            ("{\"a\": [1, {\"b\": \"x\u{202e}y\"}]}", "a[1].b"),
            (r#"{"a": "x\u202ey"}"#, "a"),
            (r#"{"x\u200b": 1}"#, "x‹U+200B›"),
            (r#"["\udb40\udc01"]"#, "[0]"),
        ] {
            let (path, problem) = found(&serde_json::from_str(body).expect("JSON")).expect(body);
            assert!(problem.contains("invisible character U+") && path == field, "{path}: {problem}");
        }
        let (path, problem) = found(&serde_json::json!({"a": {"b": "x\0"}})).expect("a NUL");
        assert!(path == "a.b" && problem.contains("NUL"), "{path}: {problem}");
        for body in ["{}", r#"{"a": "Łódź \u00fc", "b": [true, null, 1.5, -2]}"#] {
            assert_eq!(found(&serde_json::from_str(body).expect("JSON")), None, "{body}");
        }
    }
}
