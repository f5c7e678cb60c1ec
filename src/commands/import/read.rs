//! Parses the CSV text and reports every error of every cell, with row and column.

mod across;
mod cell;
mod columns;
mod header;
mod lines;
mod row;
mod table;
#[cfg(test)]
mod tests;

use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_port::RowError;
use columns::Order;
pub(crate) use columns::{Row, error};
use header::Header;
use lines::{foreign, has_mac, has_values, is_summary, not_utf8, texts};
use std::collections::HashSet;
use table::{Line, Table};

/// The maximum number of rows in a file. An import is one transaction and is held in memory, about 10 kB per row.
const MOST: usize = 100_000;

/// What a name may have been before a spreadsheet changed it, as the end of a message about that name.
pub(super) fn made_of(name: &str) -> Option<String> {
    cell::changed(name).map(|what| format!(". It is {what}; {}", cell::AS_TEXT))
}

/// The note that a placeholder was ignored.
pub(super) fn passed_over(column: &str, value: &str) -> String {
    row::passed_over(column, value)
}

/// The content of a file.
pub(super) struct Content {
    /// The rows without errors; empty if the file as a whole cannot be parsed.
    pub(super) rows: Vec<Row>,
    /// All errors, by row.
    pub(super) errors: Vec<RowError>,
}

impl Content {
    /// Makes this rack the rack of the rows that name none. Rows that name another one are errors.
    pub(super) fn put_into(&mut self, rack: &Name) {
        for row in &mut self.rows {
            match &row.rack {
                Some(other) if other != rack => {
                    let message = format!(
                        "the row names rack {other}, and the file is for rack {rack}; leave the cell empty, or add the row at that rack"
                    );
                    self.errors.push(error(row.line, "rack", Rule::RackOther, message));
                }
                Some(_) => {}
                None => row.rack = Some(rack.clone()),
            }
        }
        self.errors.sort_by_key(|error| error.row);
    }
}

/// How many lines may precede the header line: a title, an author, a date.
const TITLE: usize = 10;

/// The maximum number of errors that are listed: more do not help, and use memory.
const MOST_ERRORS: usize = 9_999;

/// Parses a file to its end, regardless of errors.
pub(super) fn content(csv: &[u8]) -> Content {
    let whole_file = |rule: Rule, message: String| Content { rows: vec![], errors: vec![error(0, "", rule, message)] };
    let table = match Table::of(csv) {
        Ok(table) => table,
        Err(table::Unreadable { why, .. }) => return whole_file(Rule::CsvUnreadable, why),
    };
    let mut errors = vec![];
    let mut rows = vec![];
    let mut whole = true;
    let mut header: Option<Order> = None;
    // The errors of a line that may be a header, or a heading over several columns above one.
    let mut unsure: Option<Vec<RowError>> = None;
    // Lines whose meaning is not known yet, because a header may follow.
    let mut before: Vec<Line> = vec![];
    let mut read = 0;
    for line in table.rows() {
        let line = match line {
            Ok(line) => line,
            Err(table::Unreadable { row, why }) => {
                errors.push(error(row, "", Rule::CsvUnreadable, why));
                whole = false;
                break;
            }
        };
        if !has_values(&line) {
            continue;
        }
        read += 1;
        if read > MOST {
            let message = format!("a file may have {MOST} rows; split it, and import its parts one after the other");
            errors.push(error(line.number, "", Rule::CsvTooLong, message));
            whole = false;
            break;
        }
        if errors.len() >= MOST_ERRORS {
            let message = format!("the file has more than {MOST_ERRORS} errors; the rest was not read. Fix these first");
            errors.push(error(line.number, "", Rule::CsvErrors, message));
            whole = false;
            break;
        }
        if table.lossy
            && header.is_some()
            && let Some(error) = not_utf8(&line, header.as_ref())
        {
            return Content { rows: vec![], errors: vec![error] };
        }
        if header.is_some() && is_summary(&line) {
            continue;
        }
        let looked_at = if header.is_none() || !has_mac(&line) { header::read(line.number, &texts(&line)) } else { Header::None };
        match (looked_at, &header) {
            (Header::Columns(places, counting), _) => {
                // A sheet that was copied below another one repeats the headings.
                header = Some(Order::Named { places, counting });
                if rows.is_empty() && errors.is_empty() {
                    read = 0;
                }
                before.clear();
                unsure = None;
            }
            (_, Some(order)) => {
                row::read(&line, order, &mut rows, &mut errors);
                if errors.iter().rev().take(2).any(|error| error.broken.is(Rule::ColumnUnnamed)) {
                    whole = false;
                    break;
                }
            }
            (Header::Wrong(_), None) if unsure.is_some() => {}
            (Header::Wrong(errors), None) => unsure = Some(errors),
            // The line is a row of data, so no header follows; or there are too many lines for a title.
            (Header::None, None) if has_mac(&line) || before.len() == TITLE => {
                if let Some(errors) = unsure {
                    return Content { rows: vec![], errors };
                }
                let usual = Order::Usual;
                for line in before.drain(..).chain([line]) {
                    if table.lossy
                        && let Some(error) = not_utf8(&line, Some(&usual))
                    {
                        return Content { rows: vec![], errors: vec![error] };
                    }
                    row::read(&line, &usual, &mut rows, &mut errors);
                }
                header = Some(usual);
            }
            (Header::None, None) => before.push(line),
        }
    }
    if let Some(errors) = unsure {
        return Content { rows: vec![], errors };
    }
    for line in before {
        row::read(&line, &Order::Usual, &mut rows, &mut errors);
    }
    if let Some(error) = foreign(&rows, &errors, header.as_ref()) {
        return Content { rows: vec![], errors: vec![error] };
    }
    errors.extend(across::errors(&rows));
    if rows.is_empty() && errors.is_empty() {
        errors.push(error(0, "", Rule::CsvEmpty, "the file has no rows"));
    }
    errors.sort_by_key(|error| error.row);
    let wrong: HashSet<u64> = errors.iter().map(|error| error.row).collect();
    rows.retain(|row| whole && !wrong.contains(&row.line));
    Content { rows, errors }
}

/// Checks properties that hold for any bytes: there are rows or errors, each refers to a row that the file can have, no row is
/// both valid and an error, and every error has a message. For tests and for the fuzz target.
///
/// # Errors
/// Returns the property that does not hold.
pub(super) fn consistent(csv: &[u8]) -> Result<(), String> {
    let Content { rows, errors } = content(csv);
    // A character of UTF-16 has at least two bytes.
    let most = csv.len() as u64 + 1;
    if rows.is_empty() && errors.is_empty() {
        return Err("there are neither rows nor errors".to_owned());
    }
    if let Some(error) = errors.iter().find(|error| error.row > most || error.broken.message.is_empty()) {
        return Err(format!("an error names row {} and says {:?}", error.row, error.broken.message));
    }
    match rows.iter().find(|row| row.line == 0 || row.line > most || errors.iter().any(|error| error.row == row.line)) {
        Some(row) => Err(format!("row {} is not in the file, or is right and wrong", row.line)),
        None => Ok(()),
    }
}
