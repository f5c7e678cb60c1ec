//! Reads extra records in master file format (RFC 1035, 5; RFC 2308, 4). It reads no other file: `$INCLUDE` and `$GENERATE` are
//! refused. Every error names its line.

use super::data::Data;
use crate::values::ParseError;
use crate::values::hostname::DomainName;
use std::fmt;

/// The most octets of a zone's extra records.
pub const LONGEST: usize = 128 * 1024;
/// The most extra records of a zone.
pub const MOST: usize = 4_000;
/// The longest TTL (RFC 2181, 8).
pub const LONGEST_TTL: u32 = (1 << 31) - 1;

/// An extra record of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraRecord {
    /// The number of the line that the record begins in, starting at 1.
    pub line: usize,
    /// The owner name of the record.
    pub name: OwnerName,
    /// The TTL in seconds; `None` uses the zone's.
    pub ttl: Option<u32>,
    /// The type and data of the record.
    pub data: Data,
}

/// Why a line is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// The number of the line, starting at 1.
    pub line: usize,
    /// The reason, as text for operators.
    pub message: String,
    /// The message before its holder, the holder, and the message after it, if the message names one.
    pub(crate) around_holder: Option<Box<[String; 3]>>,
}

impl LineError {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into(), around_holder: None }
    }

    /// An error whose message names the holder of a record: `before`, the holder, `after`.
    pub(super) fn naming(line: usize, before: String, holder: &str, after: String) -> Self {
        let message = format!("{before}{holder}{after}");
        Self { line, message, around_holder: Some(Box::new([before, holder.to_owned(), after])) }
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// A fully qualified name in lower case, without the final dot; empty for the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerName(String);

impl OwnerName {
    /// Creates a name from a text that already has this form.
    pub(super) fn of(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root, which means "none" in some records.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the name is `above` or lies below it.
    pub fn is_in(&self, above: &str) -> bool {
        self.0.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Whether this can be the name of a host (RFC 1123, 2.1). DNS servers check it for names of addresses and mail servers.
    pub fn is_host(&self) -> bool {
        let label = |label: &str| {
            let inner = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            inner && !label.starts_with('-') && !label.ends_with('-')
        };
        !self.0.is_empty() && self.0.split('.').all(label)
    }

    /// The name after a first label `*`.
    pub fn wildcard(&self) -> Option<&str> {
        self.0.strip_prefix("*.")
    }
}

impl From<&DomainName> for OwnerName {
    fn from(name: &DomainName) -> Self {
        Self(name.as_str().to_owned())
    }
}

impl fmt::Display for OwnerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OwnerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A word of a line, as written but without its quotes. Escapes are kept until the word is interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    text: String,
    quoted: bool,
}

impl Word {
    /// The word as it was written.
    pub(super) fn shown(&self) -> String {
        self.text.clone()
    }

    /// The fully qualified name; a name without a final dot is relative to `origin`.
    pub(super) fn name(&self, origin: &OwnerName) -> Result<OwnerName, ParseError> {
        let text = self.text.to_ascii_lowercase();
        let wrong = |why: &str| ParseError::new(format!("{text:?} is not a name: {why}"));
        if text == "@" {
            return Ok(origin.clone());
        }
        if text == "." {
            return Ok(OwnerName(String::new()));
        }
        let full = match text.strip_suffix('.') {
            Some(full) => full.to_owned(),
            None if origin.is_root() => text.clone(),
            None => format!("{text}.{origin}"),
        };
        if full.len() > 253 {
            return Err(wrong("with its origin it has more than 253 characters"));
        }
        for (index, label) in full.split('.').enumerate() {
            if label.is_empty() || label.len() > 63 {
                return Err(wrong("each part between dots has 1 to 63 characters"));
            }
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '/');
            if !(label.chars().all(allowed) || index == 0 && label == "*") {
                return Err(wrong("only letters, digits, '-', '_' and '/' are supported, and '*' as the whole first part"));
            }
        }
        Ok(OwnerName(full))
    }

    /// The octets that the text represents.
    pub(super) fn octets(&self) -> Result<Vec<u8>, ParseError> {
        let mut octets = vec![];
        let mut characters = self.text.chars();
        while let Some(c) = characters.next() {
            if c != '\\' {
                octets.extend(c.encode_utf8(&mut [0; 4]).bytes());
                continue;
            }
            let wrong =
                || ParseError::new(format!("{:?} has a \\ that is not before a character or the three digits of one", self.text));
            let next = characters.next().ok_or_else(wrong)?;
            if !next.is_ascii_digit() {
                octets.extend(next.encode_utf8(&mut [0; 4]).bytes());
                continue;
            }
            let digits: String = std::iter::once(next).chain(characters.by_ref().take(2)).collect();
            let octet = Some(digits).filter(|digits| digits.len() == 3 && digits.chars().all(|c| c.is_ascii_digit()));
            octets.push(octet.and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?);
        }
        Ok(octets)
    }

    fn is(&self, word: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(word)
    }
}

/// A line, including the continuation lines within its parentheses.
struct Line {
    number: usize,
    /// Whether the line begins with a blank and therefore has the name of the line before it.
    indented: bool,
    words: Vec<Word>,
}

/// The records of a text, with names relative to `zone`.
///
/// # Errors
/// Each line that cannot be read, with its number and the reason.
pub fn read(text: &str, zone: &DomainName) -> Result<Vec<ExtraRecord>, Vec<LineError>> {
    let (records, errors) = read_each(text, zone);
    if errors.is_empty() { Ok(records) } else { Err(errors) }
}

/// The same, but returns the records of the lines without errors together with the errors.
pub(super) fn read_each(text: &str, zone: &DomainName) -> (Vec<ExtraRecord>, Vec<LineError>) {
    if text.len() > LONGEST {
        let message = format!("the extra records have {} octets, more than the maximum of {LONGEST}", text.len());
        return (vec![], vec![LineError::new(1, message)]);
    }
    let mut reader = Reader { zone, origin: zone.into(), ttl: None, name: None, records: vec![], errors: vec![] };
    match lines(text) {
        Ok(lines) => lines.into_iter().for_each(|line| reader.line(&line)),
        Err(error) => reader.errors.push(error),
    }
    if reader.records.len() > MOST {
        let message = format!("there are {} records, more than the maximum of {MOST}", reader.records.len());
        return (vec![], vec![LineError::new(1, message)]);
    }
    (reader.records, reader.errors)
}

struct Reader<'a> {
    zone: &'a DomainName,
    origin: OwnerName,
    ttl: Option<u32>,
    name: Option<OwnerName>,
    records: Vec<ExtraRecord>,
    errors: Vec<LineError>,
}

impl Reader<'_> {
    fn line(&mut self, line: &Line) {
        if let Err(error) = self.entry(line) {
            self.errors.push(LineError::new(line.number, error.0));
        }
    }

    fn entry(&mut self, line: &Line) -> Result<(), ParseError> {
        let Some(first) = line.words.first() else { return Ok(()) };
        if !first.quoted && first.text.starts_with('$') {
            return self.directive(first, &line.words[1..]);
        }
        let mut words = line.words.as_slice();
        if !line.indented {
            // Lines below that begin with a blank belong to this line, even if its name is wrong.
            self.name = None;
            let name = first.name(&self.origin)?;
            if !name.is_in(self.zone.as_str()) {
                return Err(ParseError::new(format!(
                    "{name} is not in the zone {}; write a name inside it, and end only a full name with a dot",
                    self.zone
                )));
            }
            self.name = Some(name);
            words = &words[1..];
        }
        let name =
            self.name.clone().ok_or_else(|| ParseError::new("the line begins with a space, and no line before it has a name"))?;
        let mut ttl = None;
        let mut class = false;
        while let Some(word) = words.first() {
            if word.is("IN") && !class {
                class = true;
            } else if ["CH", "CS", "HS"].iter().any(|other| word.is(other)) {
                return Err(ParseError::new(format!("only records of the class IN are supported, not {}", word.text)));
            } else if let (Some(seconds), None) = (duration(&word.text), ttl) {
                ttl = Some(seconds?);
            } else {
                break;
            }
            words = &words[1..];
        }
        let kind = words.first().ok_or_else(|| ParseError::new(format!("the record of {name} has no type")))?;
        let data = Data::read(&kind.text.to_ascii_uppercase(), &words[1..], &self.origin)?;
        self.records.push(ExtraRecord { line: line.number, name, ttl: ttl.or(self.ttl), data });
        Ok(())
    }

    fn directive(&mut self, first: &Word, rest: &[Word]) -> Result<(), ParseError> {
        let value = match rest {
            [value] => Ok(value),
            _ => Err(ParseError::new(format!("{} has one value", first.text))),
        };
        if first.is("$ORIGIN") {
            self.origin = value?.name(&self.origin)?;
        } else if first.is("$TTL") {
            let value = value?;
            let wrong = || ParseError::new(format!("{:?} is not a time such as 3600 or 1h", value.text));
            self.ttl = Some(duration(&value.text).ok_or_else(wrong)??);
        } else if first.is("$INCLUDE") || first.is("$GENERATE") {
            return Err(ParseError::new(format!("{} is not supported; write the records themselves", first.text)));
        } else {
            return Err(ParseError::new(format!("{:?} is unknown; only $ORIGIN and $TTL are supported", first.text)));
        }
        Ok(())
    }
}

/// Reads seconds, as a number or in BIND's notation: `1h30m`. `None` if the text is not a time.
fn duration(text: &str) -> Option<Result<u32, ParseError>> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (mut total, mut number) = (0_u64, None::<u64>);
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or_default().saturating_mul(10).saturating_add(u64::from(digit)));
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.saturating_add(number.take()?.saturating_mul(unit));
    }
    let total = total.saturating_add(number.unwrap_or_default());
    let longest = || ParseError::new(format!("the time {text} is longer than {LONGEST_TTL} seconds (RFC 2181, 8)"));
    Some(u32::try_from(total).ok().filter(|total| *total <= LONGEST_TTL).ok_or_else(longest))
}

/// Splits a text into lines with their words. Blank lines and comments have no words.
fn lines(text: &str) -> Result<Vec<Line>, LineError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut lines, mut open) = (vec![], None::<Line>);
    let mut opened = 0;
    for (index, text) in text.split('\n').enumerate() {
        let (number, text) = (index + 1, text.strip_suffix('\r').unwrap_or(text));
        let mut line = open.take().unwrap_or_else(|| Line { number, indented: text.starts_with([' ', '\t']), words: vec![] });
        let inside = split(text, number, opened > 0, &mut line.words)?;
        if inside {
            opened = if opened == 0 { number } else { opened };
            open = Some(line);
        } else {
            opened = 0;
            lines.push(line);
        }
    }
    match open {
        Some(_) => Err(LineError::new(opened, "the parenthesis that is opened here is never closed")),
        None => Ok(lines),
    }
}

/// Adds the words of a line. Returns whether a parenthesis is still open at the end of the line.
fn split(text: &str, number: usize, mut inside: bool, words: &mut Vec<Word>) -> Result<bool, LineError> {
    let refuse = |message: String| Err(LineError::new(number, message));
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' => {}
            ';' => break,
            '(' if inside => return refuse("a parenthesis is opened inside another".to_owned()),
            '(' => inside = true,
            ')' if !inside => return refuse("a parenthesis is closed that was not opened".to_owned()),
            ')' => inside = false,
            '"' => {
                let mut word = Word { text: String::new(), quoted: true };
                loop {
                    match characters.next() {
                        None => return refuse("the quotes are not closed on the same line".to_owned()),
                        Some('"') => break,
                        Some(c) if c.is_control() && c != '\t' => {
                            return refuse(format!("{c:?} is not allowed; write it as \\ and three digits"));
                        }
                        Some(c) => {
                            word.text.push(c);
                            // An escape is interpreted later; here it must not end the quoted text.
                            if c == '\\' {
                                word.text.extend(characters.next());
                            }
                        }
                    }
                }
                words.push(word);
            }
            first => {
                let mut word = Word { text: String::new(), quoted: false };
                let mut next = Some(first);
                while let Some(c) = next {
                    if !c.is_ascii_graphic() {
                        let advice =
                            if c.is_alphabetic() { "; a name is written in its ASCII form, which begins with xn--" } else { "" };
                        return refuse(format!("{c:?} is allowed only in quotes{advice}"));
                    }
                    word.text.push(c);
                    if c == '\\' {
                        word.text.extend(characters.next());
                    }
                    next = characters.next_if(|c| !matches!(c, ' ' | '\t' | ';' | '(' | ')' | '"'));
                }
                words.push(word);
            }
        }
    }
    Ok(inside)
}
