//! Small parts of English sentences, for pages, events and the command line.

use std::fmt::Display;

/// A number with its noun: `1 event`, `2 events`, `more than 100 events`.
pub fn counted(number: impl Display, one: &str, many: &str) -> String {
    let number = number.to_string();
    let noun = if number == "1" { one } else { many };
    format!("{number} {noun}")
}

/// The text with a capital first letter.
pub(crate) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// A message as a sentence: with a capital first letter, unless it begins with a name such as `kea-1` or `h200.dc1.example`.
pub(crate) fn as_sentence(message: &str) -> String {
    let first = message.split(' ').next().unwrap_or_default();
    if first.chars().all(|c| c.is_ascii_lowercase()) { capitalised(message) } else { message.to_owned() }
}

/// A message as complete sentences: as [`as_sentence`], with a full stop at the end.
pub(crate) fn complete_sentence(message: &str) -> String {
    let sentence = as_sentence(message);
    let is_complete = sentence.is_empty() || sentence.ends_with(['.', '?', '!']);
    if is_complete { sentence } else { sentence + "." }
}

#[cfg(test)]
mod tests {
    use super::{as_sentence, complete_sentence, counted};

    #[test]
    fn only_one_has_the_singular() {
        let counts = [0, 1, 2].map(|number| counted(number, "entry", "entries"));
        assert_eq!(counts, ["0 entries", "1 entry", "2 entries"]);
        assert_eq!(counted("more than 100", "entry", "entries"), "more than 100 entries");
    }

    #[test]
    fn a_name_at_the_beginning_of_a_sentence_keeps_its_letters() {
        assert_eq!(as_sentence("the device is verified"), "The device is verified");
        assert_eq!(as_sentence("kea-1 has not confirmed it"), "kea-1 has not confirmed it");
        assert_eq!(as_sentence("h200.dc1.example is in use"), "h200.dc1.example is in use");
        assert_eq!(as_sentence(""), "");
    }

    #[test]
    fn a_complete_sentence_has_one_full_stop() {
        assert_eq!(complete_sentence("the device is verified"), "The device is verified.");
        assert_eq!(complete_sentence("This requires the role operator."), "This requires the role operator.");
        assert_eq!(complete_sentence(""), "");
    }
}
