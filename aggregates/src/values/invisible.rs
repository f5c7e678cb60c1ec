//! Invisible characters, which make a text look like another: they change the direction of the text after them, have no width,
//! or look like a space.
//!
//! Input from operators is refused if it contains one. Texts that were stored before that rule, and texts from other programs,
//! are shown with these characters written out, like `‹U+202E›`: on pages, in messages and in the output of commands.

use super::ParseError;
use std::borrow::Cow;
use std::fmt::Write;

/// Whether this character is invisible in any context. Line breaks and other control characters have their own rules.
fn is_invisible(c: char) -> bool {
    matches!(c,
        // Soft hyphen, joiners and fillers.
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
        // Text direction (Unicode Standard Annex 9).
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Zero-width characters, line and paragraph separators, and the ranges that are reserved for more of them.
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        // Tags and further variation selectors.
        | '\u{e0000}'..='\u{e0fff}')
}

/// Whether this character selects a variant of the character before it. After a letter or digit it is invisible; after a symbol
/// it is part of an emoji.
fn is_variant(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

fn found(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut before = None;
    text.char_indices().filter(move |(_, c)| {
        let last = before.replace(*c);
        is_invisible(*c) || (is_variant(*c) && last.is_none_or(|last| last.is_alphanumeric() || is_variant(last)))
    })
}

/// Refuses a text with an invisible character.
///
/// # Errors
/// The first invisible character and its position.
pub fn refuse(text: &str) -> Result<(), ParseError> {
    if text.is_ascii() {
        return Ok(());
    }
    match found(text).next() {
        None => Ok(()),
        Some((at, c)) => Err(ParseError::new(format!(
            "it has the invisible character U+{:04X} after {} characters; type the text instead of copying it",
            u32::from(c),
            text[..at].chars().count()
        ))),
    }
}

/// The text with its invisible characters written out.
pub fn shown(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || found(text).next().is_none() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 32);
    let mut rest = 0;
    for (at, c) in found(text) {
        shown.push_str(&text[rest..at]);
        // Writing to a string cannot fail.
        let _ = write!(shown, "‹U+{:04X}›", u32::from(c));
        rest = at + c.len_utf8();
    }
    shown.push_str(&text[rest..]);
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: [char; 22] = [
        '\u{ad}',
        '\u{61c}',
        '\u{115f}',
        '\u{180e}',
        '\u{200b}',
        '\u{200d}',
        '\u{200f}',
        '\u{2028}',
        '\u{202a}',
        '\u{202e}',
        '\u{2060}',
        '\u{2064}',
        '\u{2066}',
        '\u{2069}',
        '\u{2800}',
        '\u{3164}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{e0001}',
        '\u{e007f}',
        '\u{e0100}',
    ];

    #[test]
    fn invisible_characters_are_refused_and_written_out() {
        for c in EACH {
            let text = format!("web{c}01");
            let code = format!("U+{:04X}", u32::from(c));
            let error = refuse(&text).expect_err(&code).to_string();
            assert!(error.contains(&code) && error.contains("after 3 characters"), "{error}");
            assert_eq!(shown(&text), format!("web‹{code}›01"));
        }
    }

    #[test]
    fn visible_characters_stay_unchanged() {
        for text in ["", "Łódź, Gdańsk; 東京 – «x» ½", "rack ❤\u{fe0f} \u{2705}", "ｗｅｂ", "a\tb"] {
            refuse(text).expect(text);
            assert_eq!(shown(text), text);
        }
        refuse("web\u{fe0f}").expect_err("a variant of a letter");
    }
}
