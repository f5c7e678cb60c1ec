//! Rewrites error messages of serde and the standard library for users who do not know either.

use actix_multipart::MultipartError;
use bootledger_aggregates::values::shortened;
use std::fmt::Display;

/// Joins items with commas and a last word: `a, b and c`.
pub(super) fn listed(items: &[&str], and: &str) -> String {
    match items {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

/// A suggestion for the end of a message, such as `; did you mean "position"?`, if a known name is similar enough.
pub(super) fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let name = name.to_ascii_lowercase();
    // `rack_position` is matched with `position`, and `mca` with `mac`.
    let distance = |known: &str| {
        let whole = strsim::osa_distance(&name, known);
        let part = known.len() >= 3 && name.split(['_', '-']).any(|part| part == known);
        if part { 1 } else { whole }
    };
    let nearest = known.map(|known| (distance(known), known)).min();
    match nearest {
        Some((distance, known)) if distance <= 2.min(name.len() / 2) => format!("; did you mean {known:?}?"),
        _ => String::new(),
    }
}

/// The types of numbers, and how messages name their ranges.
const NUMBERS: [(&str, &str); 6] = [
    ("u8", "0 to 255"),
    ("u16", "0 to 65535"),
    ("u32", "0 to 4294967295"),
    ("u64", "0 to 18446744073709551615"),
    ("i32", "-2147483648 to 2147483647"),
    ("i64", "-9223372036854775808 to 9223372036854775807"),
];

/// A library's message about a value in plain words; messages of our own types are not changed.
pub(super) fn plain(message: &str) -> String {
    let known = [
        ("invalid IPv4 address syntax", "it is not an IPv4 address such as 10.0.0.7"),
        ("invalid IP address syntax", "it is not an address, or a network such as 10.0.0.0/24"),
        ("UUID parsing failed", "it is not an id such as 0192f0c0-0000-7000-8000-000000000001"),
        ("data did not match any variant", "the value has none of the allowed forms; /api/docs lists them"),
        ("invalid digit found in string", "it is not a whole number, or is negative"),
        ("cannot parse integer from empty string", "it is empty, but must be a whole number"),
        ("number too large to fit", "the number is too large"),
        ("number too small to fit", "the number is too small"),
        ("provided string was not `true` or `false`", "it is neither true nor false"),
    ];
    if let Some((_, words)) = known.iter().find(|(start, _)| message.starts_with(start)) {
        return (*words).to_owned();
    }
    let Some((found, expected)) = message.split_once(", expected ") else { return message.to_owned() };
    let expected = expected.trim_start_matches("a nonzero ");
    let range = NUMBERS.iter().find(|(name, _)| *name == expected);
    match (range, found.strip_prefix("invalid value: integer ")) {
        (Some((_, range)), Some(number)) => format!("{} is not a whole number from {range}", number.trim_matches('`')),
        _ if found.starts_with("invalid ") => "the value does not have the required form; see /api/docs".to_owned(),
        _ => message.to_owned(),
    }
}

/// The message of a value's type, with the value in it.
pub(crate) fn of_value(error: &impl Display, value: &str) -> String {
    shortened(with_value(&plain(&error.to_string()), Some(value)))
}

/// A sentence about "it", with the value in the place of "it".
pub(super) fn with_value(message: &str, value: Option<&str>) -> String {
    match (message.strip_prefix("it "), value) {
        (Some(rest), Some(value)) if !value.is_empty() => format!("{value:?} {rest}"),
        _ => message.to_owned(),
    }
}

/// Describes what is wrong with a multipart form.
pub(crate) fn of_form(error: &MultipartError) -> String {
    use MultipartError as E;
    let what = match error {
        E::ContentTypeMissing | E::ContentTypeParse | E::ContentTypeIncompatible => {
            "the header Content-Type is not multipart/form-data"
        }
        E::BoundaryMissing => "the header Content-Type has no boundary",
        E::ContentDispositionMissing => "a part has no header Content-Disposition: form-data",
        E::ContentDispositionNameMissing => "a part has no name in its header Content-Disposition",
        E::Nested => "a part contains other parts",
        E::Incomplete => "it ends too early: the last boundary is missing",
        E::Payload(_) => "the connection ended early",
        _ => "the headers of a part are not those of a form",
    };
    format!("the form cannot be read: {what}; send it as RFC 7578 describes it")
}

/// The names between the backquotes of a message.
pub(super) fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}
