//! Reading the CSV text: every error of every cell, with row and column.

mod cell;
mod header;
#[cfg(test)]
mod spreadsheets;
mod table;

use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::serial_number;
use bootledger_aggregates::values::text::Text;
use bootledger_web::commands::RowError;
use header::Header;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use table::{Line, Table};

/// The columns in the order that a file without a header line has them.
const COLUMNS: [&str; 10] =
    ["mac", "management_ip", "network", "venture", "role", "boot_image", "hostname", "ip", "rack", "serial"];

/// How many of them a row needs at least.
const NEEDED: usize = 6;

/// How many rows a file may have: an import is one transaction, and is held in memory, about 10 kB a row.
const MOST: usize = 100_000;

/// A row as it was written; what may be worked out is optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The row of the file as a spreadsheet shows it, from 1.
    pub(super) line: u64,
    pub(super) mac: MacAddress,
    pub(super) management_ip: Option<Host>,
    pub(super) network: Option<Name>,
    pub(super) venture: Name,
    pub(super) role: Name,
    pub(super) boot_image: Option<Name>,
    pub(super) hostname: Option<Hostname>,
    pub(super) ip: Option<Ipv4Addr>,
    pub(super) rack: Option<Name>,
    pub(super) serial: Option<Text>,
    /// What was passed over, and why.
    pub(super) notes: Vec<String>,
}

/// An error about a cell.
pub(super) fn error(row: u64, column: &str, rule: &str, message: impl Into<String>) -> RowError {
    RowError { row, column: column.to_owned(), broken: BrokenRule::new(column, rule, message) }
}

/// What a file holds.
pub(super) struct Content {
    /// The rows in which nothing is wrong; none where the file as a whole cannot be read.
    pub(super) rows: Vec<Row>,
    /// All errors, by row.
    pub(super) errors: Vec<RowError>,
}

/// How many lines may stand before a header line: a title, an author, a date.
const TITLE: usize = 10;

/// How many errors are listed: more are no help, and fill memory.
const MOST_ERRORS: usize = 9_999;

/// Reads a file to its end, whatever is wrong with it.
pub(super) fn content(csv: &[u8]) -> Content {
    let whole_file = |rule: &str, message: String| Content { rows: vec![], errors: vec![error(0, "", rule, message)] };
    let table = match Table::of(csv) {
        Ok(table) => table,
        Err(table::Unreadable { why, .. }) => return whole_file("csv_unreadable", why),
    };
    let mut errors = vec![];
    let mut rows = vec![];
    let mut whole = true;
    let mut header: Option<Order> = None;
    // The errors of a line that may be a header, or a heading over several columns above it.
    let mut unsure: Option<Vec<RowError>> = None;
    // Lines whose meaning is not known yet: a header may follow.
    let mut before: Vec<Line> = vec![];
    let mut read = 0;
    for line in table.rows() {
        let line = match line {
            Ok(line) => line,
            Err(table::Unreadable { row, why }) => {
                errors.push(error(row, "", "csv_unreadable", why));
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
            errors.push(error(line.number, "", "csv_too_long", message));
            whole = false;
            break;
        }
        if errors.len() >= MOST_ERRORS {
            let message = format!("the file has more than {MOST_ERRORS} errors, and was read no further; fix those first");
            errors.push(error(line.number, "", "csv_errors", message));
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
            (Header::Found(places, counting), _) => {
                // A sheet that was copied below another has its headings again.
                header = Some(Order::Named { places, counting });
                if rows.is_empty() && errors.is_empty() {
                    read = 0;
                }
                before.clear();
                unsure = None;
            }
            (_, Some(order)) => {
                read_line(&line, order, &mut rows, &mut errors);
                if errors.iter().rev().take(2).any(|error| error.broken.rule == "column_unnamed") {
                    whole = false;
                    break;
                }
            }
            (Header::Wrong(_), None) if unsure.is_some() => {}
            (Header::Wrong(errors), None) => unsure = Some(errors),
            // A row of its own, so that no header follows; or one too many for a title.
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
                    read_line(&line, &usual, &mut rows, &mut errors);
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
        read_line(&line, &Order::Usual, &mut rows, &mut errors);
    }
    if let Some(error) = foreign(&rows, &errors, header.as_ref()) {
        return Content { rows: vec![], errors: vec![error] };
    }
    repeated(&rows, |row| Some(row.mac), "mac", &mut errors);
    repeated(&rows, |row| row.ip, "ip", &mut errors);
    // A server that is there twice has its controller twice: that is one mistake.
    let mut servers = HashSet::new();
    let twice: HashSet<u64> = rows.iter().filter(|row| !servers.insert(row.mac)).map(|row| row.line).collect();
    let controller = |row: &Row| row.management_ip.clone().filter(|_| !twice.contains(&row.line));
    repeated(&rows, controller, "management_ip", &mut errors);
    repeated(&rows, |row| row.hostname.clone(), "hostname", &mut errors);
    repeated(&rows, |row| row.serial.clone().map(Label), "serial", &mut errors);
    managed(&rows, &mut errors);
    if rows.is_empty() && errors.is_empty() {
        errors.push(error(0, "", "csv_empty", "the file has no rows"));
    }
    errors.sort_by_key(|error| error.row);
    let wrong: HashSet<u64> = errors.iter().map(|error| error.row).collect();
    rows.retain(|row| whole && !wrong.contains(&row.line));
    Content { rows, errors }
}

/// Where the columns are.
enum Order {
    /// As the documentation lists them.
    Usual,
    Named {
        /// For each of `COLUMNS`, its place in the file.
        places: Vec<Option<usize>>,
        /// The places of what only counts the rows.
        counting: Vec<usize>,
    },
}

impl Order {
    fn place(&self, column: usize) -> Option<usize> {
        match self {
            Self::Usual => Some(column),
            Self::Named { places, .. } => places.get(column).copied().flatten(),
        }
    }
}

/// Whether a line has more than empty cells, and is no comment.
fn has_values(line: &Line) -> bool {
    let ruled = |cell: &str| cell::is_blank(cell) || cell.chars().all(|c| matches!(c, '=' | '-' | ':' | '+'));
    let filled = |cell: &String| !ruled(cell::value(cell));
    let first = line.cells.first().map(|cell| cell::value(cell)).unwrap_or_default();
    // A comment has nothing beside it, or a blank behind its sign: the error of a formula, or a column too narrow for its value,
    // begins with the same sign.
    let alone = first.starts_with('#') && !line.cells.iter().skip(1).any(filled);
    let spaced = first.strip_prefix("# ").is_some_and(|rest| rest.starts_with(char::is_alphabetic)) && !has_mac(line);
    !alone && !spaced && line.cells.iter().any(filled)
}

/// Whether a line sums up those above it, as `Total;27` or `27 servers`.
fn is_summary(line: &Line) -> bool {
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

/// The error of a file that is not UTF-8, at its first cell that matters. What stands in titles and remarks does not.
fn not_utf8(line: &Line, order: Option<&Order>) -> Option<RowError> {
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
    Some(error(line.number, column, "not_utf8", message))
}

fn texts(line: &Line) -> Vec<&str> {
    line.cells.iter().map(|cell| cell::value(cell)).collect()
}

fn has_mac(line: &Line) -> bool {
    line.cells
        .iter()
        .any(|cell| cell::mac(&cell::narrowed(cell::value(cell)).trim_start_matches('#')).parse::<MacAddress>().is_ok())
}

/// One error for a file in which no row is one of ours, in place of one for each row.
fn foreign(rows: &[Row], errors: &[RowError], order: Option<&Order>) -> Option<RowError> {
    let strange = |error: &&RowError| ["column_count", "mac_invalid"].contains(&error.broken.rule.as_str());
    let first = errors.iter().find(strange)?;
    let lines: HashSet<u64> = errors.iter().map(|error| error.row).collect();
    let all_strange = errors.iter().filter(strange).map(|error| error.row).collect::<HashSet<_>>() == lines;
    if !rows.is_empty() || !all_strange || matches!(order, Some(Order::Named { .. })) {
        return None;
    }
    let message = format!(
        "no row of the file has a MAC address where one belongs; in row {}: {}. Name the columns in a first row, or put them in this \
         order: {}",
        first.row,
        first.broken.message,
        COLUMNS.join("; ")
    );
    Some(error(0, "", "csv_foreign", message))
}

fn read_line(line: &Line, order: &Order, rows: &mut Vec<Row>, errors: &mut Vec<RowError>) {
    let number = line.number;
    let before = errors.len();
    let filled = |place: usize| line.cells.get(place).is_some_and(|cell| !cell::value(cell).is_empty());
    match order {
        Order::Usual => {
            let has = line.cells.iter().rposition(|cell| !cell::value(cell).is_empty()).map_or(0, |last| last + 1);
            if has > COLUMNS.len() || line.cells.len() < NEEDED {
                let has = has.max(line.cells.len().min(COLUMNS.len()));
                let most = COLUMNS.len();
                let message = format!("expected {NEEDED} to {most} columns, and the row has {has}: {}", COLUMNS.join("; "));
                errors.push(error(number, "", "column_count", message));
                return;
            }
        }
        Order::Named { places, counting } => {
            let known = |place: &usize| places.contains(&Some(*place)) || counting.contains(place);
            if let Some(place) = (0..line.cells.len()).find(|place| filled(*place) && !known(place)) {
                let message = format!(
                    "column {} has values from row {number} on and no heading. Name it or delete it; a cell with the separator in it \
                     must be in quotes",
                    place + 1
                );
                errors.push(error(number, "", "column_unnamed", message));
                return;
            }
        }
    }
    let mut cells: [Cow<'_, str>; COLUMNS.len()] = Default::default();
    for (column, value) in cells.iter_mut().enumerate() {
        let Some(cell) = order.place(column).and_then(|place| line.cells.get(place)) else { continue };
        let name = COLUMNS.get(column).copied().unwrap_or_default();
        let cell = cell::narrowed(cell::value(cell));
        if cell::is_blank(&cell) {
            continue;
        }
        if let Some(why) = cell::spoilt(&cell) {
            errors.push(error(number, name, &format!("{name}_invalid"), why));
        } else if cell.chars().count() > 300 {
            let message = format!("{} is too long: a cell has at most 300 characters", cell::quoted(&cell));
            errors.push(error(number, name, &format!("{name}_invalid"), message));
        } else {
            *value = cell;
        }
    }
    if errors.len() == before {
        read_row(number, &cells.each_ref().map(AsRef::as_ref), rows, errors);
    }
}

fn read_row(line: u64, cells: &[&str; COLUMNS.len()], rows: &mut Vec<Row>, errors: &mut Vec<RowError>) {
    let before = errors.len();
    let [mac, management_ip, network, venture, role, boot_image, hostname, ip, rack, serial] = *cells;
    let mut notes = vec![];
    let serial = match cell::serial(serial) {
        _ if serial.is_empty() => None,
        cell::Serial::Number(number) => optional(line, 9, &number, errors),
        cell::Serial::PassedOver(why) => {
            notes.push(why);
            None
        }
        cell::Serial::Spoilt(why) => {
            errors.push(error(line, "serial", "serial_invalid", why));
            None
        }
    };
    // What people write where an address or a name is not known yet is passed over; it never is one.
    let mut unset = |column: &str, value: &'_ str| {
        let unset = is_unset(value);
        if unset {
            notes.push(format!("the {column} {} is a filler; it is left out", cell::quoted(value)));
        }
        unset
    };
    let management_ip = if unset("management_ip", management_ip) { "" } else { management_ip };
    let hostname = if unset("hostname", hostname) { "" } else { hostname };
    let ip = if unset("ip", ip) { "" } else { ip };
    let mac_read = cell::mac(mac);
    if mac_read.parse::<MacAddress>().is_err()
        && let Some(why) = cell::mac_hint(mac)
    {
        errors.push(error(line, "mac", "mac_invalid", why));
        return;
    }
    let mac = needed(line, 0, &mac_read, errors);
    let management_ip = optional::<Host>(line, 1, hinted(line, 1, management_ip, errors), errors).filter(|host| {
        if host.address().is_none() {
            let message = format!("{host} is a host name; give an address here, or set the name at the device");
            errors.push(error(line, "management_ip", "management_ip_invalid", message));
        }
        host.address().is_some()
    });
    let network = optional(line, 2, network, errors);
    let venture = needed(line, 3, venture, errors);
    let role = needed(line, 4, role, errors);
    let boot_image = optional(line, 5, boot_image, errors);
    let hostname = optional(line, 6, hostname, errors);
    let ip = optional(line, 7, hinted(line, 7, ip, errors), errors);
    let rack = optional(line, 8, rack, errors);
    if let (Some(mac), Some(venture), Some(role), true) = (mac, venture, role, errors.len() == before) {
        rows.push(Row { line, mac, management_ip, network, venture, role, boot_image, hostname, ip, rack, serial, notes });
    }
}

/// An address, or nothing where what is wrong with it was said.
fn hinted<'a>(line: u64, index: usize, cell: &'a str, errors: &mut Vec<RowError>) -> &'a str {
    let address = cell::address(cell);
    let Some(why) = cell::address_hint(address) else { return address };
    let column = COLUMNS[index];
    errors.push(error(line, column, &format!("{column}_invalid"), why));
    ""
}

/// Whether a value stands where an address or a host name is not known.
fn is_unset(value: &str) -> bool {
    // 12.34.56.78 has the digits of a filler, and is an address.
    let is_address = cell::address(value).parse::<IpAddr>().is_ok_and(|ip| !ip.is_unspecified());
    !value.is_empty()
        && !is_address
        && (serial_number::is_filler(value)
            || ["::", "localhost", "localhost.localdomain"].contains(&value.to_lowercase().as_str()))
}

fn optional<T: FromStr<Err: std::fmt::Display>>(line: u64, index: usize, cell: &str, errors: &mut Vec<RowError>) -> Option<T> {
    if cell.is_empty() {
        return None;
    }
    let column = COLUMNS[index];
    let why = |why: T::Err| {
        let why = why.to_string();
        // Most say themselves what they are about.
        let escaped = format!("{cell:?}");
        // Errors that quote the value begin with it, escaped and perhaps shortened.
        let said = why.contains(cell) || why.contains(escaped.trim_matches('"')) || why.starts_with('"');
        let message = if said { why } else { format!("{}: {why}", cell::quoted(cell)) };
        error(line, column, &format!("{column}_invalid"), message)
    };
    cell.parse().map_err(|error| errors.push(why(error))).ok()
}

fn needed<T: FromStr<Err: std::fmt::Display>>(line: u64, index: usize, cell: &str, errors: &mut Vec<RowError>) -> Option<T> {
    let column = COLUMNS[index];
    if cell.is_empty() {
        errors.push(error(line, column, &format!("{column}_missing"), format!("the {column} is missing")));
    }
    optional(line, index, cell, errors)
}

/// What holds of any bytes: there are rows or errors, each names a row that the file can have, none is right and wrong, and every
/// error says something. For tests and for the fuzz target.
///
/// # Errors
/// What does not hold.
pub(super) fn consistent(csv: &[u8]) -> Result<(), String> {
    let Content { rows, errors } = content(csv);
    // Two bytes are a character of UTF-16 at least.
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

/// Tells every row whose address is the management address of a row.
fn managed(rows: &[Row], errors: &mut Vec<RowError>) {
    let managed: HashMap<Ipv4Addr, u64> =
        rows.iter().filter_map(|row| Some((row.management_ip.as_ref()?.ipv4()?, row.line))).collect();
    for row in rows {
        let Some((ip, line)) = row.ip.and_then(|ip| Some((ip, managed.get(&ip)?))) else { continue };
        let message = format!("{ip} is the management address in row {line}");
        let broken = BrokenRule::new("ip", "ip_is_management", message).held_by(format!("row {line}"));
        errors.push(RowError { row: row.line, column: "ip".to_owned(), broken });
    }
}

/// A number on a label: two that differ only in case, width or blanks are the same.
struct Label(Text);

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.0.folded() == other.0.folded()
    }
}

impl Eq for Label {}

impl Hash for Label {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.folded().hash(state);
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Reports every row after the first with the same value.
fn repeated<K: Eq + Hash + std::fmt::Display>(
    rows: &[Row],
    key: impl Fn(&Row) -> Option<K>,
    column: &str,
    errors: &mut Vec<RowError>,
) {
    let mut seen: HashMap<K, u64> = HashMap::new();
    for row in rows {
        let Some(value) = key(row) else { continue };
        if let Some(first) = seen.get(&value) {
            let message = format!("{value} is already in row {first}");
            let broken = BrokenRule::new(column, &format!("{column}_repeated"), message).held_by(format!("row {first}"));
            errors.push(RowError { row: row.line, column: column.to_owned(), broken });
        } else {
            seen.insert(value, row.line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "52:54:00:00:00:01;10.9.0.1;prod;shop;web;debian";

    fn told(csv: &[u8]) -> Vec<(u64, String, String)> {
        content(csv).errors.into_iter().map(|error| (error.row, error.column, error.broken.rule)).collect()
    }

    fn good(csv: &[u8]) -> Vec<Row> {
        let Content { rows, errors } = content(csv);
        assert_eq!(errors, []);
        rows
    }

    #[test]
    fn a_row_may_leave_out_what_can_be_worked_out() {
        let rows = good(GOOD.as_bytes());
        assert_eq!((rows.len(), rows[0].line, rows[0].hostname.clone(), rows[0].ip), (1, 1, None, None));
        assert_eq!(rows[0].network.as_ref().map(Name::as_str), Some("prod"));
    }

    #[test]
    fn byte_order_mark_quotes_commas_header_and_any_line_ends_are_read() {
        let texts = [
            "\u{feff}mac,venture,role,boot_image,network,ip\r\n\"52:54:00:00:00:01\",shop,web,debian,prod,10.0.0.20\r\n",
            "MAC;Venture;Role;Boot image;Network;IP\r52:54:00:00:00:01; SHOP ;web;debian;prod;10.0.0.20\r",
            "\n\n52:54:00:00:00:01;;prod;shop;web;debian;;10.0.0.20;;\n\n",
        ];
        for text in texts {
            let rows = good(text.as_bytes());
            assert_eq!(
                (rows.len(), rows[0].ip, rows[0].venture.as_str()),
                (1, Some(Ipv4Addr::new(10, 0, 0, 20)), "shop"),
                "{text:?}"
            );
        }
    }

    #[test]
    fn every_error_is_told_with_row_and_column() {
        let csv = format!("{GOOD}\nnonsense;999;pr od;;web;debian\n{GOOD}\n1;2\n");
        let expected = [
            (2, "mac", "mac_invalid"),
            (2, "management_ip", "management_ip_invalid"),
            (2, "network", "network_invalid"),
            (2, "venture", "venture_missing"),
            (3, "mac", "mac_repeated"),
            (4, "", "column_count"),
        ];
        assert_eq!(told(csv.as_bytes()), expected.map(|(row, column, rule)| (row, column.to_owned(), rule.to_owned())));
        let good: Vec<u64> = content(csv.as_bytes()).rows.iter().map(|row| row.line).collect();
        assert_eq!(good, [1], "the rows in which nothing is wrong are looked at further");
    }

    #[test]
    fn a_management_address_of_the_file_is_no_servers_address() {
        let csv = format!("{GOOD}\n52:54:00:00:00:02;;prod;shop;web;debian;;10.9.0.1\n");
        assert_eq!(told(csv.as_bytes()), [(2, "ip".to_owned(), "ip_is_management".to_owned())]);
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_told_and_an_empty_file_is_an_error() {
        assert_eq!(
            told(b"52:54:00:00:00:01;\xff\xfe;prod;shop;web;debian"),
            [(1, "management_ip".to_owned(), "not_utf8".to_owned())]
        );
        assert_eq!(told(b"")[0].2, "csv_empty");
        assert_eq!(told(b"mac;venture;role;nonsense\n")[0].2, "column_unknown");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_rows_or_errors_that_name_their_lines(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..300),
                "(mac|ip|serial|hostname|;|,|\"|\r|\n|\\PC|52:54:00:00:00:0[1-9]|10\\.0\\.0\\.[1-9]|prod|shop|web|\u{feff}|\u{0}){0,60}"
                    .prop_map(String::into_bytes),
            ]
        ) {
            prop_assert_eq!(consistent(&bytes), Ok(()));
        }
    }

    #[test]
    fn a_file_of_more_rows_than_an_import_takes_is_refused_where_they_begin() {
        let row = |n: usize| format!("52:54:00:{:02x}:{:02x}:{:02x},shop,web\n", n >> 16, n >> 8 & 255, n & 255);
        let csv = (0..MOST).map(row).fold(String::from("mac,venture,role\n"), |csv, row| csv + &row);
        assert_eq!(good(csv.as_bytes()).len(), MOST);
        let line = u64::try_from(MOST).expect("a line") + 2;
        let csv = csv + &row(MOST) + "nonsense\n";
        assert_eq!(told(csv.as_bytes()), [(line, String::new(), "csv_too_long".to_owned())]);
        assert_eq!(content(csv.as_bytes()).rows, [], "a part of it is taken for all");
    }

    #[test]
    fn thousands_of_errors_are_all_told_but_a_file_that_is_none_of_ours_is_one_error() {
        let csv = format!("{GOOD}\n{}", "x;y;z\n".repeat(5_000));
        assert_eq!(told(csv.as_bytes()).len(), 5_000);
        let csv = "x;y;z\n".repeat(5_000);
        assert_eq!(told(csv.as_bytes()), [(0, String::new(), "csv_foreign".to_owned())]);
    }
}
