//! Which column is what: by a header line, or in the order of the documentation.

use super::{COLUMNS, cell, error};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_web::commands::RowError;

/// Other names that inventories and spreadsheets have for the columns.
const ALSO: [(&str, &[&str]); 7] = [
    ("mac", &["mac_address", "macaddress", "mac_addr", "boot_mac", "hwaddr", "hardware_address"]),
    ("management_ip", &["management_address", "mgmt_ip", "mgmt_address", "bmc_ip", "bmc_address", "ipmi_ip", "ipmi_address"]),
    ("boot_image", &["image", "bootimage"]),
    ("hostname", &["host_name", "host", "fqdn", "dns_name"]),
    ("ip", &["ip_address", "ipaddress", "ipv4", "ipv4_address", "address"]),
    ("serial", &["serial_number", "serialnumber", "serial_no", "service_tag", "sn", "s/n"]),
    ("network", &["subnet"]),
];

pub(super) enum Header {
    /// The line is a row already, or stands before the header.
    None,
    /// For each of `COLUMNS`, its place in the file.
    Found(Vec<Option<usize>>),
    Wrong(Vec<RowError>),
}

/// A heading as columns are named: lower case, underscores for anything between words.
fn plain(cell: &str) -> String {
    let words = cell.to_lowercase();
    let words = words.trim_end_matches([':', '*']);
    words.split(|c: char| c.is_whitespace() || c == '-' || c == '_').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

/// The column that a heading means.
fn column(cell: &str) -> Option<usize> {
    let plain = plain(cell);
    let known = ALSO.iter().find(|(_, names)| names.contains(&plain.as_str())).map_or(plain.as_str(), |(name, _)| name);
    COLUMNS.iter().position(|column| *column == known)
}

/// A line is a header if one of its cells is the name `mac`, or two are names of columns, and none is a MAC address.
pub(super) fn read(line: u64, cells: &[&str]) -> Header {
    let columns: Vec<Option<usize>> = cells.iter().map(|cell| column(cell)).collect();
    let known = columns.iter().flatten().count();
    let is_header = columns.contains(&Some(0)) || known > 1;
    if !is_header || cells.iter().any(|cell| cell::mac(cell).parse::<MacAddress>().is_ok()) {
        return Header::None;
    }
    let mut wrong = vec![];
    for (cell, _) in cells.iter().zip(&columns).filter(|(cell, column)| column.is_none() && !cell.is_empty()) {
        let near = COLUMNS.iter().map(|known| (strsim::osa_distance(&plain(cell), known), known)).min();
        let near =
            near.filter(|(distance, _)| *distance <= 2).map(|(_, known)| format!("; did you mean {known}?")).unwrap_or_default();
        let message = format!("there is no column {cell:?}{near}; the columns are {}", COLUMNS.join(", "));
        wrong.push(error(line, cell, "column_unknown", message));
    }
    for (index, name) in COLUMNS.iter().enumerate() {
        let times = columns.iter().filter(|column| **column == Some(index)).count();
        if times > 1 {
            wrong.push(error(line, name, "column_repeated", format!("the column {name} is there {times} times")));
        }
    }
    for (index, name) in COLUMNS.iter().enumerate().filter(|(_, name)| ["mac", "venture", "role"].contains(name)) {
        if !columns.contains(&Some(index)) {
            wrong.push(error(line, name, "column_missing", format!("the column {name} is missing")));
        }
    }
    if !wrong.is_empty() {
        return Header::Wrong(wrong);
    }
    Header::Found((0..COLUMNS.len()).map(|index| columns.iter().position(|column| *column == Some(index))).collect())
}
