//! Tests of the rows and errors of a file.

mod generated;
mod spreadsheets;

use super::{Content, MOST, Row, consistent, content};
use bootledger_aggregates::values::name::Name;
use proptest::prelude::*;
use std::net::Ipv4Addr;

const GOOD: &str = "52:54:00:00:00:01;10.9.0.1;prod;shop;web;debian";

fn errors_of(csv: &[u8]) -> Vec<(u64, String, String)> {
    content(csv).errors.into_iter().map(|error| (error.row, error.column, error.broken.rule)).collect()
}

fn good(csv: &[u8]) -> Vec<Row> {
    let Content { rows, errors } = content(csv);
    assert_eq!(errors, []);
    rows
}

#[test]
fn a_row_may_omit_values_that_can_be_derived() {
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
fn the_export_of_the_list_of_deployments_can_be_read() {
    let csv = "mac,network,venture,role,boot_image,hostname,ip,note,ticket\r\n\
               52:54:00:00:00:01,prod,shop,web,debian,h200.dc1.example,10.0.0.20,\"a, b\",\r\n";
    let rows = good(csv.as_bytes());
    assert_eq!((rows.len(), rows[0].ip), (1, Some(Ipv4Addr::new(10, 0, 0, 20))));
    assert_eq!(rows[0].notes_of_deployment().note.as_str(), "a, b");
}

#[test]
fn a_note_and_a_ticket_have_a_heading_and_are_kept_as_they_were_written() {
    let csv = "mac;venture;role;note;ticket\n52:54:00:00:00:01;shop;web;replaces h199 – see “rack 7”;OPS-1\n";
    let rows = good(csv.as_bytes());
    let notes = rows[0].notes_of_deployment();
    assert_eq!((notes.note.as_str(), notes.ticket.as_str()), ("replaces h199 – see “rack 7”", "OPS-1"));
    let invisible = "mac;venture;role;note\n52:54:00:00:00:01;shop;web;a\u{200b}b\n";
    assert_eq!(errors_of(invisible.as_bytes()), [(2, "note".to_owned(), "note_invalid".to_owned())]);
}

#[test]
fn every_error_is_listed_with_row_and_column() {
    let csv = format!("{GOOD}\nnonsense;999;pr od;;web;debian\n{GOOD}\n1;2\n");
    let expected = [
        (2, "mac", "mac_invalid"),
        (2, "management_ip", "management_ip_invalid"),
        (2, "network", "network_invalid"),
        (2, "venture", "venture_missing"),
        (3, "mac", "mac_repeated"),
        (4, "", "column_count"),
    ];
    assert_eq!(errors_of(csv.as_bytes()), expected.map(|(row, column, rule)| (row, column.to_owned(), rule.to_owned())));
    let good: Vec<u64> = content(csv.as_bytes()).rows.iter().map(|row| row.line).collect();
    assert_eq!(good, [1], "the rows in which nothing is wrong are looked at further");
}

#[test]
fn a_management_address_of_the_file_is_no_servers_address() {
    let csv = format!("{GOOD}\n52:54:00:00:00:02;;prod;shop;web;debian;;10.9.0.1\n");
    assert_eq!(errors_of(csv.as_bytes()), [(2, "ip".to_owned(), "ip_is_management".to_owned())]);
}

#[test]
fn bytes_that_are_not_utf_8_are_an_error_and_an_empty_file_is_an_error() {
    assert_eq!(
        errors_of(b"52:54:00:00:00:01;\xff\xfe;prod;shop;web;debian"),
        [(1, "management_ip".to_owned(), "not_utf8".to_owned())]
    );
    assert_eq!(errors_of(b"")[0].2, "csv_empty");
    assert_eq!(errors_of(b"mac;venture;role;nonsense\n")[0].2, "column_unknown");
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
fn a_file_of_too_many_rows_is_refused_at_the_first_excess_row() {
    let row = |n: usize| format!("52:54:00:{:02x}:{:02x}:{:02x},shop,web\n", n >> 16, n >> 8 & 255, n & 255);
    let csv = (0..MOST).map(row).fold(String::from("mac,venture,role\n"), |csv, row| csv + &row);
    assert_eq!(good(csv.as_bytes()).len(), MOST);
    let line = u64::try_from(MOST).expect("a line") + 2;
    let csv = csv + &row(MOST) + "nonsense\n";
    assert_eq!(errors_of(csv.as_bytes()), [(line, String::new(), "csv_too_long".to_owned())]);
    assert_eq!(content(csv.as_bytes()).rows, [], "a part of the file would be taken for the whole");
}

#[test]
fn thousands_of_errors_are_all_listed_but_a_file_of_another_format_is_one_error() {
    let csv = format!("{GOOD}\n{}", "x;y;z\n".repeat(5_000));
    assert_eq!(errors_of(csv.as_bytes()).len(), 5_000);
    let csv = "x;y;z\n".repeat(5_000);
    assert_eq!(errors_of(csv.as_bytes()), [(0, String::new(), "csv_foreign".to_owned())]);
}

#[test]
fn a_file_for_one_rack_fills_in_the_rack_and_refuses_other_ones() {
    let csv =
        "mac;venture;role;rack\n52:54:00:00:00:01;shop;web;\n52:54:00:00:00:02;shop;web;r1\n52:54:00:00:00:03;shop;web;r2\n";
    let mut content = content(csv.as_bytes());
    content.put_into(&"r1".parse().expect("a name"));
    let racks: Vec<String> = content.rows.iter().take(2).filter_map(|row| row.rack.as_ref()).map(ToString::to_string).collect();
    assert_eq!(racks, ["r1", "r1"]);
    let errors: Vec<_> =
        content.errors.iter().map(|error| (error.row, error.column.as_str(), error.broken.rule.as_str())).collect();
    assert_eq!(errors, [(4, "rack", "rack_other")]);
}
