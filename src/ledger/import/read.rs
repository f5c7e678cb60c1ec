//! Reading the CSV text: every error of every cell, with row and column.

use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_web::commands::RowError;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::Ipv4Addr;
use std::str::FromStr;

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
    /// The line of the file, from 1.
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

/// Reads a file to its end, whatever is wrong with it.
pub(super) fn content(csv: &[u8]) -> Content {
    let csv = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
    let first: &[u8] = csv.split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.is_empty()).unwrap_or_default();
    // A separator of the other kind may be in a cell; the one that is there more often separates.
    let pieces = |separator: u8| first.split(|byte| *byte == separator).count();
    let delimiter = if pieces(b';') >= pieces(b',') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(csv);
    let mut errors = vec![];
    let mut rows = vec![];
    let mut whole = true;
    let mut order: Option<Vec<Option<usize>>> = None;
    let mut record = csv::ByteRecord::new();
    let mut read = 0;
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                errors.push(self::error(0, "", "csv_unreadable", format!("the file is no CSV: {error}")));
                whole = false;
                break;
            }
        }
        let line = record.position().map_or(0, csv::Position::line);
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        read += 1;
        if read > MOST {
            let message = format!("a file may have {MOST} rows; split it, and import its parts one after the other");
            errors.push(error(line, "", "csv_too_long", message));
            whole = false;
            break;
        }
        let mut cells = Vec::with_capacity(record.len());
        let mut readable = true;
        for (index, cell) in record.iter().enumerate() {
            if let Ok(cell) = std::str::from_utf8(cell) {
                cells.push(cell.trim());
            } else {
                readable = false;
                let column = COLUMNS.get(index).copied().unwrap_or_default();
                errors.push(error(line, column, "not_utf8", "the cell is not UTF-8; save the file as UTF-8"));
            }
        }
        if !readable {
            continue;
        }
        let Some(order) = &order else {
            match header(line, &cells) {
                Header::None => {
                    order = Some((0..COLUMNS.len()).map(Some).collect());
                    read_row(line, &cells, order.as_deref().unwrap_or_default(), &mut rows, &mut errors);
                }
                Header::Found(found) => {
                    order = Some(found);
                    read = 0;
                }
                Header::Wrong(errors) => return Content { rows: vec![], errors },
            }
            continue;
        };
        read_row(line, &cells, order, &mut rows, &mut errors);
    }
    repeated(&rows, |row| Some(row.mac), "mac", &mut errors);
    repeated(&rows, |row| row.ip, "ip", &mut errors);
    // A server that is there twice has its controller twice: that is one mistake.
    let mut servers = HashSet::new();
    let twice: HashSet<u64> = rows.iter().filter(|row| !servers.insert(row.mac)).map(|row| row.line).collect();
    let controller = |row: &Row| row.management_ip.clone().filter(|_| !twice.contains(&row.line));
    repeated(&rows, controller, "management_ip", &mut errors);
    repeated(&rows, |row| row.hostname.clone(), "hostname", &mut errors);
    repeated(&rows, |row| row.serial.clone(), "serial", &mut errors);
    managed(&rows, &mut errors);
    if rows.is_empty() && errors.is_empty() {
        errors.push(error(0, "", "csv_empty", "the file has no rows"));
    }
    errors.sort_by_key(|error| error.row);
    let wrong: HashSet<u64> = errors.iter().map(|error| error.row).collect();
    rows.retain(|row| whole && !wrong.contains(&row.line));
    Content { rows, errors }
}

enum Header {
    /// The first line is a row already.
    None,
    /// For each of `COLUMNS`, its place in the file.
    Found(Vec<Option<usize>>),
    Wrong(Vec<RowError>),
}

/// A first line is a header if its first cell or any other is the name `mac`.
fn header(line: u64, cells: &[&str]) -> Header {
    let names: Vec<String> = cells.iter().map(|cell| cell.to_lowercase().replace([' ', '-'], "_")).collect();
    if !names.iter().any(|name| name == "mac") {
        return Header::None;
    }
    let mut wrong: Vec<RowError> = names
        .iter()
        .filter(|name| !COLUMNS.contains(&name.as_str()))
        .map(|name| {
            error(line, name, "column_unknown", format!("there is no column {name:?}; the columns are {}", COLUMNS.join(", ")))
        })
        .collect();
    for name in COLUMNS {
        let times = names.iter().filter(|other| *other == name).count();
        if times > 1 {
            wrong.push(error(line, name, "column_repeated", format!("the column {name} is there {times} times")));
        }
    }
    for name in ["venture", "role"] {
        if !names.iter().any(|other| other == name) {
            wrong.push(error(line, name, "column_missing", format!("the column {name} is missing")));
        }
    }
    if !wrong.is_empty() {
        return Header::Wrong(wrong);
    }
    Header::Found(COLUMNS.iter().map(|column| names.iter().position(|name| name == column)).collect())
}

fn read_row(line: u64, cells: &[&str], order: &[Option<usize>], rows: &mut Vec<Row>, errors: &mut Vec<RowError>) {
    let headed = order.iter().enumerate().any(|(index, place)| *place != Some(index));
    let width = if headed { order.iter().flatten().max().map_or(0, |last| last + 1) } else { COLUMNS.len() };
    if cells.len() > width || (!headed && cells.len() < NEEDED) {
        let message = format!("the row has {} columns; it needs {NEEDED} to {width}: {}", cells.len(), COLUMNS.join("; "));
        errors.push(error(line, "", "column_count", message));
        return;
    }
    let before = errors.len();
    let cell = |index: usize| order.get(index).copied().flatten().and_then(|place| cells.get(place)).copied().unwrap_or_default();
    let mac = needed(line, 0, cell(0), errors);
    let management_ip = optional::<Host>(line, 1, cell(1), errors).filter(|host| {
        if host.address().is_none() {
            let message = format!("{host} is a host name; give an address here, or set the name at the device");
            errors.push(error(line, "management_ip", "management_ip_invalid", message));
        }
        host.address().is_some()
    });
    let network = optional(line, 2, cell(2), errors);
    let venture = needed(line, 3, cell(3), errors);
    let role = needed(line, 4, cell(4), errors);
    let boot_image = optional(line, 5, cell(5), errors);
    let hostname = optional(line, 6, cell(6), errors);
    let ip = optional(line, 7, cell(7), errors);
    let rack = optional(line, 8, cell(8), errors);
    let serial = optional(line, 9, cell(9), errors);
    if let (Some(mac), Some(venture), Some(role), true) = (mac, venture, role, errors.len() == before) {
        rows.push(Row { line, mac, management_ip, network, venture, role, boot_image, hostname, ip, rack, serial });
    }
}

fn optional<T: FromStr<Err: std::fmt::Display>>(line: u64, index: usize, cell: &str, errors: &mut Vec<RowError>) -> Option<T> {
    if cell.is_empty() {
        return None;
    }
    let column = COLUMNS[index];
    cell.parse()
        .map_err(|why: T::Err| errors.push(error(line, column, &format!("{column}_invalid"), format!("{cell:?}: {why}"))))
        .ok()
}

fn needed<T: FromStr<Err: std::fmt::Display>>(line: u64, index: usize, cell: &str, errors: &mut Vec<RowError>) -> Option<T> {
    let column = COLUMNS[index];
    if cell.is_empty() {
        errors.push(error(line, column, &format!("{column}_missing"), format!("the {column} is missing")));
    }
    optional(line, index, cell, errors)
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

/// Tells every row after the first with the same value.
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
            let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).count();
            let Content { rows, errors } = content(&bytes);
            prop_assert!(!rows.is_empty() || !errors.is_empty());
            prop_assert!(rows.len() <= lines);
            prop_assert!(errors.iter().all(|error| error.row <= lines as u64 && !error.broken.message.is_empty()));
            prop_assert!(rows.iter().all(|row| errors.iter().all(|error| error.row != row.line)), "a row is good and wrong");
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
    fn thousands_of_errors_are_all_told() {
        let csv = "x;y;z\n".repeat(5_000);
        assert_eq!(told(csv.as_bytes()).len(), 5_000);
    }
}
