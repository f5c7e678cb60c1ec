//! Finds values that rows of a file must not share.

use super::columns::Row;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::values::text::Text;
use bootledger_port::RowError;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::Ipv4Addr;

/// The errors of rows that contradict each other.
pub(super) fn errors(rows: &[Row]) -> Vec<RowError> {
    let mut errors = vec![];
    repeated(rows, |row| Some(row.mac), "mac", Rule::MacRepeated, &mut errors);
    repeated(rows, |row| row.ip, "ip", Rule::IpRepeated, &mut errors);
    // A server that is listed twice also has its controller twice; that is reported as one error.
    let mut servers = HashSet::new();
    let twice: HashSet<u64> = rows.iter().filter(|row| !servers.insert(row.mac)).map(|row| row.line).collect();
    let controller = |row: &Row| row.management_ip.clone().filter(|_| !twice.contains(&row.line));
    repeated(rows, controller, "management_ip", Rule::ManagementIpRepeated, &mut errors);
    repeated(rows, |row| row.hostname.clone(), "hostname", Rule::HostnameRepeated, &mut errors);
    repeated(rows, |row| row.serial.clone().map(Label), "serial", Rule::SerialRepeated, &mut errors);
    managed(rows, &mut errors);
    errors
}

/// Reports every row whose address is the management address of a row.
fn managed(rows: &[Row], errors: &mut Vec<RowError>) {
    let managed: HashMap<Ipv4Addr, u64> =
        rows.iter().filter_map(|row| Some((row.management_ip.as_ref()?.ipv4()?, row.line))).collect();
    for row in rows {
        let Some((ip, line)) = row.ip.and_then(|ip| Some((ip, managed.get(&ip)?))) else { continue };
        let message = format!("{ip} is the management address in row {line}");
        let broken = BrokenRule::new("ip", Rule::IpIsManagement, message).held_by(format!("row {line}"));
        errors.push(RowError { row: row.line, column: "ip".to_owned(), broken });
    }
}

/// A number on a label. Numbers that differ only in case, width or spaces are the same.
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
    rule: Rule,
    errors: &mut Vec<RowError>,
) {
    let mut seen: HashMap<K, u64> = HashMap::new();
    for row in rows {
        let Some(value) = key(row) else { continue };
        if let Some(first) = seen.get(&value) {
            let message = format!("{value} is already in row {first}");
            let broken = BrokenRule::new(column, rule, message).held_by(format!("row {first}"));
            errors.push(RowError { row: row.line, column: column.to_owned(), broken });
        } else {
            seen.insert(value, row.line);
        }
    }
}
