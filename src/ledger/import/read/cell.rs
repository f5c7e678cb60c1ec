//! What a cell means: what people and spreadsheets put into cells is read as it is meant, or refused where that cannot be known.

use std::borrow::Cow;

/// A cell's value without what is only around it: spaces of any kind, an apostrophe or `="…"` that keeps a spreadsheet from
/// taking a text for a number.
pub(super) fn value(cell: &str) -> &str {
    let around =
        |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{202a}'..='\u{202e}');
    let cell = cell.trim_matches(around);
    let cell = cell.strip_prefix("=\"").and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell);
    cell.strip_prefix('\'').unwrap_or(cell).trim_matches(around)
}

/// What people write where there is nothing.
pub(super) fn is_blank(value: &str) -> bool {
    let signs = !value.is_empty() && value.chars().all(|c| matches!(c, '-' | '–' | '—' | '_' | '.' | '?' | '/' | '*'));
    signs
        || ["n/a", "n.a.", "n. a.", "(none)", "(blank)", "(empty)", "(null)", "<none>", "<null>", "<empty>"]
            .contains(&value.to_lowercase().as_str())
}

/// Why a value cannot be what was meant, whatever its column: an error of a formula.
pub(super) fn spoilt(value: &str) -> Option<String> {
    // In English, German, French, Spanish, Portuguese and Italian; the others begin with the same sign and end so too.
    let failed = ["#N/A", "#NV", "#N/D", "#ND"].iter().any(|word| value.eq_ignore_ascii_case(word));
    let narrow = value.len() > 2 && value.bytes().all(|byte| byte == b'#');
    let formula = failed || narrow || value.starts_with('#') && value.len() > 2 && value.ends_with(['!', '?']);
    formula.then(|| format!("{value} is the error of a formula in the spreadsheet; write the value itself"))
}

/// A serial number, or what it is instead.
pub(super) enum Serial<'a> {
    Number(Cow<'a, str>),
    /// No serial number, but what makers leave in its place: why it is passed over.
    PassedOver(String),
    /// A number that a spreadsheet has changed: why it is refused.
    Spoilt(String),
}

/// What makers' firmware has where nobody wrote a serial number; without spaces and punctuation, in lower case.
const FILLERS: [&str; 34] = [
    "tobefilledbyoem",
    "tobefilled",
    "defaultstring",
    "systemserialnumber",
    "chassisserialnumber",
    "baseboardserialnumber",
    "baseboardserial",
    "boardserialnumber",
    "serialnumber",
    "serial",
    "systemserial",
    "oem",
    "oemstring",
    "oemdefault",
    "notspecified",
    "notapplicable",
    "notavailable",
    "notpresent",
    "notset",
    "unspecified",
    "unknown",
    "none",
    "null",
    "nil",
    "empty",
    "invalid",
    "undefined",
    "default",
    "tbd",
    "todo",
    "na",
    "noserial",
    "noserialnumber",
    "filledbyoem",
];

pub(super) fn serial(value: &str) -> Serial<'_> {
    let plain: String = value.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let same = plain.len() > 2 && plain.chars().all(|c| plain.starts_with(c));
    let counted = plain.len() > 6 && ("12345678901234567890".starts_with(&plain) || "01234567890123456789".starts_with(&plain));
    if FILLERS.contains(&plain.as_str())
        || plain.is_empty()
        || same && (plain.starts_with(['0', 'x', 'f']))
        || counted
        || plain == "0"
    {
        return Serial::PassedOver(format!(
            "the serial number {value:?} is no serial number, but what stands where there is none; it is left out"
        ));
    }
    if is_scientific(value) {
        let message = format!(
            "{value} is a number that a spreadsheet has rounded, and the serial number cannot be known from it; format the column as \
             text, and write the serial number again"
        );
        return Serial::Spoilt(message);
    }
    if value.len() > 15 && value.bytes().all(|byte| byte.is_ascii_digit()) && value.bytes().skip(15).all(|byte| byte == b'0') {
        let message = format!(
            "a spreadsheet keeps 15 digits of a number, and those of {value} behind the fifteenth are all zero; format the column as \
             text, and write the serial number again"
        );
        return Serial::Spoilt(message);
    }
    if is_grouped(value) {
        let message = format!("{value} is a number with separators between its digits; format the column as text");
        return Serial::Spoilt(message);
    }
    if is_date(value) {
        let message =
            format!("{value} is a date, which a spreadsheet may have made of the serial number; format the column as text");
        return Serial::Spoilt(message);
    }
    // Programs that keep whole numbers as decimal ones write `70123456.0`.
    let whole = value.strip_suffix(".0").filter(|digits| digits.len() > 3 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    Serial::Number(Cow::Borrowed(whole.unwrap_or(value)))
}

/// `1.23457E+11`, with the decimal mark of any locale.
pub(super) fn is_scientific(value: &str) -> bool {
    let Some((number, exponent)) = value.split_once(['E', 'e']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let signed = exponent.starts_with(['+', '-']);
    match number.split_once(['.', ',', '\u{66b}']) {
        Some((before, after)) => digits(before) && digits(after) && digits(exponent.trim_start_matches(['+', '-'])),
        None => signed && digits(number) && digits(&exponent[1..]),
    }
}

/// `70,123,456`, by the separators of any locale.
fn is_grouped(value: &str) -> bool {
    [',', '.', '\'', '’', ' ', '\u{a0}', '\u{202f}'].into_iter().any(|separator| {
        let mut groups = value.split(separator);
        let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
        let first = groups.next().is_some_and(|group| (1..=3).contains(&group.len()) && digits(group));
        let rest: Vec<&str> = groups.collect();
        first && rest.len() > 1 && rest.iter().all(|group| group.len() == 3 && digits(group))
    })
}

/// `2026-03-01`, `01/03/2026`, `1.3.2026`, with or without a time of day.
fn is_date(value: &str) -> bool {
    let day = value.split([' ', 'T']).next().unwrap_or(value);
    ['-', '/', '.'].into_iter().any(|separator| {
        let parts: Vec<&str> = day.split(separator).collect();
        let number = |part: &&str, least: usize, most: usize| {
            (least..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        };
        match &parts[..] {
            [year, month, day] if year.len() == 4 => {
                number(year, 4, 4)
                    && (year.starts_with("19") || year.starts_with("20"))
                    && number(month, 1, 2)
                    && number(day, 1, 2)
            }
            [day, month, year] => {
                number(day, 1, 2)
                    && number(month, 1, 2)
                    && number(year, 4, 4)
                    && (year.starts_with("19") || year.starts_with("20"))
            }
            _ => false,
        }
    })
}

/// A MAC address in more of the notations that inventories have: in any case, with any separators, and without leading zeros
/// between colons.
pub(super) fn mac(value: &str) -> Cow<'_, str> {
    let parts: Vec<&str> = value.split([':', '-']).map(str::trim).collect();
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if parts.len() == 6 && parts.iter().all(|part| (1..=2).contains(&part.len()) && hexadecimal(part)) {
        return Cow::Owned(parts.iter().map(|part| format!("{part:0>2}")).collect::<Vec<_>>().join(":"));
    }
    let bare: String = value.chars().filter(|c| !matches!(c, ':' | '-' | '.' | ' ' | '\u{a0}')).collect();
    let bare = bare.strip_prefix("0x").or_else(|| bare.strip_prefix("0X")).map(str::to_owned).unwrap_or(bare);
    if bare.len() == 12 && hexadecimal(&bare) { Cow::Owned(bare) } else { Cow::Borrowed(value) }
}

/// An address without the length of its network, as `ip address` shows it.
pub(super) fn address(value: &str) -> &str {
    match value.split_once('/') {
        Some((address, length)) if length.parse::<u8>().is_ok_and(|length| length <= 128) => address,
        _ => value,
    }
}
