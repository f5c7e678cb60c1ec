//! The value of a boot setting, and its source.

use bootledger_aggregates::settings::Source;
use bootledger_aggregates::values::setting::{SettingText, SettingValue};
use maud::{Markup, html};

/// The type of a value, and its text in a field: one line, or a line for each entry of a list.
pub(crate) fn written(value: &SettingValue) -> (&'static str, String) {
    match value {
        SettingValue::Text(text) => ("text", text.to_string()),
        SettingValue::Number(number) => ("number", number.to_string()),
        SettingValue::Boolean(flag) => ("boolean", flag.to_string()),
        SettingValue::List(list) => ("list", list.items().iter().map(SettingText::as_str).collect::<Vec<_>>().join("\n")),
        SettingValue::Secret(reference) => ("secret", reference.secret.to_string()),
    }
}

/// A value to read.
pub(crate) fn shown(value: &SettingValue) -> Markup {
    match value {
        SettingValue::Secret(reference) => html! { "the secret " code { (reference.secret) } },
        SettingValue::List(list) if list.items().is_empty() => html! { span.quiet { "an empty list" } },
        SettingValue::List(list) => html! { ul.plain { @for item in list.items() { li { code { (item) } } } } },
        SettingValue::Text(text) if text.as_str().is_empty() => html! { span.quiet { "empty" } },
        other => html! { code { (written(other).1) } },
    }
}

/// The source of a value, with a link to the page where it can be changed.
pub(crate) fn source(from: &Source) -> Markup {
    html! {
        @match from {
            Source::Device | Source::BootImage => (from),
            Source::Role { venture, role } => a href=(format!("/ventures/{venture}/roles/{role}")) { (from) },
            Source::Venture(venture) => a href=(format!("/ventures/{venture}")) { (from) },
            Source::Site(site) => a href=(format!("/sites/{site}")) { (from) },
        }
    }
}
