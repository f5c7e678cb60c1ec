//! Interprets a cell. Common notations of people and spreadsheets are accepted where the meaning is clear, and refused where it
//! is not.

use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::{invisible, serial_number};
use std::borrow::Cow;
use std::net::Ipv4Addr;

/// A cell's value without its surroundings: spaces of any kind, and an apostrophe or `="…"` that keeps a spreadsheet from
/// converting a text into a number.
pub(super) fn value(cell: &str) -> &str {
    let around =
        |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{202a}'..='\u{202e}');
    let around = |c: char| around(c) || matches!(c, '\u{ad}' | '\u{180e}' | '\u{2066}'..='\u{2069}' | '\u{2800}' | '\u{3164}');
    let cell = cell.trim_matches(around);
    let cell = cell.strip_prefix("=\"").and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell);
    // Some programs quote with other characters than CSV does.
    let pairs = [('\'', '\''), ('“', '”'), ('„', '“'), ('”', '”'), ('‘', '’'), ('«', '»'), ('`', '`')];
    let inner = |(open, close)| cell.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
    let cell = pairs.into_iter().find_map(inner).unwrap_or(cell);
    cell.strip_prefix(['\'', '’']).unwrap_or(cell).trim_matches(around)
}

/// The maximum length of a value in a message.
const SHOWN: usize = 60;

/// A value for a message: control and invisible characters are escaped, and the text is not longer than a line.
pub(super) fn quoted(value: &str) -> String {
    let start: String = value.chars().take(SHOWN).collect();
    let escaped: String = start
        .chars()
        .flat_map(|c| c.is_control().then(|| c.escape_default()).into_iter().flatten().chain((!c.is_control()).then_some(c)))
        .collect();
    let escaped = invisible::shown(&escaped);
    let rest = value.chars().count().saturating_sub(SHOWN);
    if rest > 0 { format!("\"{escaped}…\" ({rest} more characters)") } else { format!("\"{escaped}\"") }
}

/// Converts letters, digits and signs of East Asian keyboards to ASCII: `１０．０．０．１`.
pub(super) fn narrowed(value: &str) -> Cow<'_, str> {
    if !value.contains(|c| matches!(c, '\u{ff01}'..='\u{ff5e}')) {
        return Cow::Borrowed(value);
    }
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        other => other,
    };
    Cow::Owned(value.chars().map(narrow).collect())
}

pub(super) const AS_TEXT: &str = "format the column as text, and write the value again";

/// A hint that a spreadsheet may have created a value from another one, if it looks like that.
pub(super) fn made_of(value: &str) -> Option<String> {
    changed(value).map(|what| format!("{} is {what}; {AS_TEXT}", quoted(value)))
}

/// What a spreadsheet may have turned a value into: a date, a time or a number.
pub(super) fn changed(value: &str) -> Option<&'static str> {
    const TRUTHS: [&str; 20] = [
        "true",
        "false",
        "wahr",
        "falsch",
        "vrai",
        "faux",
        "verdadero",
        "falso",
        "verdadeiro",
        "vero",
        "prawda",
        "fałsz",
        "waar",
        "onwaar",
        "sant",
        "falskt",
        "sann",
        "usann",
        "истина",
        "ложь",
    ];
    let money = ['%', '‰', '€', '$', '£', '¥', '₽', '₹'];
    if TRUTHS.contains(&value.to_lowercase().as_str()) {
        Some("true or false, which a spreadsheet may have converted from another value")
    } else if is_scientific(value) {
        Some("a number that a spreadsheet has rounded")
    } else if is_date(value) || is_month(value) {
        Some("a date, which a spreadsheet may have converted from another value")
    } else if is_time(value) {
        Some("a time of day, which a spreadsheet may have converted from another value")
    } else if is_grouped(value) || has_decimals(value) {
        Some("a number with separators between its digits")
    } else if value.starts_with(money) || value.ends_with(money) {
        Some("a percentage or an amount of money")
    } else {
        None
    }
}

/// Whether a value is a time, such as `12:30`, `12:30:00` or `0:30 PM`.
fn is_time(value: &str) -> bool {
    let upper = value.to_uppercase();
    let clock = upper.trim_end_matches(['A', 'P', 'M', '.', ' ']);
    let parts: Vec<&str> = clock.split(':').collect();
    (2..=3).contains(&parts.len())
        && parts.iter().all(|part| {
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let fraction = part.split_once(['.', ',']).filter(|(_, fraction)| digits(fraction));
            let part = fraction.map_or(*part, |(whole, _)| whole);
            (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// Whether a value is a month as in `Mar-26`, `26. Mrz` or `26-mars-2026`. A spreadsheet never writes a month in capitals only.
fn is_month(value: &str) -> bool {
    const MONTHS: [&str; 44] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mrz", "mär", "mai", "okt", "dez",
        "janv", "févr", "mars", "avr", "juin", "juil", "août", "sept", "déc", "ene", "abr", "ago", "dic", "gen", "mag", "giu",
        "lug", "set", "ott", "sty", "lut", "kwi", "maj", "cze", "lip", "sie", "wrz",
    ];
    let parts: Vec<&str> = value.split(['-', ' ', '.', '/']).filter(|part| !part.is_empty()).collect();
    let number = |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let month = |part: &&str| {
        let lower = part.to_lowercase();
        let long =
            ["january", "february", "march", "april", "june", "july", "august", "september", "october", "november", "december"];
        part.chars().any(char::is_lowercase) && (MONTHS.contains(&lower.as_str()) || long.contains(&lower.as_str()))
    };
    (2..=3).contains(&parts.len())
        && parts.iter().filter(|part| month(part)).count() == 1
        && parts.iter().filter(|part| number(part)).count() == parts.len() - 1
}

/// Whether a value is one that people write for "nothing".
pub(super) fn is_blank(value: &str) -> bool {
    let signs = !value.is_empty() && value.chars().all(|c| matches!(c, '-' | '–' | '—' | '_' | '.' | '?' | '/' | '*'));
    signs
        || [
            "n/a", "n.a.", "k.a.", "k. a.", "n/d", "n/v", "[none]", "[blank]", "[empty]", "[null]", "n. a.", "(none)", "(blank)",
            "(empty)", "(null)", "<none>", "<null>", "<empty>",
        ]
        .contains(&value.to_lowercase().as_str())
}

/// Why a value cannot be the intended one in any column: it is the error of a formula.
pub(super) fn spoilt(value: &str) -> Option<String> {
    // English, German, French, Spanish, Portuguese and Italian. The other errors begin with the same sign and have the same
    // endings.
    let failed = ["#N/A", "#NV", "#N/D", "#ND"].iter().any(|word| value.eq_ignore_ascii_case(word));
    let narrow = value.len() > 2 && value.bytes().all(|byte| byte == b'#');
    let formula = failed || narrow || value.starts_with('#') && value.len() > 2 && value.ends_with(['!', '?']);
    let short = value
        .strip_prefix('#')
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(a, b)| a.chars().count() < 3 && b.chars().count() < 3);
    let office =
        value.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("err:")) || value.eq_ignore_ascii_case("loading...");
    if formula || short || office || value.eq_ignore_ascii_case("#GETTING_DATA") {
        return Some(format!("{} is the error of a formula in the spreadsheet; write the value itself", quoted(value)));
    }
    // Excel and LibreOffice also treat a value as a formula if it begins with `@` or `+` and has parentheses.
    let called = value.starts_with(['@', '+', '-']) && value.ends_with(')') && value.contains('(');
    if value.starts_with('=') || called {
        return Some(format!("{} is a formula; copy the cell and paste it as a value", quoted(value)));
    }
    let strange = |c: char| match c {
        '\u{fffd}' => Some("replaces a character that another program lost"),
        '‐'..='―' | '−' | '﹣' => Some("is a dash that a program may have put in place of '-'"),
        '‘'..='‟' | '«' | '»' => Some("is a quotation mark that is not part of a value"),
        c if c.is_control() => Some("is a line break or control character"),
        c if c.is_numeric() && !c.is_ascii() => Some("is a digit other than 0 to 9"),
        _ => None,
    };
    let (c, why) = value.chars().find_map(|c| strange(c).map(|why| (c, why)))?;
    Some(format!("{}: the character U+{:04X} {why}; enter the value again", quoted(value), u32::from(c)))
}

/// A serial number, or the reason why there is none.
pub(super) enum Serial<'a> {
    Number(Cow<'a, str>),
    /// A text that manufacturers use in place of a serial number, with the reason why it is ignored.
    PassedOver(String),
    /// A number that a spreadsheet has changed, with the reason why it is refused.
    Spoilt(String),
}

pub(super) fn serial(value: &str) -> Serial<'_> {
    if serial_number::is_filler(value) {
        return Serial::PassedOver(format!("the serial number {} is a placeholder; it is ignored", quoted(value)));
    }
    if value.len() > 15 && value.bytes().all(|byte| byte.is_ascii_digit()) && value.bytes().skip(15).all(|byte| byte == b'0') {
        let message = format!(
            "a spreadsheet keeps only 15 digits of a number, and all digits of {value} after the fifteenth are zero; {AS_TEXT}"
        );
        return Serial::Spoilt(message);
    }
    if let Some(what) = changed(value) {
        return Serial::Spoilt(format!(
            "{} is {what}, from which the serial number cannot be recovered; {AS_TEXT}",
            quoted(value)
        ));
    }
    let (latin, other) = value
        .chars()
        .filter(|c| c.is_alphabetic())
        .fold((false, false), |(latin, other), c| (latin || c.is_ascii(), other || matches!(c, '\u{370}'..='\u{52f}')));
    if other && (latin || value.bytes().any(|byte| byte.is_ascii_digit())) {
        return Serial::Spoilt(format!(
            "{} has Greek or Cyrillic letters that look like Latin ones; type it again",
            quoted(value)
        ));
    }
    // Programs that store whole numbers as decimal ones write `70123456.0`.
    let whole = value.strip_suffix(".0").filter(|digits| digits.len() > 3 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    Serial::Number(Cow::Borrowed(whole.unwrap_or(value)))
}

/// Whether a value is in scientific notation, such as `1.23457E+11`, with the decimal mark of any locale.
pub(super) fn is_scientific(value: &str) -> bool {
    let Some((number, exponent)) = value.split_once(['E', 'e']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let signed = exponent.starts_with(['+', '-']);
    match number.split_once(['.', ',', '\u{66b}']) {
        Some((before, after)) => digits(before) && digits(after) && digits(exponent.trim_start_matches(['+', '-'])),
        None => signed && digits(number) && digits(&exponent[1..]),
    }
}

/// Whether a value has grouped digits, such as `70,123,456`, with the separators of any locale.
fn is_grouped(value: &str) -> bool {
    [',', '.', '\'', '’', ' ', '\u{a0}', '\u{202f}'].into_iter().any(|separator| {
        let mut groups = value.split(separator);
        let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
        let first = groups.next().is_some_and(|group| (1..=3).contains(&group.len()) && digits(group));
        let rest: Vec<&str> = groups.collect();
        first && rest.len() > 1 && rest.iter().all(|group| group.len() == 3 && digits(group))
    })
}

/// Whether a value has decimals, such as `1.234,56` or `70123456,0`. No number on a label has a comma.
fn has_decimals(value: &str) -> bool {
    let sign = |byte| matches!(byte, b'.' | b',');
    value.contains(',') && value.bytes().all(|byte| byte.is_ascii_digit() || sign(byte)) && !value.bytes().all(sign)
}

/// Whether a value is a date, such as `2026-03-01`, `01/03/2026` or `1.3.2026`, with or without a time of day.
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
                let long = number(year, 4, 4) && (year.starts_with("19") || year.starts_with("20"));
                number(day, 1, 2) && number(month, 1, 2) && (long || separator != '-' && number(year, 2, 2))
            }
            [day, month] => separator == '/' && number(day, 1, 2) && number(month, 1, 4),
            _ => false,
        }
    })
}

/// Normalises the notations of MAC addresses in inventories: upper or lower case, any separators, and no leading zeros between
/// colons.
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

/// An address without its prefix length, which `ip address` shows.
pub(super) fn address(value: &str) -> &str {
    match value.split_once('/') {
        Some((address, length)) if length.parse::<u8>().is_ok_and(|length| length <= 128) => address,
        _ => value,
    }
}

/// A hint about a MAC address that cannot be parsed.
pub(super) fn mac_hint(value: &str) -> Option<String> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let several =
        value.split([',', ';', '/', ' ', '|', '+', '\n', '\r']).filter(|part| part.parse::<MacAddress>().is_ok()).count();
    if several > 1 {
        return Some(format!("the cell has {several} MAC addresses; give the one of the interface that boots"));
    }
    if digits && (1..12).contains(&value.len()) {
        return Some(format!("{} is a number; a spreadsheet drops leading zeros and rounds; {AS_TEXT}", quoted(value)));
    }
    changed(value).map(|what| format!("{} is {what}; {AS_TEXT}, with colons", quoted(value)))
}

/// A hint about an address that cannot be parsed.
pub(super) fn address_hint(value: &str) -> Option<String> {
    let several = value.split([',', ';', ' ', '|', '\n', '\r']).filter(|part| part.parse::<Ipv4Addr>().is_ok()).count();
    let numbers: Vec<&str> = value.split(['.', ',']).collect();
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if several > 1 {
        return Some(format!("the cell has {several} addresses; give one"));
    }
    if !numbers.iter().all(digits) {
        return made_of(value);
    }
    let padded = numbers.len() == 4 && numbers.iter().any(|part| part.len() > 1 && part.starts_with('0'));
    if padded {
        return Some(format!("{} has leading zeros, which some programs read as octal; write it without", quoted(value)));
    }
    (!value.is_empty() && value.parse::<Ipv4Addr>().is_err()).then(|| {
        format!("{} is not an IPv4 address; a spreadsheet may have converted it to a number or a date; {AS_TEXT}", quoted(value))
    })
}
