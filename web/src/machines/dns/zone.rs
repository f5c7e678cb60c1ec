//! Writes a zone's master file (RFC 1035, 5). Every name is written in full, so that no line depends on another.

use anyhow::{Context, Result};
use bootledger_aggregates::values::hostname::{DomainName, Hostname, reverse_name};
use bootledger_aggregates::values::reverse_zone::reversed;
use bootledger_aggregates::zone::mailbox::{self, Mailbox};
use bootledger_aggregates::zone::master_file::ExtraRecord;
use bootledger_aggregates::zone::rules::conflict;
use bootledger_aggregates::zone::{self, holding};
use bootledger_projections::rows::dns_records::DnsRecord;
use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use std::net::Ipv4Addr;

/// The content of a zone file.
#[derive(Clone, Debug)]
pub struct Zone<'a> {
    /// The zone and its settings.
    pub zone: &'a zone::Zone,
    /// The domain of the site that manages the zone. Its hostmaster is responsible if the zone names no one.
    pub domain: &'a DomainName,
    /// Every managed zone. A record belongs to the smallest zone that contains it.
    pub managed: &'a [zone::Zone],
    /// The records of this zone, and of others inside it.
    pub records: &'a [DnsRecord],
    /// The serial number.
    pub serial: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Data {
    A(Ipv4Addr),
    Ptr(DomainName),
}

impl Data {
    /// The record's type, and its value without a final dot.
    fn parts(&self) -> (&'static str, String) {
        match self {
            Self::A(address) => ("A", address.to_string()),
            Self::Ptr(host) => ("PTR", host.to_string()),
        }
    }
}

/// The comment that begins the line of an extra record which the file leaves out.
pub(crate) const NOT_SERVED: &str = "; Not served";

/// Writes the file.
///
/// # Errors
/// Returns an error if a record of the zone has an invalid name or value, or a type other than A and PTR. The projector writes
/// no such record.
pub fn render(file: &Zone<'_>) -> Result<String> {
    let records = records(file)?;
    let mut text = String::with_capacity(512 + records.len() * 64 + file.zone.records.len() * 2);
    head(file, &records, &mut text);
    for (name, data) in &records {
        let _ = match data {
            Data::A(address) => writeln!(text, "{}", a_line(name, *address)),
            Data::Ptr(host) => writeln!(text, "{}", ptr_line(name, host)),
        };
    }
    extra(file.zone, &records, &mut text);
    Ok(text)
}

fn a_line(name: impl Display, address: Ipv4Addr) -> String {
    format!("{name}. IN A {address}")
}

fn ptr_line(name: impl Display, host: impl Display) -> String {
    format!("{name}. IN PTR {host}.")
}

/// The lines of a host name and its address, as zone files contain them. In a reverse zone of less than 256 addresses, the PTR
/// record has another name.
pub(crate) fn lines_of(hostname: &Hostname, ip: Ipv4Addr) -> [String; 2] {
    [a_line(hostname, ip), ptr_line(reverse_name(ip), hostname)]
}

/// Writes the lines that every zone begins with.
fn head(file: &Zone<'_>, records: &[(DomainName, Data)], text: &mut String) {
    let apex = &file.zone.name;
    let _ = writeln!(text, "; Zone {apex}, written by Bootledger. Changes made here are lost with the next download.");
    let _ = writeln!(text, "$TTL {}", file.zone.ttl());
    let servers = name_servers(file.zone, records);
    let primary = file.zone.mname.as_ref().map_or_else(|| servers[0].clone(), ToString::to_string);
    let responsible = file.zone.rname.as_ref().map_or_else(|| hostmaster(file.domain), Mailbox::name);
    let [refresh, retry, expire, minimum] = file.zone.soa_times();
    let serial = file.serial;
    let _ = writeln!(text, "{apex}. IN SOA {primary}. {responsible}. {serial} {refresh} {retry} {expire} {minimum}");
    for server in servers {
        let _ = writeln!(text, "{apex}. IN NS {server}.");
    }
}

/// The mailbox that is responsible if the zone names none. BIND refuses a zone whose SOA record contains an invalid mailbox
/// name, and a site of an earlier version can have such a domain.
fn hostmaster(domain: &DomainName) -> String {
    mailbox::hostmaster(domain).map_or_else(|| "nobody.invalid".to_owned(), |name| name.to_string())
}

/// The zone's name servers; never empty.
fn name_servers(zone: &zone::Zone, records: &[(DomainName, Data)]) -> Vec<String> {
    if !zone.name_servers.is_empty() {
        return zone.name_servers.iter().map(ToString::to_string).collect();
    }
    // A name server inside the zone is used only if it has an address. Otherwise the file names `localhost`, which is no real
    // name server: the operator of the DNS servers knows their names.
    let usual = format!("ns.{}", zone.name);
    let has_address = records.iter().any(|(name, data)| name.as_str() == usual && matches!(data, Data::A(_)));
    vec![if has_address { usual } else { "localhost".to_owned() }]
}

/// Writes the extra records. A line that cannot be parsed, which an earlier version accepted, is written as a comment. So is a
/// line that conflicts with a device's record, which would make servers refuse the whole file; the zone's page names both. Such
/// a pair is refused when either is saved, so that only two changes at the same moment leave one.
fn extra(zone: &zone::Zone, records: &[(DomainName, Data)], text: &mut String) {
    if zone.records.is_empty() {
        return;
    }
    let _ = writeln!(text, "; The zone's extra records.");
    let (extra, errors) = zone.readable();
    for error in errors {
        let _ = writeln!(text, "{NOT_SERVED}, {error}");
    }
    let contradicted = contradicted(zone, &extra, records);
    let known: BTreeSet<(&str, &str, String)> =
        records.iter().map(|(name, data)| (name.as_str(), data.parts().0, data.parts().1)).collect();
    for (index, record) in extra.iter().enumerate() {
        let (name, kind, data) = (&record.name, record.data.kind(), record.data.to_string());
        let ttl = record.ttl.map_or(String::new(), |ttl| format!("{ttl} "));
        if let Some((_, why)) = contradicted.iter().find(|(contradicted, _)| *contradicted == index) {
            let _ = writeln!(text, "{NOT_SERVED}, line {}: {name}. {ttl}IN {kind} {data}: {why}", record.line);
        } else if !known.contains(&(name.as_str(), kind, data.trim_end_matches('.').to_owned())) {
            let _ = writeln!(text, "{name}. {ttl}IN {kind} {data}");
        }
    }
}

/// The indexes of the extra records that conflict with a device's record, and why.
fn contradicted(zone: &zone::Zone, extra: &[ExtraRecord], records: &[(DomainName, Data)]) -> Vec<(usize, String)> {
    let mut found = vec![];
    for (name, data) in records {
        let (kind, value) = data.parts();
        if let Some((record, why)) = conflict(zone, extra, name.as_str(), kind, &value) {
            found.extend(extra.iter().position(|other| std::ptr::eq(other, record)).map(|index| (index, why)));
        }
    }
    found
}

/// The zone's own records in an order that does not depend on a database's collation, each once even if it is
/// for several devices.
fn records(file: &Zone<'_>) -> Result<Vec<(DomainName, Data)>> {
    let mut records = BTreeSet::new();
    for record in file.records {
        let Some(name) = name_in_zone(&file.zone.name, file.managed, record) else { continue };
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

/// The record's name in a zone; `None` if it belongs to another: a record belongs to the smallest zone that contains it.
pub(crate) fn name_in_zone(zone: &DomainName, managed: &[zone::Zone], record: &DnsRecord) -> Option<String> {
    let reverse = reversed(&record.name).filter(|_| record.r#type == "PTR");
    let (smallest, name) = holding(managed, &record.name, reverse)?;
    (smallest.name == *zone).then_some(name)
}

/// The sort key of a name: label by label from the right, numbers as numbers.
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
        let managed = ["dc1.example", "lab.dc1.example", "0.10.in-addr.arpa", "0/25.2.0.192.in-addr.arpa"];
        let managed = managed.map(|zone| zone.parse().expect("a zone"));
        let zone = name.parse().expect("a zone");
        render(&Zone { zone: &zone, domain: &domain("dc1.example"), managed: &managed, records, serial: 77 }).expect("a zone")
    }

    fn check(name: &str, text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("zone");
        std::fs::write(&file, text).expect("a file");
        let output = Command::new("named-checkzone").args(["-i", "local", "-k", "fail", name]).arg(&file).output();
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
    fn an_invalid_record_is_refused() {
        for record in [
            record("a\nb.dc1.example", "A", "10.0.0.1"),
            record("h1.dc1.example", "TXT", "x"),
            record("h1.dc1.example", "A", "h2"),
            record("h1.dc1.example", "PTR", "a b"),
        ] {
            let managed: [zone::Zone; 1] = ["dc1.example".parse().expect("a zone")];
            let records = std::slice::from_ref(&record);
            let zone = Zone { zone: &managed[0], domain: &managed[0].name, managed: &managed, records, serial: 1 };
            assert!(render(&zone).is_err(), "{record:?}");
        }
    }

    /// The file of dc1.example with these fields, and with the records of devices.
    fn with(fields: &serde_json::Value, records: &[DnsRecord]) -> (zone::Zone, String) {
        let mut whole = serde_json::json!({ "name": "dc1.example" });
        whole.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let zone: zone::Zone = serde_json::from_value(whole).expect("a zone");
        let managed = [zone.clone()];
        let file = Zone { zone: &zone, domain: &domain("dc1.example"), managed: &managed, records, serial: 77 };
        let text = render(&file).expect("a zone");
        (zone, text)
    }

    #[test]
    fn a_zone_names_its_servers_and_who_is_responsible_and_has_its_extra_records() {
        let fields = serde_json::json!({
            "name_servers": ["ns1.dc1.example", "ns2.example.net"], "mname": "hidden.dc1.example", "rname": "ada.lovelace@dc1.example",
            "refresh": 7200, "retry": 900, "expire": 604_800, "minimum": 30, "ttl": 600,
            "records": "ns1 A 10.0.0.53\n@ MX 10 mail.example.net.\nh200 A 10.0.0.20\nh200 TXT x\n$TTL 1h\nwww A 10.0.0.80"
        });
        let (_, text) = with(&fields, &forward()[1..2]);
        let expected = "; Zone dc1.example, written by Bootledger. Changes made here are lost with the next download.\n\
            $TTL 600\n\
            dc1.example. IN SOA hidden.dc1.example. ada\\.lovelace.dc1.example. 77 7200 900 604800 30\n\
            dc1.example. IN NS ns1.dc1.example.\n\
            dc1.example. IN NS ns2.example.net.\n\
            h200.dc1.example. IN A 10.0.0.20\n\
            ; The zone's extra records.\n\
            ns1.dc1.example. IN A 10.0.0.53\n\
            dc1.example. IN MX 10 mail.example.net.\n\
            h200.dc1.example. IN TXT \"x\"\n\
            www.dc1.example. 3600 IN A 10.0.0.80\n";
        assert_eq!(text, expected);
        assert_eq!(check("dc1.example", &text), "zone dc1.example/IN: loaded serial 77\nOK\n");
    }

    #[test]
    fn an_extra_record_that_a_devices_record_contradicts_is_left_as_a_comment() {
        let fields = serde_json::json!({ "records": "h200 CNAME www.example.net.\nh1000 A 10.9.9.9\nx A 10.0.0.1" });
        let (_, text) = with(&fields, &forward());
        assert!(text.contains("; Not served, line 1: h200.dc1.example. IN CNAME www.example.net.: "), "{text}");
        assert!(text.contains("; Not served, line 2: h1000.dc1.example. IN A 10.9.9.9"), "{text}");
        assert!(
            text.contains("\nh200.dc1.example. IN A 10.0.0.20\n") && text.contains("\nx.dc1.example. IN A 10.0.0.1\n"),
            "{text}"
        );
        check("dc1.example", &text);
    }
}
