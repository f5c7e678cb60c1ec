//! A zone's master file (RFC 1035, 5). Every name is written in full, so that no line depends on another.

use anyhow::{Context, Result};
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::values::reverse_zone::{pointer_name, reversed};
use bootledger_projections::dns_records::DnsRecord;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// How long answers may be kept, in seconds: a redeployed host moves within minutes.
const TTL: u32 = 300;

/// What a zone's file says.
#[derive(Clone, Debug)]
pub struct Zone<'a> {
    /// The zone.
    pub name: &'a DomainName,
    /// The domain of the site that manages it, whose hostmaster is responsible.
    pub domain: &'a DomainName,
    /// Every zone that is managed; a record belongs to the longest that contains it.
    pub managed: &'a [DomainName],
    /// The records of this zone, and of others inside it.
    pub records: &'a [DnsRecord],
    /// The position of the last event that may have changed the file.
    pub changed: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Data {
    A(Ipv4Addr),
    Ptr(DomainName),
}

/// Writes the file. Fails on a record that no projector writes.
pub fn render(zone: &Zone<'_>) -> Result<String> {
    let records = records(zone)?;
    let mut text = String::with_capacity(512 + records.len() * 64);
    let apex = zone.name;
    let name_server = format!("ns.{apex}");
    let has_name_server = records.iter().any(|(name, data)| name.as_str() == name_server && matches!(data, Data::A(_)));
    // A name server inside the zone is only one with an address; without any, the file names none that exists, and
    // whoever serves it knows its own servers.
    let name_server = if has_name_server { name_server } else { "localhost".to_owned() };
    let _ = writeln!(text, "; Zone {apex}, written by Bootledger. Changes made here are lost with the next download.");
    let _ = writeln!(text, "$TTL {TTL}");
    let _ =
        writeln!(text, "{apex}. IN SOA {name_server}. hostmaster.{}. {} 3600 600 1209600 60", zone.domain, serial(zone.changed));
    let _ = writeln!(text, "{apex}. IN NS {name_server}.");
    for (name, data) in records {
        let _ = match data {
            Data::A(address) => writeln!(text, "{name}. IN A {address}"),
            Data::Ptr(host) => writeln!(text, "{name}. IN PTR {host}."),
        };
    }
    Ok(text)
}

/// A position as a serial number: positions only grow, and serials go on from 0 after 2^32 (RFC 1982).
fn serial(position: i64) -> u32 {
    u32::try_from(position.rem_euclid(1 << 32)).unwrap_or_default()
}

/// The zone's own records in an order that no database's collation decides, each once however many devices it is for.
fn records(zone: &Zone<'_>) -> Result<Vec<(DomainName, Data)>> {
    let mut records = BTreeSet::new();
    for record in zone.records {
        let Some(name) = own_name(zone, record) else { continue };
        let damaged = || format!("the views have a record {} {} {:?}", record.name, record.r#type, record.value);
        let data = match record.r#type.as_str() {
            "A" => Data::A(record.value.parse().with_context(damaged)?),
            "PTR" => Data::Ptr(record.value.parse().with_context(damaged)?),
            _ => anyhow::bail!(damaged()),
        };
        let name: DomainName = name.parse().with_context(damaged)?;
        records.insert((labels(&name), name, data));
    }
    Ok(records.into_iter().map(|(_, name, data)| (name, data)).collect())
}

fn own_name(zone: &Zone<'_>, record: &DnsRecord) -> Option<String> {
    name_in_zone(zone.name, zone.managed, record)
}

/// The record's name in a zone; `None` where it belongs to another: the smallest that holds it has it.
pub(crate) fn name_in_zone(zone: &DomainName, managed: &[DomainName], record: &DnsRecord) -> Option<String> {
    let name_in = |managed: &DomainName| match reversed(&record.name) {
        Some(ip) if record.r#type == "PTR" => pointer_name(managed, ip),
        _ => managed.contains(&record.name).then(|| record.name.clone()),
    };
    let holding = managed.iter().filter_map(|managed| Some((managed, name_in(managed)?)));
    let (smallest, name) = holding.max_by_key(|(managed, _)| managed.as_str().len())?;
    (smallest == zone).then_some(name)
}

/// The key that names are ordered by: label by label from the right, numbers as numbers.
fn labels(name: &DomainName) -> Vec<(Option<u64>, String)> {
    name.as_str().rsplit('.').map(|label| (label.parse().ok(), label.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn domain(text: &str) -> DomainName {
        text.parse().expect(text)
    }

    fn record(name: &str, r#type: &str, value: &str) -> DnsRecord {
        DnsRecord {
            name: name.to_owned(),
            r#type: r#type.to_owned(),
            value: value.to_owned(),
            device: bootledger_aggregates::values::ids::DeviceId::default(),
        }
    }

    fn zone(name: &str, records: &[DnsRecord]) -> String {
        let managed = ["dc1.example", "lab.dc1.example", "0.10.in-addr.arpa", "0/25.2.0.192.in-addr.arpa"].map(domain);
        let zone =
            Zone { name: &domain(name), domain: &domain("dc1.example"), managed: &managed, records, changed: 4_294_967_296 + 77 };
        render(&zone).expect("a zone")
    }

    fn check(name: &str, text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("zone");
        std::fs::write(&file, text).expect("a file");
        let output = Command::new("named-checkzone").arg(name).arg(&file).output();
        let output = output.expect("named-checkzone, which is in Debian's package bind9-utils");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{said}\n{text}");
        said
    }

    fn forward() -> Vec<DnsRecord> {
        vec![
            record("h1000.dc1.example", "A", "10.0.0.30"),
            record("h200.dc1.example", "A", "10.0.0.20"),
            record("h200.dc1.example", "A", "10.0.0.20"),
            record("x.lab.dc1.example", "A", "10.0.0.22"),
            record("dc1.example", "A", "10.0.0.5"),
        ]
    }

    #[test]
    fn a_zone_has_its_own_records_once_and_no_other_zones() {
        insta::assert_snapshot!("outer", zone("dc1.example", &forward()));
        insta::assert_snapshot!("inner", zone("lab.dc1.example", &forward()));
        let reverse =
            ["10", "9", "100"].map(|last| record(&format!("{last}.0.0.10.in-addr.arpa"), "PTR", &format!("h{last}.dc1.example")));
        insta::assert_snapshot!("reverse", zone("0.10.in-addr.arpa", &reverse));
    }

    #[test]
    fn bind_loads_every_zone_without_a_warning() {
        let with_server = [forward(), vec![record("ns.dc1.example", "A", "10.0.0.53")]].concat();
        let reverse = [record("20.0.0.10.in-addr.arpa", "PTR", "h200.dc1.example")];
        for (name, records) in [
            ("dc1.example", forward()),
            ("dc1.example", with_server),
            ("dc1.example", vec![]),
            ("lab.dc1.example", forward()),
            ("0.10.in-addr.arpa", reverse.to_vec()),
            ("0/25.2.0.192.in-addr.arpa", vec![]),
        ] {
            let said = check(name, &zone(name, &records));
            assert_eq!(said, format!("zone {name}/IN: loaded serial 77\nOK\n"));
        }
    }

    #[test]
    fn a_name_server_is_named_where_it_has_an_address() {
        let text = zone("dc1.example", &[record("ns.dc1.example", "A", "10.0.0.53")]);
        assert!(text.contains("dc1.example. IN NS ns.dc1.example.\n"), "{text}");
    }

    #[test]
    fn order_of_the_rows_does_not_change_a_byte() {
        let back: Vec<DnsRecord> = forward().into_iter().rev().collect();
        assert_eq!(zone("dc1.example", &forward()), zone("dc1.example", &back));
    }

    #[test]
    fn a_record_that_nobody_writes_is_refused() {
        for record in [
            record("a\nb.dc1.example", "A", "10.0.0.1"),
            record("h1.dc1.example", "TXT", "x"),
            record("h1.dc1.example", "A", "h2"),
            record("h1.dc1.example", "PTR", "a b"),
        ] {
            let managed = [domain("dc1.example")];
            let zone = Zone {
                name: &managed[0],
                domain: &managed[0],
                managed: &managed,
                records: std::slice::from_ref(&record),
                changed: 1,
            };
            assert!(render(&zone).is_err(), "{record:?}");
        }
    }
}
