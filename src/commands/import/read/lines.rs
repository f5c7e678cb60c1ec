//! Distinguishes rows of servers from empty lines, comments and totals.

use super::cell;
use super::columns::{COLUMNS, Order, Row, USUAL, error};
use super::table::Line;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_port::RowError;
use std::collections::HashSet;

/// Whether a line has a non-empty cell and is not a comment.
pub(super) fn has_values(line: &Line) -> bool {
    let ruled = |cell: &str| cell::is_blank(cell) || cell.chars().all(|c| matches!(c, '=' | '-' | ':' | '+'));
    let filled = |cell: &String| !ruled(cell::value(cell));
    let first = line.cells.first().map(|cell| cell::value(cell)).unwrap_or_default();
    // A comment has no other cells, or has a space after its sign. The error of a formula, or a column too narrow for its
    // value, begins with the same sign.
    let alone = first.starts_with('#') && !line.cells.iter().skip(1).any(filled);
    let spaced = first.strip_prefix("# ").is_some_and(|rest| rest.starts_with(char::is_alphabetic)) && !has_mac(line);
    !alone && !spaced && line.cells.iter().any(filled)
}

/// Whether a line summarises those above it, such as `Total;27` or `27 servers`.
pub(super) fn is_summary(line: &Line) -> bool {
    const WORDS: [&str; 18] = [
        "total",
        "totals",
        "grand total",
        "subtotal",
        "sum",
        "count",
        "summe",
        "gesamt",
        "gesamtsumme",
        "anzahl",
        "zwischensumme",
        "suma",
        "razem",
        "ogółem",
        "total général",
        "somme",
        "totale",
        "totaal",
    ];
    const THINGS: [&str; 12] =
        ["server", "servers", "row", "rows", "device", "devices", "host", "hosts", "entries", "records", "zeilen", "geräte"];
    let mut filled = line.cells.iter().map(|cell| cell::value(cell)).filter(|cell| !cell.is_empty());
    let first = filled.next().unwrap_or_default().to_lowercase();
    let first = first.trim_end_matches([':', '=', ' ']);
    let number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | ' '));
    let counts = |text: &str| text.split_once(' ').is_some_and(|(count, thing)| number(count) && THINGS.contains(&thing));
    let named = first.split_once(':').map_or(first, |(word, _)| word);
    let rest = first.split_once(':').map_or("", |(_, rest)| rest.trim());
    (WORDS.contains(&named) && (rest.is_empty() || number(rest) || counts(rest)) || counts(first))
        && filled.all(|cell| number(cell) || counts(&cell.to_lowercase()))
}

/// The error of a file that is not UTF-8, at its first cell that matters. Titles and remarks do not matter.
pub(super) fn not_utf8(line: &Line, order: Option<&Order>) -> Option<RowError> {
    let order = order?;
    let lost = |column: &usize| {
        order.place(*column).and_then(|place| line.cells.get(place)).is_some_and(|cell| cell.contains('\u{fffd}'))
    };
    let column = (0..COLUMNS.len()).find(lost).and_then(|column| COLUMNS.get(column))?;
    let message = format!(
        "the file is not UTF-8: the first such character is in row {}, column {column}. Save the file again as UTF-8 (in Excel: \"CSV \
         UTF-8\"; in LibreOffice: character set \"Unicode (UTF-8)\")",
        line.number
    );
    Some(error(line.number, column, Rule::NotUtf8, message))
}

pub(super) fn texts(line: &Line) -> Vec<&str> {
    line.cells.iter().map(|cell| cell::value(cell)).collect()
}

pub(super) fn has_mac(line: &Line) -> bool {
    line.cells
        .iter()
        .any(|cell| cell::mac(cell::narrowed(cell::value(cell)).trim_start_matches('#')).parse::<MacAddress>().is_ok())
}

/// A single error for a file in which no row is valid as a row of servers, in place of one error for each row.
pub(super) fn foreign(rows: &[Row], errors: &[RowError], order: Option<&Order>) -> Option<RowError> {
    let strange =
        |error: &&RowError| [Rule::ColumnCount, Rule::MacInvalid, Rule::RowIncomplete].iter().any(|rule| error.broken.is(*rule));
    let first = errors.iter().find(strange)?;
    let lines: HashSet<u64> = errors.iter().map(|error| error.row).collect();
    let all_strange = errors.iter().filter(strange).map(|error| error.row).collect::<HashSet<_>>() == lines;
    if !rows.is_empty() || !all_strange || matches!(order, Some(Order::Named { .. })) {
        return None;
    }
    // The message of a wrong number of columns lists the columns, too.
    let why = if first.broken.is(Rule::ColumnCount) { "the number of columns is wrong" } else { first.broken.message.as_str() };
    let message = format!(
        "no row of the file has a MAC address in the expected column; in row {}: {why}. The file needs a header line with the names of \
         its columns, or columns in this order: {}",
        first.row,
        COLUMNS[..USUAL].join("; ")
    );
    Some(error(0, "", Rule::CsvForeign, message))
}
