//! Buttons that copy a value. They are useless without a script, so the script shows them.

use super::icon::icon;
use maud::{Markup, html};

/// A button that copies a text; `label` names it, such as "MAC address".
pub(crate) fn copy(text: &str, label: &str) -> Markup {
    let label = format!("Copy {label}");
    html! { button.copy type="button" hidden data-copy=(text) aria-label=(label) title=(label) { (icon("clipboard")) } }
}

/// A value as code, with a button that copies it.
pub(crate) fn code(text: &str, label: &str) -> Markup {
    html! { span.copied { code { (text) } (copy(text, label)) } }
}

/// A value that has a page of its own, with a button that copies it.
pub(crate) fn linked(path: &str, text: &str, label: &str) -> Markup {
    html! { span.copied { a.mono href=(path) { (text) } (copy(text, label)) } }
}

/// A button that copies the call of an API path with curl. The script knows the address of the service.
pub(crate) fn curl(path: &str) -> Markup {
    html! { button.small type="button" hidden data-curl=(path) title="Copy the API call of this page" { (icon("clipboard")) "curl" } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_readable_without_a_script_and_its_button_has_a_name() {
        let html = code("<52:54>", "MAC address").into_string();
        assert!(html.contains("<code>&lt;52:54&gt;</code>") && html.contains("aria-label=\"Copy MAC address\""), "{html}");
        assert!(html.contains(" hidden "), "{html}");
        let html = linked("/macs/52:54", "52:54", "MAC address").into_string();
        assert!(html.contains("href=\"/macs/52:54\">52:54</a>") && html.contains("data-copy=\"52:54\""), "{html}");
    }
}
