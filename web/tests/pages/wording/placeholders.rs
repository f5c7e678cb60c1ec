//! Placeholders for the parts of a text that differ between two runs.

use uuid::Uuid;

/// The same line with placeholders for identifiers, hashes and dates.
pub(super) fn placeholders(line: &str) -> String {
    let (mut text, mut rest) = (String::new(), line);
    while let Some(start) = rest.find(in_word) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|char: char| !in_word(char)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        text.push_str(before);
        text.push_str(placeholder(word).unwrap_or(word));
        rest = after;
    }
    text + rest
}

fn in_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '-' || char == '_'
}

fn placeholder(word: &str) -> Option<&'static str> {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_hexadecimal = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if word.len() == 36 && Uuid::try_parse(word).is_ok() {
        Some("ID")
    } else if word.len() >= 8 && digits > 0 && is_hexadecimal {
        Some("HASH")
    } else if word.len() == 10 && digits == 8 && word.as_bytes()[4] == b'-' && word.as_bytes()[7] == b'-' {
        Some("DATE")
    } else {
        None
    }
}

#[test]
fn identifiers_hashes_and_dates_are_replaced_and_names_are_kept() {
    let line = "01920000-0000-7000-8000-000000000001 on 2026-11-30: h200-web, 10.0.0.20, ab12cd34ef56 of event 47";
    assert_eq!(placeholders(line), "ID on DATE: h200-web, 10.0.0.20, HASH of event 47");
}
