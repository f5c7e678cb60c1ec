//! Converts the cells of a row into values, or into errors.

use super::cell;
use super::columns::{COLUMNS, NEEDED, Order, Row, USUAL, error};
use super::lines::has_mac;
use super::table::Line;
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::serial_number;
use bootledger_port::RowError;
use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;

/// The rule that an unreadable value violates, for each of `COLUMNS`.
const INVALID: [Rule; COLUMNS.len()] = [
    Rule::MacInvalid,
    Rule::ManagementIpInvalid,
    Rule::NetworkInvalid,
    Rule::VentureInvalid,
    Rule::RoleInvalid,
    Rule::BootImageInvalid,
    Rule::HostnameInvalid,
    Rule::IpInvalid,
    Rule::RackInvalid,
    Rule::SerialInvalid,
    Rule::NoteInvalid,
    Rule::TicketInvalid,
];

/// Parses a row. Adds it to the rows, or its errors to the errors.
pub(super) fn read(line: &Line, order: &Order, rows: &mut Vec<Row>, errors: &mut Vec<RowError>) {
    let number = line.number;
    let before = errors.len();
    let filled = |place: usize| line.cells.get(place).is_some_and(|cell| !cell::value(cell).is_empty());
    if let (Some(remark), false) = (only_cell(line), has_mac(line)) {
        let message = format!("the row has only one cell, {}. If the row is a remark, delete it", cell::quoted(remark));
        errors.push(error(number, "", Rule::RowIncomplete, message));
        return;
    }
    match order {
        Order::Usual => {
            let has = line.cells.iter().rposition(|cell| !cell::value(cell).is_empty()).map_or(0, |last| last + 1);
            if has > USUAL || line.cells.len() < NEEDED {
                let has = has.max(line.cells.len().min(USUAL));
                let most = USUAL;
                let message = format!("the row has {has} columns instead of {NEEDED} to {most}: {}", COLUMNS[..USUAL].join("; "));
                errors.push(error(number, "", Rule::ColumnCount, message));
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
                errors.push(error(number, "", Rule::ColumnUnnamed, message));
                return;
            }
        }
    }
    let mut cells: [Cow<'_, str>; COLUMNS.len()] = Default::default();
    for ((column, value), invalid) in cells.iter_mut().enumerate().zip(INVALID) {
        let Some(cell) = order.place(column).and_then(|place| line.cells.get(place)) else { continue };
        let name = COLUMNS.get(column).copied().unwrap_or_default();
        // Free text is kept as it is.
        let is_text = column >= USUAL;
        let cell = if is_text { Cow::Borrowed(cell::value(cell)) } else { cell::narrowed(cell::value(cell)) };
        if cell::is_blank(&cell) {
            continue;
        }
        if let Some(why) = cell::spoilt(&cell).filter(|_| !is_text) {
            errors.push(error(number, name, invalid, why));
        } else if cell.chars().count() > 300 {
            let message = format!("{} is too long: a cell has at most 300 characters", cell::quoted(&cell));
            errors.push(error(number, name, invalid, message));
        } else {
            *value = cell;
        }
    }
    if errors.len() == before {
        read_row(number, &cells.each_ref().map(AsRef::as_ref), rows, errors);
    }
}

/// The only cell with a value in a row of several columns, such as `End of list` or `Page 1 of 2`.
fn only_cell(line: &Line) -> Option<&str> {
    let mut values = line.cells.iter().map(|cell| cell::value(cell)).filter(|value| !value.is_empty());
    let first = values.next().filter(|_| line.cells.len() > 1)?;
    values.next().is_none().then_some(first)
}

fn read_row(line: u64, cells: &[&str; COLUMNS.len()], rows: &mut Vec<Row>, errors: &mut Vec<RowError>) {
    let before = errors.len();
    let [mac, management_ip, network, venture, role, boot_image, hostname, ip, rack, serial, note, ticket] = *cells;
    let mut notes = vec![];
    let serial = match cell::serial(serial) {
        _ if serial.is_empty() => None,
        cell::Serial::Number(number) => optional(line, 9, &number, errors),
        cell::Serial::PassedOver(why) => {
            notes.push(why);
            None
        }
        cell::Serial::Spoilt(why) => {
            errors.push(error(line, "serial", Rule::SerialInvalid, why));
            None
        }
    };
    // Placeholders for an unknown address or name are ignored; they never are real values.
    let mut unset = |column: &str, value: &'_ str| {
        let unset = is_unset(value);
        if unset {
            notes.push(passed_over(column, value));
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
        errors.push(error(line, "mac", Rule::MacInvalid, why));
        return;
    }
    let mac = needed(line, (0, Rule::MacMissing), &mac_read, errors);
    let management_ip = optional::<Host>(line, 1, hinted(line, 1, management_ip, errors), errors).filter(|host| {
        if host.address().is_none() {
            let message = format!("{host} is a host name; give an address here, or set the name at the device");
            errors.push(error(line, "management_ip", Rule::ManagementIpInvalid, message));
        }
        host.address().is_some()
    });
    let network = name(line, 2, network, &mut notes, errors);
    let venture = needed(line, (3, Rule::VentureMissing), venture, errors);
    let role = needed(line, (4, Rule::RoleMissing), role, errors);
    let boot_image = name(line, 5, boot_image, &mut notes, errors);
    let hostname = optional(line, 6, hostname, errors);
    let ip = optional(line, 7, hinted(line, 7, ip, errors), errors);
    let rack = name(line, 8, rack, &mut notes, errors);
    let note = optional(line, 10, note, errors);
    let ticket = optional(line, 11, ticket, errors);
    if let (Some(mac), Some(venture), Some(role), true) = (mac, venture, role, errors.len() == before) {
        rows.push(Row {
            line,
            mac,
            management_ip,
            network,
            venture,
            role,
            boot_image,
            hostname,
            ip,
            rack,
            serial,
            note,
            ticket,
            notes,
        });
    }
}

/// The text of an address, or an empty text if its error was already added.
fn hinted<'a>(line: u64, index: usize, cell: &'a str, errors: &mut Vec<RowError>) -> &'a str {
    let address = cell::address(cell);
    let Some(why) = cell::address_hint(address) else { return address };
    let column = COLUMNS[index];
    errors.push(error(line, column, INVALID[index], why));
    ""
}

/// An optional name. A placeholder that could be a name is looked up in the catalogue before it is ignored.
fn name(line: u64, index: usize, cell: &str, notes: &mut Vec<String>, errors: &mut Vec<RowError>) -> Option<Name> {
    if !cell.is_empty() && serial_number::is_filler(cell) && cell.parse::<Name>().is_err() {
        notes.push(passed_over(COLUMNS[index], cell));
        return None;
    }
    optional(line, index, cell, errors)
}

/// The note that a placeholder was ignored.
pub(super) fn passed_over(column: &str, value: &str) -> String {
    format!("the {column} {} is a placeholder; it is ignored", cell::quoted(value))
}

/// Whether a value is a placeholder for an unknown address or host name.
fn is_unset(value: &str) -> bool {
    // 12.34.56.78 has the digits of a placeholder, and is an address.
    let is_address = cell::address(value).parse::<IpAddr>().is_ok_and(|ip| !ip.is_unspecified());
    !value.is_empty()
        && !is_address
        && (serial_number::is_filler(value)
            || ["::", "localhost", "localhost.localdomain", "dhcp", "auto", "automatic"].contains(&value.to_lowercase().as_str()))
}

fn optional<T: FromStr<Err: std::fmt::Display>>(line: u64, index: usize, cell: &str, errors: &mut Vec<RowError>) -> Option<T> {
    if cell.is_empty() {
        return None;
    }
    let column = COLUMNS[index];
    let why = |why: T::Err| {
        if let Some(message) = cell::made_of(cell) {
            return error(line, column, INVALID[index], message);
        }
        let why = why.to_string();
        // Most messages already name the value.
        let escaped = format!("{cell:?}");
        // Messages that quote the value begin with it, escaped and perhaps shortened.
        let said = why.contains(cell) || why.contains(escaped.trim_matches('"')) || why.starts_with('"');
        let message = if said { why } else { format!("{}: {why}", cell::quoted(cell)) };
        error(line, column, INVALID[index], message)
    };
    cell.parse().map_err(|error| errors.push(why(error))).ok()
}

fn needed<T: FromStr<Err: std::fmt::Display>>(
    line: u64,
    (index, missing): (usize, Rule),
    cell: &str,
    errors: &mut Vec<RowError>,
) -> Option<T> {
    let column = COLUMNS[index];
    if cell.is_empty() {
        errors.push(error(line, column, missing, format!("the {column} is missing")));
    }
    optional(line, index, cell, errors)
}
