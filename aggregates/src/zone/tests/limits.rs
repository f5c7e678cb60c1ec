//! Tests of the limits of zones and of their extra records, and of records in the place of others.

use super::*;
use crate::zone::mailbox::Mailbox;
use crate::zone::master_file::{LONGEST, LONGEST_TTL, MOST};

/// A name of so many characters, whose last part has letters only.
fn long_name(length: usize) -> String {
    format!("{}.{}", vec!["a".repeat(63); 3].join("."), "b".repeat(length - 3 * 64))
}

fn readable(records: &str) -> bool {
    with(records).extra().is_ok()
}

#[test]
fn records_up_to_the_limits_are_read() {
    let name = |length: usize| long_name(length - ".dc1.example".len());
    for (what, fine, wrong) in [
        ("a tag", format!("a CAA 0 {} x", "t".repeat(15)), format!("a CAA 0 {} x", "t".repeat(16))),
        ("a text", format!("a TXT {}", "x".repeat(255)), format!("a TXT {}", "x".repeat(256))),
        ("digits", format!("a TLSA 3 1 0 {}", "ab".repeat(512)), format!("a TLSA 3 1 0 {}", "ab".repeat(513))),
        ("a part of a name", format!("{} A 10.0.0.1", "a".repeat(63)), format!("{} A 10.0.0.1", "a".repeat(64))),
        ("a name", format!("{} A 10.0.0.1", name(253)), format!("{} A 10.0.0.1", name(254))),
        ("a time", format!("a {LONGEST_TTL} A 10.0.0.1"), format!("a {} A 10.0.0.1", LONGEST_TTL + 1)),
        ("all records", ";".repeat(LONGEST), ";".repeat(LONGEST + 1)),
        ("the number of records", "a A 10.0.0.1\n".repeat(MOST), "a A 10.0.0.1\n".repeat(MOST + 1)),
    ] {
        assert!(readable(&fine), "{what} at the limit is refused");
        assert!(!readable(&wrong), "{what} above the limit is accepted");
    }
}

#[test]
fn a_mail_address_fits_into_a_domain_name() {
    let part = "a".repeat(63);
    let mailbox = |local: usize, domain: usize| format!("{}@{part}.{part}.{}", "m".repeat(local), "b".repeat(domain - 2 * 64));
    assert!(mailbox(63, 150).parse::<Mailbox>().is_ok());
    assert!(mailbox(64, 150).parse::<Mailbox>().is_err());
    assert!(mailbox(63, 189).parse::<Mailbox>().is_ok());
    assert!(mailbox(63, 190).parse::<Mailbox>().is_err());
}

#[test]
fn a_zone_has_up_to_13_name_servers_and_times_that_leave_a_retry() {
    let problems = |fields: Value| {
        let mut value = json!({"name": "dc1.example"});
        value.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        zone(value).problems().len()
    };
    let servers = |count: usize| (0..count).map(|n| format!("ns{n}.example.net")).collect::<Vec<_>>();
    assert_eq!(problems(json!({ "name_servers": servers(13) })), 0);
    assert_eq!(problems(json!({ "name_servers": servers(14) })), 1);
    assert_eq!(problems(json!({"refresh": 3600, "retry": 600, "expire": 4200})), 0);
    assert_eq!(problems(json!({"refresh": 3600, "retry": 600, "expire": 4199})), 1);
    assert_eq!((with("").ttl(), zone(json!({"name": "dc1.example", "ttl": 60})).ttl()), (300, 60));
}

#[test]
fn more_lines_are_refused_that_a_server_would_refuse() {
    for text in [
        "a IN IN A 10.0.0.1",
        "a TXT \"x\u{7}\"",
        "\"$TTL\" 1h",
        "a TXT \\25",
        "a TXT ( ( x )",
        "-a A 10.0.0.1",
        "a- A 10.0.0.1",
        "sub NS .",
        "gc._msdcs MX 10 mail.example.net.",
        "sub NS ns.example.net.\nx.sub NS ns2.example.net.",
        "lab TXT x",
        "lab NS ns.example.net.\nx.lab NS ns2.example.net.",
        "lab NS ns.example.net.\nx.lab TXT y",
        "a CNAME b\na CNAME b",
    ] {
        assert!(!errors(text).is_empty(), "{text:?}");
    }
}

#[test]
fn more_lines_are_accepted_that_a_server_loads() {
    for text in [
        "a TXT \"x\ty\"",
        "a-b A 10.0.0.1",
        "p PTR a_b.example.",
        "lab NS ns.example.net.\nx.lab A 10.0.0.1",
        "lab NS ns.example.net.\nlab DS 1 8 9 ab",
        "h200 60 SSHFP 4 9 ab",
        "h201 60 A 10.0.0.20",
        "a 60 A 10.0.0.1\na TXT x",
        "a A 10.0.0.1\nb A 10.0.0.1",
    ] {
        assert_eq!(errors(text), [""; 0], "{text:?}");
    }
}

#[test]
fn a_digest_has_the_length_of_its_type() {
    for (start, octets) in [
        ("a SSHFP 4 1", 20),
        ("a SSHFP 4 2", 32),
        ("sub NS ns.example.net.\nsub DS 1 8 1", 20),
        ("sub NS ns.example.net.\nsub DS 1 8 2", 32),
        ("sub NS ns.example.net.\nsub DS 1 8 4", 48),
        ("a TLSA 3 1 1", 32),
        ("a TLSA 3 1 2", 64),
    ] {
        let of_length = |octets: usize| errors(&format!("{start} {}", "ab".repeat(octets)));
        assert_eq!(of_length(octets), [""; 0], "{start}");
        assert_eq!((of_length(octets - 1).len(), of_length(octets + 1).len()), (1, 1), "{start}");
    }
}

#[test]
fn names_are_full_where_the_origin_is_the_root() {
    let extra = with("$ORIGIN .\na.dc1.example A 10.0.0.1").extra().expect("records");
    assert_eq!(extra[0].name.as_str(), "a.dc1.example");
}

#[test]
fn a_pointer_of_a_reverse_zone_names_a_host() {
    let refused = |target: &str| {
        let zone = zone(json!({"name": "0.10.in-addr.arpa", "records": format!("7.0 PTR {target}")}));
        !check(&zone, &zone.extra().expect("records"), &[], &[]).is_empty()
    };
    assert!(refused("a_b.example.") && !refused("a-b.example."));
}

#[test]
fn records_at_the_top_of_a_zone_and_of_other_types_leave_a_device_its_name() {
    let zone = with("@ NS ns.example.net.\nwww TXT x\nsub NS ns.example.net.");
    let extra = zone.extra().expect("records");
    let conflicts = |name: &str| conflict(&zone, &extra, name, "A", "10.0.0.2").map(|(record, _)| record.line);
    assert_eq!((conflicts("h1.dc1.example"), conflicts("www.dc1.example")), (None, None));
    assert_eq!((conflicts("h1.sub.dc1.example"), conflicts("xsub.dc1.example")), (Some(3), None));
}
