//! The filters that write a value into a shell script, JSON, YAML or XML so that it remains one value.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// A text, number or boolean as text; the entries of a list as several texts.
fn texts(value: &Value, filter: &str) -> Result<Vec<String>, Error> {
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Ok(vec![one(value, filter)?]),
        ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.map(|item| one(&item, filter)).collect(),
        _ => Err(wrong(value, filter)),
    }
}

fn one(value: &Value, filter: &str) -> Result<String, Error> {
    match value.kind() {
        ValueKind::String | ValueKind::Number => Ok(value.to_string()),
        // The engine would write True and False.
        ValueKind::Bool => Ok(value.is_true().to_string()),
        _ => Err(wrong(value, filter)),
    }
}

fn wrong(value: &Value, filter: &str) -> Error {
    if value.is_undefined() {
        return Error::from(ErrorKind::UndefinedError);
    }
    let message =
        format!("the filter {filter} accepts a string, a number, a boolean or a list of strings, not a {}", value.kind());
    Error::new(ErrorKind::InvalidOperation, message)
}

/// A word of a POSIX shell, quoted if necessary; for a list, all its words separated by spaces.
pub(super) fn shell(value: &Value) -> Result<String, Error> {
    let words: Vec<String> = texts(value, "shell")?.iter().map(|text| word(text)).collect();
    Ok(words.join(" "))
}

/// A quoted word. Between single quotes every character except the single quote is literal (POSIX.1-2024, 2.2.2).
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | ':' | ',' | '.' | '/' | '+' | '-');
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A JSON literal (RFC 8259), which is also valid in YAML 1.1 and 1.2.
pub(super) fn json(value: &Value) -> Result<String, Error> {
    if value.kind() == ValueKind::Seq {
        let items = texts(value, "json")?;
        return literal(&items);
    }
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => literal(value),
        _ => Err(wrong(value, "json")),
    }
}

fn literal(value: &impl serde::Serialize) -> Result<String, Error> {
    let failed = |error| Error::new(ErrorKind::BadSerialization, format!("it cannot be written as JSON: {error}"));
    serde_json::to_string(value).map_err(failed)
}

/// A text for the content of an XML element, or for an attribute between quotes of either kind.
pub(super) fn xml(value: &Value) -> Result<String, Error> {
    let text = one(value, "xml").map_err(|error| {
        let list = "the filter xml accepts one string; write a list with a loop, or with join before it";
        if value.kind() == ValueKind::Seq { Error::new(ErrorKind::InvalidOperation, list) } else { error }
    })?;
    Ok(escaped(&text))
}

/// A text as each of these filters writes it, without the quotation marks around it.
pub(crate) fn quoted(text: &str) -> [String; 3] {
    let json = serde_json::to_string(text).unwrap_or_default();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default();
    [text.replace('\'', r"'\''"), json.to_owned(), escaped(text)]
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
