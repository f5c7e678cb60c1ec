//! Tests of zones: how their names are interpreted, and which extra records are accepted.

mod limits;
mod places;

use super::data::Data;
use super::rules::{OwnRecord, check, conflict, without_address};
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fmt::Write;

fn zone(value: Value) -> Zone {
    serde_json::from_value(value).expect("a zone")
}

fn with(records: &str) -> Zone {
    zone(json!({"name": "dc1.example", "records": records}))
}

/// The errors in extra records of dc1.example, when lab.dc1.example is a separate zone.
fn errors(records: &str) -> Vec<String> {
    let zone = with(records);
    let lab = "lab.dc1.example".parse().expect("a name");
    let own = |name: &str, kind: &str, value: &str| OwnRecord {
        name: name.to_owned(),
        kind: kind.to_owned(),
        value: value.to_owned(),
        holder: "device d1".to_owned(),
    };
    let own = [own("h200.dc1.example", "A", "10.0.0.20"), own("h1.rack.dc1.example", "A", "10.0.0.21")];
    let errors = match zone.extra() {
        Ok(extra) => check(&zone, &extra, &[&lab], &own),
        Err(errors) => errors,
    };
    errors.iter().map(ToString::to_string).collect()
}

fn name(text: &str, ip: [u8; 4]) -> Option<String> {
    text.parse::<Zone>().expect(text).pointer_name(Ipv4Addr::from(ip))
}

#[test]
fn a_zone_is_written_as_its_name_until_it_has_more_and_reads_both() {
    for text in [json!("dc1.example"), json!({"name": "dc1.example", "ttl": 60, "serial": "date"})] {
        assert_eq!(serde_json::to_value(zone(text.clone())).expect("JSON"), text);
    }
    assert_eq!(zone(json!({"name": "DC1.example"})), zone(json!("dc1.example")), "an object with nothing but a name is the name");
    let full = json!({
        "name": "dc1.example", "name_servers": ["NS1.dc1.example.", "ns2.example.net"], "mname": "p.example.net.", "rname": "a.b@c.example",
        "records": "a A 1.2.3.4\r\nb A 1.2.3.5"
    });
    let written = serde_json::to_value(zone(full)).expect("JSON");
    assert_eq!(written["name_servers"], json!(["ns1.dc1.example", "ns2.example.net"]));
    assert_eq!((&written["mname"], &written["records"]), (&json!("p.example.net"), &json!("a A 1.2.3.4\nb A 1.2.3.5")));
    assert_eq!(zone(written.clone()), zone(written), "what is read can be written");
    for (wrong, words) in [
        (json!({"name": "dc1.example", "rang": "10.0.0.0/25"}), "unknown field `rang`"),
        (json!({"ttl": 60}), "missing field `name`"),
        (json!(5), "the name of a zone such as"),
        (json!({"name": "dc1.example", "serial": "dates"}), "`position`, `unixtime`, `date`"),
        (json!({"name": "dc1.example", "rname": "nobody"}), "is not an email address"),
        (json!({"name": "dc1.example", "serial_floor": 4_294_967_296_i64}), "expected u32"),
    ] {
        let error = serde_json::from_value::<Zone>(wrong).expect_err("refused").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn zones_of_whole_octets_have_the_address_under_its_own_reverse_name() {
    for zone in ["10.in-addr.arpa", "0.10.in-addr.arpa", "3.0.10.in-addr.arpa", "20.3.0.10.in-addr.arpa", "in-addr.arpa"] {
        assert_eq!(name(zone, [10, 0, 3, 20]).as_deref(), Some("20.3.0.10.in-addr.arpa"), "{zone}");
    }
    for zone in ["11.in-addr.arpa", "dc1.example", "xin-addr.arpa", "010.in-addr.arpa", "1.20.3.0.10.in-addr.arpa"] {
        assert_eq!(name(zone, [10, 0, 3, 20]), None, "{zone}");
    }
}

#[test]
fn zones_of_smaller_networks_have_it_under_their_own_name() {
    for (zone, last, expected) in [
        ("0/25.2.0.192.in-addr.arpa", 127, Some("127.0/25.2.0.192.in-addr.arpa")),
        ("0/25.2.0.192.in-addr.arpa", 128, None),
        ("128/26.2.0.192.in-addr.arpa", 191, Some("191.128/26.2.0.192.in-addr.arpa")),
        ("128-26.2.0.192.in-addr.arpa", 191, Some("191.128-26.2.0.192.in-addr.arpa")),
        ("128-26.2.0.192.in-addr.arpa", 192, None),
        ("0-127.2.0.192.in-addr.arpa", 127, Some("127.0-127.2.0.192.in-addr.arpa")),
        ("8-11.2.0.192.in-addr.arpa", 11, Some("11.8-11.2.0.192.in-addr.arpa")),
        ("8-11.2.0.192.in-addr.arpa", 12, None),
        ("3/25.2.0.192.in-addr.arpa", 5, None),
        ("0/33.2.0.192.in-addr.arpa", 0, None),
        ("0/24.2.0.192.in-addr.arpa", 0, None),
        ("x/25.2.0.192.in-addr.arpa", 0, None),
        ("9-5.2.0.192.in-addr.arpa", 7, None),
        ("rev7.2.0.192.in-addr.arpa", 7, None),
        // The interpretation of such a name before zones had a range.
        ("0-25.2.0.192.in-addr.arpa", 25, Some("25.0-25.2.0.192.in-addr.arpa")),
        ("0-25.2.0.192.in-addr.arpa", 26, None),
    ] {
        assert_eq!(name(zone, [192, 0, 2, last]).as_deref(), expected, "{zone} {last}");
    }
    assert_eq!(name("0/25.2.0.192.in-addr.arpa", [192, 0, 3, 5]), None);
}

#[test]
fn an_explicit_range_takes_precedence_over_the_label() {
    for label in ["0-25.2.0.192.in-addr.arpa", "rev7.2.0.192.in-addr.arpa", "a.b.2.0.192.in-addr.arpa", "rev.dc1.example"] {
        let zone = zone(json!({"name": label, "range": "192.0.2.0/25"}));
        assert_eq!(zone.problems(), [], "{label}");
        assert_eq!(zone.pointer_name(Ipv4Addr::new(192, 0, 2, 99)), Some(format!("99.{label}")));
        assert_eq!(zone.pointer_name(Ipv4Addr::new(192, 0, 2, 128)), None);
        assert_eq!((zone.above().as_str(), zone.is_reverse()), ("2.0.192.in-addr.arpa", true));
    }
}

#[test]
fn a_name_that_does_not_determine_its_addresses_is_refused_with_a_solution() {
    for (value, words) in [
        (json!("0-25.2.0.192.in-addr.arpa"), "can mean the addresses 192.0.2.0 to 192.0.2.25 or 192.0.2.0/25"),
        (json!("0-31.2.0.192.in-addr.arpa"), r#""range": "192.0.2.0-192.0.2.31""#),
        (json!("16-28.2.0.192.in-addr.arpa"), "192.0.2.16/28"),
        (json!("rev7.2.0.192.in-addr.arpa"), r#"such as "range": "192.0.2.0/25""#),
        (json!("3/25.2.0.192.in-addr.arpa"), "does not determine the addresses"),
        (json!("300.10.in-addr.arpa"), "does not determine the addresses"),
        (json!({"name": "128-26.2.0.192.in-addr.arpa", "range": "192.0.2.0/26"}), "correct one of them"),
        (json!({"name": "0-25.2.0.192.in-addr.arpa", "range": "192.0.2.0/26"}), "correct one of them"),
        (json!({"name": "2.0.192.in-addr.arpa", "range": "192.0.2.0/25"}), "is for 192.0.2.0/24 by its name"),
        (json!({"name": "rev7.2.0.192.in-addr.arpa", "range": "192.0.3.0/25"}), "is below the zone of 192.0.2.0/24"),
        (json!({"name": "rev.2.in-addr.arpa", "range": "2.0.0.0/20"}), "more than one /24"),
        (json!({"name": "8.b.d.0.1.0.0.2.ip6.arpa", "range": "192.0.2.0/25"}), "IPv6"),
    ] {
        let problems = zone(value.clone()).problems();
        assert!(problems.len() == 1 && problems[0].0 == "range" && problems[0].1.contains(words), "{value}: {problems:?}");
    }
    for fine in [
        "0-127.2.0.192.in-addr.arpa",
        "128-26.2.0.192.in-addr.arpa",
        "0/25.2.0.192.in-addr.arpa",
        "10.in-addr.arpa",
        "8.b.d.0.1.0.0.2.ip6.arpa",
        "dc1.example",
    ] {
        assert_eq!(zone(json!(fine)).problems(), [], "{fine}");
    }
}

#[test]
fn the_smallest_zone_has_the_address_and_not_the_one_with_the_longest_name() {
    let zones = [
        json!("2.0.192.in-addr.arpa"),
        json!({"name": "a-very-long-label-for-a-zone.2.0.192.in-addr.arpa", "range": "192.0.2.0/25"}),
        json!({"name": "x.2.0.192.in-addr.arpa", "range": "192.0.2.0/26"}),
    ]
    .map(zone);
    let held = |last| holding(&zones, "", Some(Ipv4Addr::new(192, 0, 2, last))).map(|(_, name)| name);
    assert_eq!(held(5).as_deref(), Some("5.x.2.0.192.in-addr.arpa"));
    assert_eq!(held(100).as_deref(), Some("100.a-very-long-label-for-a-zone.2.0.192.in-addr.arpa"));
    assert_eq!(held(200).as_deref(), Some("200.2.0.192.in-addr.arpa"));
}

#[test]
fn soa_fields_have_bounds() {
    for (field, value, count) in [
        ("refresh", json!(0), 1),
        ("expire", json!(4_199), 1),
        ("ttl", json!(2_147_483_648_u32), 1),
        ("minimum", json!(0), 0),
        ("mname", json!("p.example.net"), 1),
        ("name_servers", json!(["a.example", "a.example"]), 1),
    ] {
        assert_eq!(zone(json!({"name": "dc1.example", field: value})).problems().len(), count, "{field}");
    }
}

#[test]
fn a_master_file_is_read_in_every_common_notation() {
    let text = "\u{feff}; from the old server\r\n$TTL 1h\n@\tIN MX 10 mail.example.net.\n  IN TXT ( \"v=spf1; \"  ; a comment )\n \"-all\" )\n\
                NS1 3600 IN A 10.0.0.53\nns1 IN 60 AAAA 2001:DB8::53\n$ORIGIN sub\nwww CNAME @\n@ A 10.0.0.7\n_sip._tcp SRV 0 5 5060 sip.example.net.\n\
                * 1d2h TXT a\\;b \"\\\"q\\092\\200\"\n$ORIGIN dc1.example.\nhost CAA 0 ISSUE \"ca.example\"\nhost SSHFP 4 9 ( abcd\n EF01 )\n";
    let zone = with(text);
    let records = zone.extra().expect("records");
    let shown: Vec<String> = records
        .iter()
        .map(|record| format!("{} {}. {:?} {} {}", record.line, record.name, record.ttl, record.data.kind(), record.data))
        .collect();
    assert_eq!(
        shown,
        [
            "3 dc1.example. Some(3600) MX 10 mail.example.net.",
            r#"4 dc1.example. Some(3600) TXT "v=spf1; " "-all""#,
            "6 ns1.dc1.example. Some(3600) A 10.0.0.53",
            "7 ns1.dc1.example. Some(60) AAAA 2001:db8::53",
            "9 www.sub.dc1.example. Some(3600) CNAME sub.dc1.example.",
            "10 sub.dc1.example. Some(3600) A 10.0.0.7",
            "11 _sip._tcp.sub.dc1.example. Some(3600) SRV 0 5 5060 sip.example.net.",
            r#"12 *.sub.dc1.example. Some(93600) TXT "a;b" "\"q\\\200""#,
            r#"14 host.dc1.example. Some(3600) CAA 0 issue "ca.example""#,
            "15 host.dc1.example. Some(3600) SSHFP 4 9 abcdef01",
        ]
    );
}

#[test]
fn unreadable_records_are_refused_with_their_line() {
    let long = format!("a TXT {}", "x".repeat(256));
    let mut messages = String::new();
    for (text, line) in [
        ("\n$INCLUDE other", 2),
        ("$GENERATE 1-9 h$ A 10.0.0.$", 1),
        ("$FOO x", 1),
        ("$TTL x", 1),
        ("a A 10.0.0.1\nb A 10.0.0.256", 2),
        ("a A 10.0.0.1 10.0.0.2", 1),
        ("a A", 1),
        ("a", 1),
        ("  A 10.0.0.1", 1),
        ("a CH A 10.0.0.1", 1),
        ("a SOA ns1 host 1 2 3 4 5", 1),
        ("@ RRSIG A 8 2", 1),
        ("a TYPE65534 \\# 0", 1),
        ("a SPF x", 1),
        ("a.example.net. A 10.0.0.1", 1),
        ("dc1.example A 10.0.0.1\nx.dc2.example. A 10.0.0.1", 2),
        ("a.b..c A 10.0.0.1", 1),
        ("ä A 10.0.0.1", 1),
        ("a\\.b A 10.0.0.1", 1),
        ("a.*.b A 10.0.0.1", 1),
        ("a TXT \"x", 1),
        ("a TXT ( x", 1),
        ("a TXT x )", 1),
        ("a TXT \\25x", 1),
        ("a TXT \\999", 1),
        ("a 99999999999 A 10.0.0.1", 1),
        ("a MX +1 b", 1),
        ("a TLSA 3 1 1 abc", 1),
        ("a SSHFP 4 1 \"\"", 1),
        ("a SSHFP 4 1 abcd", 1),
        ("a SSHFP 4 2 abcd", 1),
        ("a DS 1 8 4 abcd", 1),
        ("a NAPTR 1 1 u s bad .", 1),
        ("a NAPTR 1 1 u s \"!(!x!\" .", 1),
        (long.as_str(), 1),
    ] {
        let errors = with(text).extra().expect_err(text);
        assert_eq!(errors[0].line, line, "{text}: {errors:?}");
        writeln!(messages, "{text:?}\n    {}", errors[0].message).expect("a line");
    }
    for text in ["a A 10.0.0.1\n".repeat(5_000), ";".repeat(200_000)] {
        writeln!(messages, "{}", with(&text).extra().expect_err("too much")[0].message).expect("a line");
    }
    insta::assert_snapshot!("unreadable_records", messages);
}

#[test]
fn records_that_a_server_would_refuse_are_refused_with_their_line() {
    let mut messages = String::new();
    for (text, line) in [
        ("a CNAME b\na TXT x", 2),
        ("a TXT x\na CNAME b", 2),
        ("a CNAME b\na CNAME c", 2),
        ("@ CNAME b", 1),
        ("@ NS ns1", 1),
        ("a A 10.0.0.1\nA A 10.0.0.1", 2),
        ("a 60 A 10.0.0.1\na A 10.0.0.2", 2),
        ("a_b A 10.0.0.1", 1),
        ("*.a_b AAAA ::1", 1),
        ("a MX 10 b_c", 1),
        ("a MX 10 mail", 1),
        ("a MX 10 h200", 1),
        ("a SRV 0 0 1 b\nb CNAME c\nc A 10.0.0.1", 1),
        ("sub NS ns.sub", 1),
        ("sub NS ns\nns CNAME x", 1),
        ("sub NS ns.example.net.\nx.sub TXT y", 2),
        ("sub NS ns.example.net.\nsub TXT y", 2),
        ("sub DS 1 8 9 ab", 1),
        ("@ DS 1 8 9 ab", 1),
        ("*.x NS ns.example.net.", 1),
        ("x.lab A 10.0.0.1", 1),
        ("a TLSA 3 1 1 abcd", 1),
        ("a MX 10 10.0.0.5.", 1),
        ("a CNAME 10.0.0.5.", 1),
        ("a CNAME .", 1),
        // These contradict the records of devices.
        ("h200 CNAME a", 1),
        ("h200 A 10.0.0.99", 1),
        ("h200 60 A 10.0.0.20", 1),
        ("rack NS ns.example.net.", 1),
    ] {
        let found = errors(text);
        let expected = format!("line {line}: ");
        assert!(found.iter().any(|error| error.starts_with(&expected)), "{text}: {found:?}");
        writeln!(messages, "{text:?}\n    {}", found.join("\n    ")).expect("a line");
    }
    insta::assert_snapshot!("refused_records", messages);
}

#[test]
fn records_that_servers_load_are_accepted() {
    for text in [
        "",
        "; nothing",
        "a MX 0 .\nb SRV 0 0 0 .",
        "mail A 10.0.0.1\n@ MX 10 mail\n@ TXT \"v=spf1 mx -all\"",
        "sub NS ns.sub\nns.sub A 10.0.0.1\nsub DS 1 8 9 ab",
        "sub NS ns.example.net.\na MX 10 mail.sub",
        "lab NS ns.lab\nns.lab A 10.0.0.1",
        "h200 TXT x\nh200 A 10.0.0.20\nh200 SSHFP 4 9 ab",
        "* A 10.0.0.9\n*.x CNAME y.example.net.",
        "gc._msdcs A 10.0.0.9\nGC._msdcs.X AAAA ::1",
        "_a._tcp CNAME _b._udp\n_dmarc TXT x",
    ] {
        assert_eq!(errors(text), [""; 0], "{text}");
    }
}

#[test]
fn a_name_server_inside_the_zone_has_an_address_of_its_own() {
    let servers = |records: &str| {
        let zone =
            zone(json!({"name": "dc1.example", "name_servers": ["ns1.dc1.example", "ns2.example.net"], "records": records}));
        without_address(&zone, &zone.extra().expect("records"))
    };
    assert_eq!(servers("ns1 A 10.0.0.53"), [""; 0]);
    assert!(servers("")[0].contains("ns1.dc1.example"));
    assert!(servers("ns1 CNAME h1\nh1 A 10.0.0.53")[0].contains("ns1.dc1.example"));
}

#[test]
fn a_device_cannot_take_names_or_addresses_of_extra_records() {
    let zone = with("www A 10.0.0.1\nftp CNAME www\nsub NS ns.example.net.\nmail AAAA ::1");
    let extra = zone.extra().expect("records");
    let conflicts = |name: &str, value: &str| conflict(&zone, &extra, name, "A", value).map(|(record, _)| record.line);
    assert_eq!(conflicts("www.dc1.example", "10.0.0.1"), None, "both say the same");
    assert_eq!(conflicts("www.dc1.example", "10.0.0.2"), Some(1));
    assert_eq!(conflicts("ftp.dc1.example", "10.0.0.2"), Some(2));
    assert_eq!((conflicts("sub.dc1.example", "10.0.0.2"), conflicts("h1.sub.dc1.example", "10.0.0.2")), (Some(3), Some(3)));
    assert_eq!((conflicts("mail.dc1.example", "10.0.0.2"), conflicts("h1.dc1.example", "10.0.0.2")), (None, None));
    let Data::Cname(target) = &extra[1].data else { panic!("an alias") };
    assert_eq!(target.as_str(), "www.dc1.example");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_and_what_is_written_is_read_again(text in "([a-z@$*;()\"\\\\ \t\n0-9.]|A |TXT |IN |\\$TTL |MX ){0,60}") {
        let zone = with(&text);
        if let Ok(records) = zone.extra() {
            let mut written = String::new();
            for r in &records {
                let _ = writeln!(written, "{}. {} IN {} {}", r.name, r.ttl.unwrap_or(300), r.data.kind(), r.data);
            }
            let again = with(&written).extra().expect("what was written");
            let data = |records: &[ExtraRecord]| records.iter().map(|r| (r.name.clone(), r.data.clone())).collect::<Vec<_>>();
            prop_assert_eq!(data(&records), data(&again));
        }
    }
}
