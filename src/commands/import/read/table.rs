//! Splits bytes into rows of cells, as Excel, LibreOffice and Google Sheets write them on any system and in any locale.

use super::cell::quoted;
use std::borrow::Cow;

/// The separators that spreadsheets use: `;` where the comma is the decimal mark, and tabs for "Unicode text".
const SEPARATORS: [u8; 4] = *b";,\t|";

/// How many bytes are examined to find the separator.
const LOOKED_AT: usize = 64 * 1024;

/// The maximum number of columns in a row: as many as a sheet of Excel has.
const MOST_CELLS: usize = 16_384;

/// A row with the number that a spreadsheet shows. A cell with line breaks is in one row.
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) cells: Vec<String>,
}

/// Why the rest of a file cannot be parsed, and the row where that begins.
pub(super) struct Unreadable {
    pub(super) row: u64,
    pub(super) why: String,
}

/// The rows of a file. The last item may be the reason why the rest cannot be parsed.
pub(super) struct Table<'a> {
    text: Cow<'a, str>,
    separator: u8,
    /// Whether some bytes were not UTF-8; they are replaced with U+FFFD.
    pub(super) lossy: bool,
}

impl<'a> Table<'a> {
    /// Determines the kind of file.
    ///
    /// # Errors
    /// Returns an error if the file is of a different kind: what it is, and what to do.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let whole = |why| Unreadable { row: 0, why };
        if let Some(what) = of_other_kind(bytes) {
            return Err(whole(format!("the file is {what}, not CSV; {SAVE_AS}")));
        }
        let (mut text, lossy) = decoded(bytes).map_err(whole)?;
        if let Some(what) = of_other_kind(text.as_bytes()) {
            return Err(whole(format!("the file is {what}, not CSV; {SAVE_AS}")));
        }
        if let Some(at) = text.find('\0') {
            let row = line_ends(text.get(..at).unwrap_or_default().as_bytes()) + 1;
            return Err(Unreadable {
                row,
                why: format!("the file contains bytes that are not text, the first in row {row}; {SAVE_AS}"),
            });
        }
        let mut separator = None;
        // Excel takes a first line such as `sep=;` as the separator, and does not show it as a row.
        let end = text.find(['\n', '\r']).unwrap_or(text.len());
        let first = text.get(..end).unwrap_or_default();
        let first = first.strip_prefix('"').and_then(|first| first.strip_suffix('"')).unwrap_or(first).as_bytes();
        if first.len() == 5 && first.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"sep=")) {
            separator = first.last().copied().filter(|byte| byte.is_ascii() && !b"\"\n\r".contains(byte));
            let rest = text.get(end..).unwrap_or_default();
            let rest = rest.strip_prefix("\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
            text = Cow::Owned(rest.to_owned());
        }
        let separator = separator.unwrap_or_else(|| separator_of(text.as_bytes()));
        Ok(Self { text, separator, lossy })
    }

    /// The rows of the table, in order.
    pub(super) fn rows(&self) -> Rows<'_> {
        Rows { text: &self.text, separator: self.separator, at: 0, number: 0, failed: false }
    }
}

const SAVE_AS: &str = "save the sheet as CSV (in Excel: \"CSV UTF-8\"), and import that";

/// Finds the rows one by one, with any kind of line break, and errors in their quotes. The CSV parser (RFC 4180) would not
/// report those: it takes the rest of a file for one cell.
pub(super) struct Rows<'a> {
    text: &'a str,
    separator: u8,
    at: usize,
    /// The number of the last row that was read.
    number: u64,
    failed: bool,
}

impl Rows<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn between(&self, from: usize) -> &str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn pass_rest_of_cell(&mut self) {
        while self.byte().is_some_and(|byte| byte != self.separator && !matches!(byte, b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Moves to the end of a cell.
    fn pass_cell(&mut self) -> Result<(), String> {
        if self.byte() != Some(b'"') {
            self.pass_rest_of_cell();
            return Ok(());
        }
        loop {
            self.at += 1;
            while self.byte().is_some_and(|byte| byte != b'"') {
                self.at += 1;
            }
            if self.byte().is_none() {
                return Err(format!("the quote that opens here is never closed; {CLOSE}"));
            }
            self.at += 1;
            if self.byte() != Some(b'"') {
                break;
            }
        }
        let behind = self.at;
        self.pass_rest_of_cell();
        let behind = self.between(behind);
        // `"52:54:00:00:00:01" ;` has only spaces there. Anything else means that a quote closes in the wrong place.
        if behind.trim().is_empty() {
            Ok(())
        } else {
            Err(format!("{} follows the quote that closes a cell; {CLOSE}", quoted(behind)))
        }
    }

    /// Moves to the end of a row, and returns its cells.
    fn row(&mut self) -> Result<Vec<String>, String> {
        let from = self.at;
        self.pass_cell()?;
        while self.byte() == Some(self.separator) {
            self.at += 1;
            self.pass_cell()?;
        }
        let row = self.between(from).as_bytes();
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.delimiter(self.separator).has_headers(false).flexible(true).buffer_capacity(row.len().max(1));
        let mut cells = csv::StringRecord::new();
        reader.from_reader(row).read_record(&mut cells).map_err(|error| format!("the row cannot be read: {error}"))?;
        if cells.len() > MOST_CELLS {
            return Err(format!("the row has more than {MOST_CELLS} columns; {SAVE_AS}"));
        }
        Ok(cells.iter().map(str::to_owned).collect())
    }
}

const CLOSE: &str = "close each quoted cell, and double each quote inside it";

impl Iterator for Rows<'_> {
    type Item = Result<Line, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.at >= self.text.len() {
            return None;
        }
        self.number += 1;
        let cells = match self.row() {
            Ok(cells) => cells,
            Err(why) => {
                self.failed = true;
                return Some(Err(Unreadable { row: self.number, why }));
            }
        };
        if self.byte() == Some(b'\r') && self.text.as_bytes().get(self.at + 1) == Some(&b'\n') {
            self.at += 1;
        }
        self.at += 1;
        Some(Ok(Line { number: self.number, cells }))
    }
}

/// The number of line breaks in the bytes; `\r ` is one.
fn line_ends(bytes: &[u8]) -> u64 {
    let mut count = 0;
    let mut before = 0;
    for byte in bytes {
        count += u64::from(*byte == b'\r' || (*byte == b'\n' && before != b'\r'));
        before = *byte;
    }
    count
}

/// The separator that occurs most often outside quotes in the first lines.
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
    let by_count = SEPARATORS.into_iter().zip(counts).find(|(_, count)| *count == most).map_or(b';', |(separator, _)| separator);
    // Titles and values may contain another character more often than the rows contain separators, so a heading line takes
    // precedence.
    let headings = |separator: u8| {
        let Ok(text) = std::str::from_utf8(text) else { return 0 };
        let rows = Rows { text, separator, at: 0, number: 0, failed: false };
        rows.take(30).map_while(Result::ok).map(|line| super::header::known(&line.cells)).max().unwrap_or_default()
    };
    let best = SEPARATORS.into_iter().max_by_key(|separator| (headings(*separator), *separator == by_count));
    best.unwrap_or(by_count)
}

/// The kind of a file that is not delimited text, by its first bytes.
fn of_other_kind(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 22] = [
        (b"PK\x03\x04", "a workbook of Excel, LibreOffice or Numbers (or another ZIP file)"),
        (b"PK\x05\x06", "an empty ZIP file"),
        (b"\xd0\xcf\x11\xe0", "an Excel workbook in the old format (.xls)"),
        (b"%PDF", "a PDF"),
        (b"\x1f\x8b", "compressed (gzip)"),
        (b"BZh", "compressed (bzip2)"),
        (b"\xfd7zXZ", "compressed (xz)"),
        (b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
        (b"7z\xbc\xaf", "compressed (7-Zip)"),
        (b"Rar!", "compressed (RAR)"),
        (b"SQLite format 3", "a database (SQLite)"),
        (b"PAR1", "a Parquet file"),
        (b"\x89PNG", "a picture"),
        (b"\xff\xd8\xff", "a picture"),
        (b"GIF8", "a picture"),
        (b"ID;P", "a SYLK spreadsheet"),
        (b"{\\rtf", "a text document (RTF)"),
        (b"{", "JSON"),
        (b"---\n", "YAML"),
        (b"---\r\n", "YAML"),
        (b"\x7fELF", "a program"),
        (b"\xff\xfe\x00\x00", "in UTF-32"),
    ];
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let follows = |sign: &[u8], next: fn(u8) -> bool| {
        let rest = start.strip_prefix(sign)?.trim_ascii_start();
        rest.first().is_none_or(|byte| next(*byte)).then_some(())
    };
    // A title may begin with such a character, as in `[Servers]`.
    let json = follows(b"[", |byte| b"{[\"]".contains(&byte)).map(|()| "JSON");
    let markup = follows(b"<", |byte| byte.is_ascii_alphabetic() || b"!?/".contains(&byte)).map(|()| "HTML or XML");
    let known = KINDS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, what)| *what);
    known.or(json).or(markup)
}

/// The text, and whether some bytes are not UTF-8. Those are replaced, and are an error only where they matter.
fn decoded(bytes: &[u8]) -> Result<(Cow<'_, str>, bool), String> {
    let mut bytes = bytes;
    // A file that was joined from several may have more than one byte order mark.
    while let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        bytes = rest;
    }
    let wide = |rest: &[u8], read: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(read);
        let text: Result<String, _> = char::decode_utf16(units).collect();
        match text {
            Ok(text) if rest.len().is_multiple_of(2) => {
                Ok((Cow::Owned(text.trim_start_matches('\u{feff}').trim_end_matches(['\u{1a}', '\0']).to_owned()), false))
            }
            _ => Err(format!("the file is not valid UTF-16; {SAVE_AS}")),
        }
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => return wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return wide(rest, u16::from_be_bytes),
        _ => {}
    }
    // Without a byte order mark: in UTF-16, every second byte of ASCII text is zero.
    let start = bytes.get(..bytes.len().min(1_024)).unwrap_or_default();
    let zeros = |first: usize| start.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if start.len() > 3 && even == 0 && odd * 4 > start.len() {
        return wide(bytes, u16::from_le_bytes);
    }
    if start.len() > 3 && odd == 0 && even * 4 > start.len() {
        return wide(bytes, u16::from_be_bytes);
    }
    // Programs of DOS and CP/M end a file with Ctrl-Z and pad it.
    while let [rest @ .., 0x1a | 0] = bytes {
        bytes = rest;
    }
    let text = String::from_utf8_lossy(bytes);
    let lossy = matches!(text, Cow::Owned(_));
    Ok((text, lossy))
}
