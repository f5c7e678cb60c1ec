//! Removes a password from a text that another system wrote, in any form in which the text may contain it.

use std::collections::BTreeSet;

/// The text that replaces a password.
const REMOVED: &str = "…";

/// The text with `…` in place of each occurrence of the password. A controller may return the password unchanged, or with some
/// or all characters encoded as in a URL (RFC 3986), JSON (RFC 8259) or HTML.
pub(super) fn redact(text: &str, password: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (shown, after) = match end_of(password, rest) {
            Some(end) => (REMOVED, end),
            None => (rest.get(..first.len_utf8()).unwrap_or_default(), first.len_utf8()),
        };
        redacted.push_str(shown);
        rest = rest.get(after..).unwrap_or_default();
    }
    redacted
}

/// The length, in bytes, of the longest form of the password at the beginning of the text.
fn end_of(password: &str, text: &str) -> Option<usize> {
    // A literal `%` and an encoded one begin in the same way, so all interpretations are followed.
    let mut ends = BTreeSet::from([0]);
    for c in password.chars() {
        let longer = |end: usize| forms(c, text.get(end..).unwrap_or_default()).into_iter().map(move |length| end + length);
        ends = ends.into_iter().flat_map(longer).collect();
        if ends.is_empty() {
            return None;
        }
    }
    ends.pop_last().filter(|end| *end > 0)
}

/// The lengths, in bytes, of the forms of this character at the beginning of the text.
fn forms(c: char, text: &str) -> Vec<usize> {
    let mut lengths = vec![];
    if text.starts_with(c) {
        lengths.push(c.len_utf8());
    }
    if !text.starts_with(['%', '+', '\\', '&']) {
        return lengths;
    }
    let mut utf8 = [0; 4];
    let url = c.encode_utf8(&mut utf8).bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let mut utf16 = [0; 2];
    let json = c.encode_utf16(&mut utf16).iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat();
    let number = u32::from(c);
    let encoded = [url, json, format!("\\{c}"), format!("&#{number};"), format!("&#x{number:x};"), format!("&#x{number:02x};")];
    let named = match c {
        ' ' => "+",
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&apos;",
        _ => "",
    };
    let begins = |form: &str| !form.is_empty() && text.get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form));
    lengths.extend(encoded.iter().map(String::as_str).chain([named]).filter(|form| begins(form)).map(str::len));
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b'/').add(b'<').add(b'>').add(b'?');

    fn html(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#39;")
    }

    /// Writes `%2F` as `%2f`; letters outside such codes keep their case.
    fn lower_codes(text: &str) -> String {
        let mut parts = text.split('%');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |all, part| format!("{all}%{}{}", part[..2].to_lowercase(), &part[2..]))
    }

    proptest! {
        #[test]
        fn a_password_is_removed_in_every_form(password in "[!-~ä€ ]{4,20}", before in "[a-z ]{0,5}") {
            let all = utf8_percent_encode(&password, NON_ALPHANUMERIC).to_string();
            let json = serde_json::to_string(&password).expect("JSON");
            let json = json[1..json.len() - 1].to_owned();
            let escaped = password.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect::<Vec<_>>().concat();
            let path = utf8_percent_encode(&password, PATH).to_string();
            let plus = all.replace("%20", "+");
            let slashed = json.replace('/', "\\/");
            for form in [password.clone(), lower_codes(&all), all, path, plus, json, slashed, escaped, html(&password)] {
                let text = redact(&format!("{before}<{form}>"), &password);
                prop_assert!(text.contains('…') && !text.contains(&form), "{form}: {text}");
            }
        }

        #[test]
        fn other_text_stays(text in "[a-z %&+\\\\]{0,40}") {
            prop_assert_eq!(redact(&text, "SESAME"), text);
        }
    }
}
