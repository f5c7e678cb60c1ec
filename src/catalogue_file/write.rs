//! Writes YAML that every version of YAML reads in the same way. A text that any parser could take for a number, a time, a
//! boolean or null is quoted, and invisible characters are written as codes.

use bootledger_aggregates::values::invisible;
use ipnet::IpNet;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::net::Ipv4Addr;

/// The maximum length of a list of scalars on one line.
const LINE: usize = 100;

/// A mapping as a YAML document.
pub(super) fn document(fields: &Map<String, Value>) -> String {
    if fields.is_empty() {
        return "{}\n".to_owned();
    }
    let mut out = String::new();
    for (n, (section, value)) in fields.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        field(&mut out, section, value, 0);
    }
    out
}

fn field(out: &mut String, key: &str, value: &Value, indent: usize) {
    let _ = write!(out, "{:indent$}{}:", "", text(key));
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('\n');
            for (key, value) in fields {
                field(out, key, value, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => list(out, items, indent),
        Value::String(content) if content.contains('\n') && is_block(content) => block(out, content, indent + 2),
        other => {
            let _ = writeln!(out, " {}", inline(other));
        }
    }
}

fn list(out: &mut String, items: &[Value], indent: usize) {
    let scalars = items.iter().all(|item| {
        !matches!(item, Value::Object(fields) if !fields.is_empty()) && !matches!(item, Value::Array(items) if !items.is_empty())
    });
    if scalars {
        let line = format!(" [{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "));
        if line.len() <= LINE {
            out.push_str(&line);
            out.push('\n');
            return;
        }
    }
    out.push('\n');
    for item in items {
        // The first field of a list item follows its hyphen.
        let mut inner = String::new();
        match item {
            Value::Object(fields) if !fields.is_empty() => {
                for (key, value) in fields {
                    field(&mut inner, key, value, indent + 4);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                let flow = items.iter().map(flow).collect::<Vec<_>>().join(", ");
                let _ = writeln!(inner, "[{flow}]");
            }
            other => {
                let _ = writeln!(inner, "{}", inline(other));
            }
        }
        let _ = write!(out, "{:indent$}  - {}", "", inner.trim_start_matches(' '));
    }
}

/// A scalar, or an empty list or mapping.
fn inline(value: &Value) -> String {
    match value {
        Value::String(content) => text(content),
        other => flow(other),
    }
}

/// Any value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(content) => text(content),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{}: {}", text(key), flow(value))).collect();
            if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
        }
        other => other.to_string(),
    }
}

/// A text, quoted unless no parser can take it for anything else.
fn text(content: &str) -> String {
    if is_plain(content) { content.to_owned() } else { quoted(content) }
}

fn is_plain(content: &str) -> bool {
    const TAKEN: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '_' | '/' | '@' | '+' | '-');
    let word = content.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && !content.ends_with(' ')
        && content.chars().all(allowed)
        && !TAKEN.contains(&content.to_ascii_lowercase().as_str());
    word || content.parse::<Ipv4Addr>().is_ok() || (content.contains('.') && content.parse::<IpNet>().is_ok())
}

fn quoted(content: &str) -> String {
    let mut out = String::from("\"");
    for c in content.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_coded(c) && u32::from(c) > 0xffff => drop(write!(out, "\\U{:08X}", u32::from(c))),
            c if is_coded(c) => drop(write!(out, "\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a character is invisible or cannot be written as it is.
fn is_coded(c: char) -> bool {
    c.is_control() || matches!(c, '\u{a0}' | '\u{fffe}' | '\u{ffff}') || invisible::refuse(c.encode_utf8(&mut [0; 4])).is_err()
}

/// Whether a text of several lines can be written as a literal block.
fn is_block(content: &str) -> bool {
    let begins = content.starts_with(|c: char| !c.is_whitespace());
    begins
        && content
            .trim_end_matches('\n')
            .lines()
            .all(|line| !line.starts_with('\t') && (line.is_empty() || !line.ends_with([' ', '\t'])))
        && content.chars().all(|c| matches!(c, '\n' | '\t') || !is_coded(c))
}

/// A literal block. The sign after the bar says how many line breaks the text ends with.
fn block(out: &mut String, content: &str, indent: usize) {
    let body = content.trim_end_matches('\n');
    let ends = content.len() - body.len();
    out.push_str(match ends {
        0 => " |-\n",
        1 => " |\n",
        _ => " |+\n",
    });
    for line in body.lines() {
        if line.is_empty() {
            out.push('\n');
        } else {
            let _ = writeln!(out, "{:indent$}{line}", "");
        }
    }
    out.extend(std::iter::repeat_n('\n', ends.saturating_sub(1)));
}
