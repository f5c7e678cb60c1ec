//! Files of zones with extra records, checked by BIND's own checker.

use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::zone;
use bootledger_aggregates::zone::rules::{OwnRecord, check, without_address};
use bootledger_projections::rows::dns_records::DnsRecord;
use bootledger_web::machines::dns::zone::{Zone, render};
use serde_json::json;
use std::process::Command;

fn record(name: &str, value: &str) -> DnsRecord {
    DnsRecord { name: name.to_owned(), r#type: "A".to_owned(), value: value.to_owned(), device: DeviceId::default() }
}

/// The output of `named-checkzone` for a file of dc1.example that it accepts.
fn checked(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("zone");
    std::fs::write(&file, text).expect("a file");
    let output = Command::new("named-checkzone").args(["-i", "local", "-k", "fail", "dc1.example"]).arg(&file).output();
    let output = output.expect("named-checkzone, which is in Debian's package bind9-utils");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}\n{text}");
    said
}

/// BIND loads every combination of accepted records without a warning.
#[test]
fn bind_loads_every_combination_of_extra_records_that_is_accepted() {
    let lines = [
        "@ MX 10 mail",
        "@ MX 0 .",
        "mail A 10.1.0.1",
        "mail AAAA 2001:db8::1",
        "mail CNAME a",
        "a CNAME mail",
        "a A 10.1.0.2",
        "a 60 A 10.1.0.3",
        "sub NS ns.sub",
        "sub NS ns1",
        "ns.sub A 10.1.0.4",
        "sub DS 1 8 2 1111111111111111111111111111111111111111111111111111111111111111",
        "x.sub TXT y",
        "ns1 A 10.1.0.5",
        "* A 10.1.0.6",
        "*.w CNAME a",
        "_s._tcp SRV 0 5 5060 mail",
        "_s._tcp SRV 0 5 5060 x.sub",
        "_s._tcp SRV 0 0 0 .",
        "@ TXT \"v=spf1; mx\" \"-all\"",
        "@ CAA 0 issue \"ca.example\"",
        "h200 TXT x",
        "h200 A 10.0.0.20",
        "h200 CNAME a",
        "h300 A 10.1.0.7",
        "u_s A 10.1.0.8",
        "u_s TXT ok",
        "_443._tcp.a TLSA 3 1 1 1111111111111111111111111111111111111111111111111111111111111111",
        "a SSHFP 4 2 1111111111111111111111111111111111111111111111111111111111111111",
        "n NAPTR 10 5 \"u\" \"E2U+sip\" \"!^.*$!sip:x@example.net!\" .",
        "p PTR mail",
        "@ A 10.1.0.9",
        "@ NS ns1",
        "@ CNAME a",
        "*.sub A 10.1.0.1",
        "$TTL 60",
        "sub A 10.1.0.4",
        "a.b.c.d A 10.1.0.1",
        "b.c CNAME d.e.example.net.",
        "m MX 5 *.w",
        "m MX 5 10.1.0.1",
        "h200.sub A 10.1.0.1",
    ];
    let own = [record("h1000.dc1.example", "10.0.0.30"), record("h200.dc1.example", "10.0.0.20")];
    let known = own.clone().map(|record| OwnRecord {
        name: record.name,
        kind: "A".to_owned(),
        value: record.value,
        holder: "a device".to_owned(),
    });
    let (mut state, mut accepted, mut refused) = (1_u64, 0, 0);
    for _ in 0..250 {
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).expect("a number") % below
        };
        let mut records: Vec<&str> = (0..=next(5)).map(|_| lines[next(lines.len())]).collect();
        let servers = match next(8) {
            0 => json!(["ns1.dc1.example"]),
            1 => json!(["ns.sub.dc1.example", "ns2.example.net"]),
            2 => {
                records.push("ns1 A 10.1.0.5");
                json!(["ns1.dc1.example"])
            }
            _ => json!([]),
        };
        let fields = json!({ "name": "dc1.example", "records": records.join("\n"), "name_servers": servers });
        let zone: zone::Zone = serde_json::from_value(fields).expect("a zone");
        let valid = zone
            .extra()
            .is_ok_and(|extra| check(&zone, &extra, &[], &known).is_empty() && without_address(&zone, &extra).is_empty());
        if !valid {
            refused += 1;
            continue;
        }
        accepted += 1;
        let managed = [zone.clone()];
        let file = Zone { zone: &zone, domain: &zone.name, managed: &managed, records: &own, serial: 77 };
        let text = render(&file).expect("a file");
        assert_eq!(checked(&text), "zone dc1.example/IN: loaded serial 77\nOK\n", "{text}");
    }
    assert!(accepted > 40 && refused > 40, "{accepted} accepted, {refused} refused");
}
