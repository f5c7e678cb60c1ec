//! Parses the fields of a report, from the query string, a form or JSON: installers have wget, curl, or less.
//!
//! The format is determined from the body itself: `wget --post-data` declares everything as a form. An empty value counts as
//! left out, because an unset variable of a shell script is empty. An unknown field is refused by its name: `fail=1`, taken for
//! a report without failure, would show a failed installation as one that proceeds.

use crate::http::request::body::{check_depth, malformed};
use crate::http::request::messages::of_value;
use bootledger_aggregates::deployment::installer::NextBoot;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::percent::Percent;
use bootledger_aggregates::values::text::Text;
use serde_json::Value;
use std::fmt::Display;
use std::str::FromStr;

/// The names of all fields.
const KNOWN: [&str; 5] = ["stage", "percent", "text", "failed", "next_boot"];

/// The values of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) stage: Option<Name>,
    pub(super) percent: Option<Percent>,
    pub(super) text: Option<Text>,
    pub(super) failed: bool,
    pub(super) next_boot: Option<NextBoot>,
}

/// Parses a report. `clean` removes what must not be stored.
///
/// # Errors
/// Returns a sentence about the first field that cannot be parsed.
pub(super) fn parse(query: &str, body: &[u8], clean: impl Fn(&str) -> String) -> Result<Fields, String> {
    let mut pairs: Vec<(String, String)> = form(query.as_bytes());
    let body = body.trim_ascii();
    if body.first() == Some(&b'{') {
        // An installer's webhook, such as Proxmox VE's, calls a URL that contains all fields and sends its own JSON
        // as the body.
        if !pairs.iter().any(|(name, _)| name == "stage") {
            pairs.extend(json(body)?);
        }
    } else {
        pairs.extend(form(body));
    }
    let mut fields = Fields::default();
    let mut seen: Vec<String> = vec![];
    for (name, value) in pairs {
        if !KNOWN.contains(&name.as_str()) {
            let name = Text::fitted(&clean(&name));
            return Err(format!("there is no field {name:?}; the fields are {}", KNOWN.join(", ")));
        }
        if seen.contains(&name) {
            return Err(format!("{name} occurs twice; send it once"));
        }
        let value = clean(value.trim());
        match name.as_str() {
            _ if value.is_empty() => {}
            "stage" => fields.stage = Some(read(&name, &value)?),
            "percent" => fields.percent = Some(read(&name, &value)?),
            "failed" => fields.failed = truth(&value)?,
            "next_boot" => fields.next_boot = Some(read(&name, &value.to_ascii_lowercase())?),
            _ => fields.text = Some(Text::fitted(&value)).filter(|text| !text.is_empty()),
        }
        seen.push(name);
    }
    let says = fields.stage.is_some() || fields.percent.is_some() || fields.text.is_some() || fields.failed;
    if !says && fields.next_boot.is_none() {
        return Err(format!("the report is empty; its fields are {}", KNOWN.join(", ")));
    }
    Ok(fields)
}

fn read<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{name}: {}", of_value(&error, value)))
}

fn truth(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("failed: {:?} is neither 1 nor 0", Text::fitted(value))),
    }
}

/// Decodes a form. Bytes that are not UTF-8 become U+FFFD.
fn form(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn json(text: &[u8]) -> Result<Vec<(String, String)>, String> {
    check_depth(text).map_err(|error| error.to_string())?;
    let value: Pairs = serde_json::from_slice(text).map_err(|error| malformed(text, &error))?;
    let pair = |(name, value): (String, Value)| match value {
        Value::Null => Ok((name, String::new())),
        Value::Bool(truth) => Ok((name, u8::from(truth).to_string())),
        Value::Number(number) => Ok((name, number.to_string())),
        Value::String(text) => Ok((name, text)),
        Value::Array(_) | Value::Object(_) => Err(format!("{:?} is a list or an object, not a text", Text::fitted(&name))),
    };
    value.0.into_iter().map(pair).collect()
}

/// A JSON object as its list of fields, including repeated ones.
struct Pairs(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = vec![];
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
