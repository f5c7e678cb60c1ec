//! Tests of what spreadsheets and people do to a file, case by case.

use crate::commands::import::read::{Content, Row, content};
use bootledger_aggregates::values::text::Text;

fn rows(csv: &[u8]) -> Vec<Row> {
    let Content { rows, errors } = content(csv);
    assert_eq!(errors, [], "{}", String::from_utf8_lossy(csv));
    rows
}

/// The first error of a file: its row, column and message.
fn refusal(csv: &[u8]) -> (u64, String, String) {
    let Content { errors, .. } = content(csv);
    let error = errors.into_iter().next().expect("an error");
    (error.row, error.broken.rule, error.broken.message)
}

#[test]
fn a_cell_with_line_breaks_is_in_one_row() {
    let csv = "mac;venture;role;\"serial\r\nnumber\"\r\n52:54:00:00:00:01;shop;web;\"A\r\n\"\r\n\r\nnonsense;shop;web;B\r\n";
    assert_eq!(refusal(csv.as_bytes()).0, 4);
    let csv = csv.replace("nonsense", "52:54:00:00:00:02");
    assert_eq!(rows(csv.as_bytes()).iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn a_placeholder_for_a_serial_number_is_ignored_with_the_reason() {
    for filler in [
        "To be filled by O.E.M.",
        "Default string",
        "System Serial Number",
        "0000000000",
        "Not Specified",
        "XXXXXXXX",
        "123456789",
        "None",
    ] {
        let found = rows(format!("mac;venture;role;serial\n52:54:00:00:00:01;shop;web;{filler}\n").as_bytes());
        assert!(found[0].serial.is_none() && found[0].notes[0].contains(filler), "{filler}: {:?}", found[0]);
    }
    for blank in ["-", "--", "N/A", "n/a", "?", "—", "(none)"] {
        let csv = format!("mac;venture;role;serial;ip;network\n52:54:00:00:00:01;shop;web;{blank};{blank};{blank}\n");
        let found = rows(csv.as_bytes());
        assert!(found[0].serial.is_none() && found[0].ip.is_none() && found[0].network.is_none(), "{blank}");
    }
}

#[test]
fn a_cell_that_a_spreadsheet_has_corrupted_is_refused_with_the_reason() {
    for (serial, word) in [
        ("1.23457E+11", "rounded"),
        ("\"1,23457E+11\"", "rounded"),
        ("7E+12", "rounded"),
        ("12345678901234500000", "15 digits"),
        ("\"70,123,456\"", "separators"),
        ("70.123.456", "separators"),
        ("01/03/2026", "date"),
        ("2026-03-01 00:00:00", "date"),
        ("#REF!", "formula"),
        ("#NAME?", "formula"),
        ("#DIV/0!", "formula"),
        ("#N/A", "formula"),
        ("########", "formula"),
        ("@SUM(A1)", "formula"),
        ("+CONCAT(A1)", "formula"),
    ] {
        let (row, rule, message) = refusal(format!("mac;venture;role;serial\n52:54:00:00:00:01;shop;web;{serial}\n").as_bytes());
        assert_eq!((row, rule.as_str()), (2, "serial_invalid"), "{serial}");
        assert!(message.contains(word), "{serial}: {message}");
    }
    for serial in ["7E12", "CZ3412ABCD", "70123456", "1.2.3", "2026-A", "5CG0123E45"] {
        let found = rows(format!("mac;venture;role;serial\n52:54:00:00:00:01;shop;web;{serial}\n").as_bytes());
        assert_eq!(found[0].serial.as_ref().map(Text::as_str), Some(serial));
    }
    for first in ["#N/A", "########", "#REF!"] {
        let csv = format!("mac;venture;role\n52:54:00:00:00:01;shop;web\n{first};shop;web\n# a remark\n");
        assert_eq!((refusal(csv.as_bytes()).0, content(csv.as_bytes()).errors.len()), (3, 1), "{first}");
    }
    let (_, rule, message) = refusal(b"mac;venture;role\n52:54:00:00:00:01;shop;web\n5.254E+11;shop;web\n");
    assert!(rule == "mac_invalid" && message.contains("spreadsheet"), "{message}");
}

#[test]
fn a_row_with_one_cell_that_is_no_mac_address_is_one_error() {
    for (place, footer) in ["End of list", "Page 1 of 2", "Exported by ada on Monday"].into_iter().enumerate() {
        let row: String = (0..4).map(|column| if column == place { format!("{footer};") } else { ";".to_owned() }).collect();
        let (row, rule, message) = refusal(format!("mac;venture;role;serial\n52:54:00:00:00:01;shop;web;A1\n{row}\n").as_bytes());
        assert_eq!((row, rule.as_str()), (3, "row_incomplete"), "{footer}");
        assert!(message.contains(footer), "{message}");
    }
    let (_, rule, _) = refusal(b"mac;venture;role\n52:54:00:00:00:01;;\n52:54:00:00:00:02;shop;web\n");
    assert_ne!(rule, "row_incomplete");
}

#[test]
fn a_file_of_another_format_is_one_error_that_names_the_format() {
    let long: Vec<u8> = "first;second\n".repeat(5_000).into_bytes();
    let files: [(&[u8], &str); 9] = [
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00", "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "the old format (.xls)"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"{\"devices\": []}", "JSON"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"mac\x00\x01\x02\x03;venture", "bytes that are not text"),
        (b"name;address;owner\nweb1;10.0.0.1;ada\nweb2;10.0.0.2;bob\n", "no row of the file"),
        (&long, "no row of the file"),
    ];
    for (file, word) in files {
        let Content { rows, errors } = content(file);
        assert!(rows.is_empty() && errors.len() == 1 && errors[0].row == 0, "{word}: {errors:?}");
        assert!(errors[0].broken.message.contains(word), "{word}: {errors:?}");
    }
}

#[test]
fn headings_of_inventories_are_understood_and_others_are_named_with_the_nearest() {
    let csv = "Host name,MAC Address,Mgmt IP,Venture,Role,Image,IP Address,Serial No\n\
               h200.dc1.example.,5254.0000.0001,10.9.0.1/24,shop,web,debian,10.0.0.20/24,A1\n";
    let found = rows(csv.as_bytes());
    assert_eq!(found[0].hostname.as_ref().map(ToString::to_string).as_deref(), Some("h200.dc1.example"));
    assert_eq!(found[0].ip, Some([10, 0, 0, 20].into()));
    let (_, rule, message) = refusal(b"mac;ventrue;role\n52:54:00:00:00:01;shop;web\n");
    assert!(rule == "column_unknown" && message.contains("did you mean venture?"), "{message}");
    let (_, rule, message) = refusal(b"network;venture;role\nprod;shop;web\n");
    assert!(rule == "column_missing" && message.contains("mac"), "{message}");
}

#[test]
fn a_value_is_there_once_in_the_message_about_it() {
    let (_, _, message) = refusal(b"mac;venture;role;hostname\n52:54:00:00:00:01;shop;web;web_02\n52:54:00:00:00:02;shop;web;\n");
    assert_eq!(message.matches("web_02").count(), 1, "{message}");
}

#[test]
fn a_corrupted_cell_is_refused_once_with_its_row_and_column() {
    let cells: [(&str, &str); 34] = [
        ("serial", "Mar-26"),
        ("serial", "26-Mar"),
        ("serial", "26. Mrz"),
        ("serial", "2026-03-26"),
        ("serial", "03/26/2026"),
        ("serial", "26.03.26"),
        ("serial", "12:30"),
        ("serial", "12:30:00 PM"),
        ("serial", "TRUE"),
        ("serial", "WAHR"),
        ("serial", "VRAI"),
        ("serial", "1.23E+11"),
        ("serial", "=HYPERLINK(1)"),
        ("serial", "Err:502"),
        ("serial", "#N/V"),
        ("serial", "12%"),
        ("serial", "€ 12"),
        ("serial", "SN–12"),
        ("serial", "SN\u{fffd}12"),
        ("serial", "A\nB"),
        ("serial", "A\u{200b}B"),
        ("serial", "ВМ12345"),
        ("mac", "00:11:22"),
        ("mac", "5.25E+11"),
        ("mac", "5056000001"),
        ("mac", "03/26/2026"),
        ("mac", "52:54:00:00:00:07 52:54:00:00:00:08"),
        ("ip", "10.20.1"),
        ("ip", "10,20,1,50"),
        ("ip", "10.20.1.50–"),
        ("ip", "102015"),
        ("ip", "010.020.001.050"),
        ("management_ip", "#REF!"),
        ("management_ip", "10.9.0.1\n10.9.0.2"),
    ];
    for (column, cell) in cells {
        let value = |name: &str, usual: &str| if name == column { cell.to_owned() } else { usual.to_owned() };
        let csv = format!(
            "mac;venture;role;serial;ip;management_ip\r\n\"{}\";shop;web;\"{}\";\"{}\";\"{}\"\r\n",
            value("mac", "52:54:00:00:00:01"),
            value("serial", ""),
            value("ip", ""),
            value("management_ip", ""),
        );
        let Content { errors, .. } = content(csv.as_bytes());
        assert_eq!(errors.len(), 1, "{cell:?}: {errors:?}");
        assert_eq!((errors[0].row, errors[0].column.as_str()), (2, column), "{cell:?}");
        let message = &errors[0].broken.message;
        assert!(message.matches(cell).count() < 2 && !message.contains(char::is_control), "{message}");
    }
}

#[test]
fn a_value_of_any_signs_and_length_is_shown_once_and_short() {
    for cell in ["web\"\"02", "we\\b_2", "a\u{1}b", &"x".repeat(5_000), "„b"] {
        for column in ["hostname", "rack", "network", "role", "mac", "ip"] {
            let csv = format!("mac;venture;role;{column}\n52:54:00:00:00:01;shop;web;\"{cell}\"\n");
            let csv = csv.replace(if column == "role" { "venture;role;role" } else { "\u{0}" }, "venture;rack;role");
            let csv = if column == "mac" { format!("venture;role;mac\nshop;web;\"{cell}\"\n") } else { csv };
            for error in content(csv.as_bytes()).errors {
                let message = error.broken.message;
                assert!(message.len() < 500 && !message.contains(char::is_control), "{message}");
                assert!(message.matches(&cell.replace("\"\"", "\"")).count() < 2, "{message}");
            }
        }
    }
}

#[test]
fn placeholders_of_operators_are_ignored_with_the_reason() {
    for filler in ["TBD", "tbc", "unknown", "x", "xxx", "0", "NULL", "nil", "keine", "k.A.", "[blank]", "INVALID", "n/a", "?"] {
        let csv = format!(
            "mac;venture;role;ip;management_ip;hostname;serial\n52:54:00:00:00:01;shop;web;{filler};{filler};{filler};{filler}\n"
        );
        let found = rows(csv.as_bytes());
        let row = &found[0];
        assert_eq!((row.ip, &row.management_ip, &row.hostname, &row.serial), (None, &None, &None, &None), "{filler}");
    }
}

#[test]
fn an_address_with_ascending_digits_is_not_a_placeholder() {
    for ip in ["1.23.45.67", "12.34.56.7", "12.34.56.78", "123.45.67.89", "0.1.23.45"] {
        let read = |column: &str| rows(format!("mac;venture;role;{column}\n52:54:00:00:00:01;shop;web;{ip}\n").as_bytes());
        assert_eq!(read("ip")[0].ip.map(|found| found.to_string()).as_deref(), Some(ip));
        assert_eq!(read("management_ip")[0].management_ip.as_ref().map(ToString::to_string).as_deref(), Some(ip));
    }
}

#[test]
fn titles_groups_numbers_sums_copied_headings_and_blank_rows_are_understood() {
    let csv = "Servers – as of March;;;;\r\n;;Network;Rack;\r\n#;MAC address*;Venture (team);Role;IP (v4)\r\n-;---;---;---;---\r\n\
               1;52:54:00:00:00:01;shop;web;10.0.0.1\r\n;;;;\r\n# more, further down;;;;\r\n\
               #;IP;Venture;Role;MAC\r\n2;１０．０．０．２;shop;web;52:54:00:00:00:02\r\nTotal;2;;;\r\n2 servers;;;;\r\n";
    let found = rows(csv.as_bytes());
    let seen: Vec<(u64, String)> = found.iter().map(|row| (row.line, row.ip.expect("an address").to_string())).collect();
    assert_eq!(seen, [(5, "10.0.0.1".to_owned()), (9, "10.0.0.2".to_owned())]);
}

#[test]
fn values_beside_the_table_and_foreign_columns_are_one_error_each() {
    let (row, rule, _) = refusal("mac;venture;role\n52:54:00:00:00:01;shop;web;;← check\n".as_bytes());
    assert_eq!((row, rule.as_str()), (2, "column_unnamed"));
    let csv = format!(
        "mac;venture;role;{}\n52:54:00:00:00:01;shop;web\n",
        (0..40).map(|n| format!("Owner{n}")).collect::<Vec<_>>().join(";")
    );
    let Content { errors, .. } = content(csv.as_bytes());
    assert!(errors.len() == 1 && errors[0].broken.message.contains("30 more"), "{errors:?}");
}

#[test]
fn a_quote_that_is_not_closed_is_one_error_where_it_opens() {
    for open in ["\"shop", "\"shop\"x"] {
        let csv = format!(
            "mac;venture;role\n52:54:00:00:00:01;shop;web\n52:54:00:00:00:02;{open};web\n52:54:00:00:00:03;\"shop\";web\n"
        );
        let Content { rows, errors } = content(csv.as_bytes());
        assert_eq!((rows.len(), errors.len(), errors[0].row), (0, 1, 3), "{errors:?}");
        assert!(errors[0].broken.message.contains("quote"), "{errors:?}");
    }
}

#[test]
fn an_encoding_is_read_or_is_one_error_that_names_the_first_cell() {
    let sheet = "Übersicht\r\nmac;venture;role;serial\r\n52:54:00:00:00:01;shop;web;A1\r\n52:54:00:00:00:02;shop;web;A2\r\n";
    let latin = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect::<Vec<u8>>();
    let wide: Vec<u8> = sheet.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let padded = [sheet.as_bytes(), b"\x1a\0\0\0"].concat();
    for bytes in [latin(sheet), wide, padded, sheet.replace("\r\n", "\r").into_bytes()] {
        let lines: Vec<u64> = rows(&bytes).iter().map(|row| row.line).collect();
        assert_eq!(lines, [3, 4]);
    }
    let broken = latin(&sheet.replace("A1", "Ä1").replace("A2", "Ä2"));
    let Content { rows, errors } = content(&broken);
    assert_eq!((rows.len(), errors.len()), (0, 1), "{errors:?}");
    assert_eq!((errors[0].row, errors[0].column.as_str(), errors[0].broken.rule.as_str()), (3, "serial", "not_utf8"));
}

#[test]
fn errors_are_bounded() {
    let csv = String::from("mac;venture;role\n") + &"nonsense;;\n".repeat(50_000);
    let count = content(csv.as_bytes()).errors.len();
    assert!(count <= 10_010, "{count}");
}

#[test]
fn a_filler_that_is_no_name_is_no_network_rack_or_boot_image() {
    for filler in ["To be filled by O.E.M.", "Not Specified", "??", "n/a"] {
        let csv = format!("mac;venture;role;network;rack;boot_image\n52:54:00:00:00:01;shop;web;{filler};{filler};{filler}\n");
        let found = rows(csv.as_bytes());
        assert_eq!((&found[0].network, &found[0].rack, &found[0].boot_image), (&None, &None, &None), "{filler}");
        let (_, rule, _) = refusal(csv.replace("shop", filler).as_bytes());
        assert!(rule.starts_with("venture_"), "{filler}: {rule}");
    }
    let found = rows(b"mac;venture;role;rack\n52:54:00:00:00:01;shop;web;To be filled\n");
    assert!(found[0].notes[0].contains("rack") && found[0].notes[0].contains("To be filled"), "{:?}", found[0].notes);
}

#[test]
fn an_address_that_is_given_by_itself_is_left_out_and_a_port_is_no_time_of_day() {
    let found = rows(b"mac;venture;role;ip;management_ip\n52:54:00:00:00:01;shop;web;DHCP;auto\n");
    assert_eq!((found[0].ip, &found[0].management_ip, found[0].notes.len()), (None, &None, 2));
    let (_, rule, message) = refusal(b"mac;venture;role;ip\n52:54:00:00:00:01;shop;web;10.0.0.1:80\n");
    assert!(rule == "ip_invalid" && !message.contains("time"), "{message}");
    for serial in ["1.234,56", "70123456,0"] {
        let (_, rule, message) = refusal(format!("mac;venture;role;serial\n52:54:00:00:00:01;shop;web;{serial}\n").as_bytes());
        assert!(rule == "serial_invalid" && message.contains("separators"), "{message}");
    }
}

#[test]
fn a_date_or_number_that_is_no_name_is_refused_as_what_it_is() {
    for column in ["network", "rack", "boot_image", "hostname"] {
        for (cell, word) in [("26/03/2026", "date"), ("12:30", "time"), ("1,5E+10", "rounded"), ("26. Mrz", "date")] {
            let csv = format!("mac;venture;role;{column}\n52:54:00:00:00:01;shop;web;{cell}\n");
            let (row, rule, message) = refusal(csv.as_bytes());
            assert_eq!((row, rule), (2, format!("{column}_invalid")), "{cell}");
            assert!(message.contains(word) && message.matches(cell).count() == 1, "{message}");
        }
    }
}
