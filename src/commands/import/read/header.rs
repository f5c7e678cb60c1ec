//! Determines the columns of a file: from a header line, or in the order of the documentation.

use super::cell;
use super::columns::{COLUMNS, error};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_port::RowError;

/// Other names that inventories and spreadsheets use for the columns.
const ALSO: [(&str, &[&str]); 9] = [
    (
        "mac",
        &[
            "mac_address",
            "macaddress",
            "mac_addr",
            "boot_mac",
            "hwaddr",
            "hardware_address",
            "macs",
            "mac_adresse",
            "adresse_mac",
            "direccion_mac",
            "adres_mac",
        ],
    ),
    ("management_ip", &["management_address", "mgmt_ip", "mgmt_address", "bmc_ip", "bmc_address", "ipmi_ip", "ipmi_address"]),
    ("boot_image", &["image", "bootimage"]),
    ("hostname", &["host_name", "host", "fqdn", "dns_name", "rechnername", "nom_d'hote", "nombre_de_host", "nazwa_hosta"]),
    (
        "ip",
        &["ip_address", "ipaddress", "ipv4", "ipv4_address", "address", "ip_adresse", "adresse_ip", "direccion_ip", "adres_ip"],
    ),
    (
        "serial",
        &[
            "serial_number",
            "serialnumber",
            "serial_no",
            "service_tag",
            "sn",
            "s/n",
            "seriennummer",
            "numero_de_serie",
            "numer_seryjny",
        ],
    ),
    ("network", &["subnet", "netz", "netzwerk", "reseau", "red", "siec"]),
    ("role", &["rolle", "rol", "rola"]),
    ("rack", &["cabinet", "schrank", "baie", "szafa"]),
];

pub(super) enum Header {
    /// The line is already a row of data, or precedes the header.
    None,
    /// For each of `COLUMNS`, its place in the file; and the places of columns that only number the rows.
    Columns(Vec<Option<usize>>, Vec<usize>),
    Wrong(Vec<RowError>),
}

/// A heading in the form of column names: lower case, with underscores between words.
fn plain(cell: &str) -> String {
    let words = cell.to_lowercase();
    // Units and remarks in parentheses, and marks of required columns, do not belong to the name.
    let words = words.split(['(', '[']).next().filter(|words| !words.trim().is_empty()).unwrap_or(&words);
    let words: String = words.chars().map(folded).collect();
    let words = words.trim_matches([':', '*', ' ', '\u{a0}', '!', '?', '.']);
    words.split(|c: char| c.is_whitespace() || c == '-' || c == '_').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

fn folded(c: char) -> char {
    match c {
        'é' | 'è' | 'ê' => 'e',
        'ó' | 'ô' | 'ö' => 'o',
        'ć' => 'c',
        'ł' => 'l',
        'ñ' => 'n',
        'ú' | 'ü' => 'u',
        'í' => 'i',
        '’' => '\'',
        other => other,
    }
}

/// Whether a heading is that of a column that only numbers the rows.
fn counts_rows(cell: &str) -> bool {
    let plain = plain(cell);
    ["#", "no", "no.", "nr", "nr.", "lp", "lp.", "№", "n°", "nº", "row", "line", "zeile", "lfd._nr.", "lfd._nr", "lfd.nr."]
        .contains(&plain.as_str())
}

/// How many of a line's cells are headings.
pub(super) fn known(cells: &[String]) -> usize {
    cells.iter().filter(|cell| column(cell::value(cell)).is_some()).count()
}

/// The column that a heading refers to.
fn column(cell: &str) -> Option<usize> {
    let plain = plain(cell);
    let known = ALSO.iter().find(|(_, names)| names.contains(&plain.as_str())).map_or(plain.as_str(), |(name, _)| name);
    COLUMNS.iter().position(|column| *column == known)
}

/// How many unknown columns a message lists.
const LISTED: usize = 10;

/// A line is a header if one of its cells is the name `mac` or two are names of columns, and no cell is a MAC address.
pub(super) fn read(line: u64, cells: &[&str]) -> Header {
    let columns: Vec<Option<usize>> = cells.iter().map(|cell| column(cell)).collect();
    let known = columns.iter().flatten().count();
    let is_header = columns.contains(&Some(0)) || known > 1;
    if !is_header || cells.iter().any(|cell| cell::mac(cell).parse::<MacAddress>().is_ok()) {
        return Header::None;
    }
    let mut wrong = vec![];
    let strange: Vec<&&str> = cells
        .iter()
        .zip(&columns)
        .filter(|(cell, column)| column.is_none() && !cell.is_empty() && !counts_rows(cell))
        .map(|(cell, _)| cell)
        .collect();
    if let Some(first) = strange.first() {
        let near = |cell: &str| {
            let word = plain(cell);
            let near = COLUMNS.iter().map(|known| (strsim::osa_distance(&word, known), known)).min();
            let near = near.filter(|(distance, _)| *distance <= 2 && word.len() < 100);
            near.map(|(_, known)| format!(" (did you mean {known}?)")).unwrap_or_default()
        };
        let listed: Vec<String> =
            strange.iter().take(LISTED).map(|cell| format!("{}{}", cell::quoted(cell), near(cell))).collect();
        let more = strange.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what = if strange.len() == 1 { "there is no column" } else { "there are no columns" };
        let message = format!(
            "{what} {}{more}; rename or delete the columns that are not one of these: {}",
            listed.join(", "),
            COLUMNS.join(", ")
        );
        let shown: String = first.chars().take(60).collect();
        wrong.push(error(line, &shown, Rule::ColumnUnknown, message));
    }
    for (index, name) in COLUMNS.iter().enumerate() {
        let times = columns.iter().filter(|column| **column == Some(index)).count();
        if times > 1 {
            wrong.push(error(line, name, Rule::ColumnRepeated, format!("the column {name} occurs {times} times")));
        }
    }
    for (index, name) in COLUMNS.iter().enumerate().filter(|(_, name)| ["mac", "venture", "role"].contains(name)) {
        if !columns.contains(&Some(index)) {
            wrong.push(error(line, name, Rule::ColumnMissing, format!("the column {name} is missing")));
        }
    }
    if !wrong.is_empty() {
        return Header::Wrong(wrong);
    }
    let counting = (0..cells.len()).filter(|place| {
        columns.get(*place).is_none_or(Option::is_none) && cells.get(*place).is_some_and(|cell| counts_rows(cell))
    });
    Header::Columns(
        (0..COLUMNS.len()).map(|index| columns.iter().position(|column| *column == Some(index))).collect(),
        counting.collect(),
    )
}
