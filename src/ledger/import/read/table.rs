//! From bytes to rows of cells: what Excel, LibreOffice and Google Sheets write on any system and in any locale.

use std::borrow::Cow;

/// The separators that spreadsheets use: `;` where the comma is the decimal mark, and tabs for "Unicode text".
const SEPARATORS: [u8; 4] = *b";,\t|";

/// How many bytes are looked at to find the separator.
const LOOKED_AT: usize = 64 * 1024;

/// A row with its number as a spreadsheet shows it: a cell with line breaks is in one row.
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) cells: Vec<Vec<u8>>,
}

/// The rows of a file; the last item is why the rest cannot be read.
pub(super) struct Table<'a> {
    text: Cow<'a, [u8]>,
    separator: u8,
}

impl<'a> Table<'a> {
    /// Reads what kind of file it is.
    ///
    /// # Errors
    /// Where it is none that is read here: what it is, and what to do.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, String> {
        if let Some(what) = of_other_kind(bytes) {
            return Err(format!("the file is {what} and no CSV; {SAVE_AS}"));
        }
        let mut text = decoded(bytes)?;
        let mut separator = None;
        // Excel reads a first line such as `sep=;` as the separator, and does not show it as a row.
        let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(text.len());
        let first = text.get(..end).unwrap_or_default();
        let first = first.strip_prefix(b"\"").and_then(|first| first.strip_suffix(b"\"")).unwrap_or(first);
        if first.len() == 5 && first.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"sep=")) {
            separator = first.last().copied().filter(u8::is_ascii);
            let rest = text.get(end..).unwrap_or_default();
            let rest = rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
            text = Cow::Owned(rest.to_vec());
        }
        let separator = separator.unwrap_or_else(|| separator_of(&text));
        Ok(Self { text, separator })
    }

    /// Its rows in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = Result<Line, csv::Error>> + '_ {
        let reader = csv::ReaderBuilder::new()
            .delimiter(self.separator)
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::None)
            .from_reader(&*self.text);
        Rows { text: &self.text, reader, number: 1, ended: 0 }
    }
}

const SAVE_AS: &str = "save the sheet as CSV (in Excel: \"CSV UTF-8\"), and import that";

struct Rows<'a> {
    text: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    /// The number of the row that was read last, and where its cells ended.
    number: u64,
    ended: usize,
}

impl Iterator for Rows<'_> {
    type Item = Result<Line, csv::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = csv::ByteRecord::new();
        let from = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        match self.reader.read_byte_record(&mut record) {
            Ok(false) => return None,
            Err(error) => return Some(Err(error)),
            Ok(true) => {}
        }
        let to = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        // The reader stands before or behind the end of a line, and passes over lines that are empty.
        let raw = self.text.get(from..to).unwrap_or_default();
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let begun = from + raw.iter().take_while(|byte| is_end(byte)).count();
        self.number += line_ends(self.text.get(self.ended..begun).unwrap_or_default());
        self.ended = to - raw.iter().rev().take_while(|byte| is_end(byte)).count().min(to - begun.min(to));
        Some(Ok(Line { number: self.number, cells: record.iter().map(<[u8]>::to_vec).collect() }))
    }
}

/// How many lines end in it: `\r\n` is one end.
fn line_ends(bytes: &[u8]) -> u64 {
    let mut count = 0;
    let mut before = 0;
    for byte in bytes {
        count += u64::from(*byte == b'\r' || (*byte == b'\n' && before != b'\r'));
        before = *byte;
    }
    count
}

/// The separator that is there most often outside of quotes, in the first lines.
fn separator_of(text: &[u8]) -> u8 {
    let mut counts = [0_usize; SEPARATORS.len()];
    let mut quoted = false;
    for byte in text.iter().take(LOOKED_AT) {
        match byte {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            _ => {
                if let Some(count) = SEPARATORS.iter().position(|one| one == byte).and_then(|place| counts.get_mut(place)) {
                    *count += 1;
                }
            }
        }
    }
    let most = counts.iter().max().copied().unwrap_or_default();
    SEPARATORS.into_iter().zip(counts).find(|(_, count)| *count == most).map_or(b';', |(separator, _)| separator)
}

/// What a file is that is no text with separators, by its first bytes.
fn of_other_kind(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 10] = [
        (b"PK\x03\x04", "a workbook of Excel, LibreOffice or Numbers (or another ZIP file)"),
        (b"\xd0\xcf\x11\xe0", "a workbook of an old Excel (.xls)"),
        (b"%PDF", "a PDF"),
        (b"\x1f\x8b", "compressed (gzip)"),
        (b"{\\rtf", "a text document (RTF)"),
        (b"{", "JSON"),
        (b"[", "JSON"),
        (b"<", "HTML or XML"),
        (b"---\n", "YAML"),
        (b"\x7fELF", "a program"),
    ];
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    KINDS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, what)| *what)
}

/// The text in UTF-8, or in whatever its non-ASCII bytes are in, which then is said of the cells that have some.
fn decoded(bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let mut bytes = bytes;
    // A file that was joined from several may have more than one.
    while let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        bytes = rest;
    }
    let wide = |rest: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(read).collect();
        let text = String::from_utf16(&units).map_err(|_| format!("the file says that it is UTF-16, and is not; {SAVE_AS}"))?;
        Ok(Cow::Owned(text.trim_start_matches('\u{feff}').as_bytes().to_vec()))
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => return wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return wide(rest, u16::from_be_bytes),
        // Without a mark at its beginning, every other byte of ASCII in UTF-16 is zero.
        [_, 0, _, 0, ..] => return wide(bytes, u16::from_le_bytes),
        [0, _, 0, _, ..] => return wide(bytes, u16::from_be_bytes),
        _ => {}
    }
    if bytes.contains(&0) {
        return Err(format!("the file has bytes that no text has; {SAVE_AS}"));
    }
    Ok(Cow::Borrowed(bytes))
}
