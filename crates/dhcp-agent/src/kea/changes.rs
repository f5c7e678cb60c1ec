//! Computes which reservations differ between two documents of the service, and whether anything else does.
//!
//! Documents are compared as text, line by line, because parsing 100,000 reservations as JSON takes longer than the commands
//! for a changed one. This relies on the form that the service writes: a reservation is on a line of its own, in the subnet
//! with the last `id` before it. All other lines must be the same in both documents, so that a document of a different form
//! never looks like a change of reservations only.

use serde::Deserialize;
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// The beginning of a reservation's line.
const HOST: &str = "{\"hw-address\":\"";
/// The beginning of the line with a subnet's number.
const SUBNET: &str = "\"id\": ";

/// A reservation as the service writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Host<'a> {
    /// The number of the subnet.
    pub(crate) subnet: u32,
    /// The MAC address of the interface.
    pub(crate) mac: &'a str,
    /// The complete reservation, a JSON object.
    pub(crate) text: &'a str,
}

#[derive(Deserialize)]
struct Address {
    #[serde(rename = "ip-address")]
    ip: Ipv4Addr,
}

impl Host<'_> {
    /// The reserved address; `None` if the line has none.
    pub(crate) fn address(&self) -> Option<Ipv4Addr> {
        serde_json::from_str::<Address>(self.text).ok().map(|address| address.ip)
    }
}

/// The changes that turn one document's reservations into another's.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes<'a> {
    /// Reservations that are removed, or that get a different address. They are deleted before any are added, so that addresses
    /// and interfaces are free.
    pub(crate) deleted: Vec<Host<'a>>,
    /// Reservations to add.
    pub(crate) added: Vec<Host<'a>>,
    /// Reservations that keep their interface and address, in their new form.
    pub(crate) updated: Vec<Host<'a>>,
}

impl<'a> Changes<'a> {
    /// The number of changes.
    pub(crate) fn count(&self) -> usize {
        self.deleted.len() + self.added.len() + self.updated.len()
    }

    /// The differences; `None` if anything other than reservations differs.
    pub(crate) fn between(old: &'a str, new: &'a str) -> Option<Self> {
        let (start, end) = common(old, new);
        let subnet = old[..start].rfind(SUBNET).and_then(|at| number(&old[at..]));
        let before = Part::read(&old[start..old.len() - end], subnet)?;
        let after = Part::read(&new[start..new.len() - end], subnet)?;
        if before.other != after.other {
            return None;
        }
        let mut changes = Self::default();
        for host in before.order.iter().map(|key| before.hosts[key]) {
            match after.hosts.get(&(host.subnet, host.mac)) {
                None => changes.deleted.push(host),
                Some(new) if new.text == host.text => {}
                Some(new) if new.address()? == host.address()? => changes.updated.push(*new),
                Some(new) => {
                    changes.deleted.push(host);
                    changes.added.push(*new);
                }
            }
        }
        let new = after.order.iter().filter(|key| !before.hosts.contains_key(key)).map(|key| after.hosts[key]);
        changes.added.extend(new);
        Some(changes)
    }
}

/// All reservations of a document; `None` if its form is not the service's.
pub(crate) fn hosts(document: &str) -> Option<HashMap<(u32, &str), Host<'_>>> {
    Part::read(document, None).map(|part| part.hosts)
}

/// Some lines of a document.
struct Part<'a> {
    hosts: HashMap<(u32, &'a str), Host<'a>>,
    /// The keys of `hosts`, in the order of the document.
    order: Vec<(u32, &'a str)>,
    other: Vec<&'a str>,
}

impl<'a> Part<'a> {
    /// Parses lines, the first of which belong to this subnet. `None` if a reservation has no subnet, or two have the same
    /// interface.
    fn read(text: &'a str, mut subnet: Option<u32>) -> Option<Self> {
        let mut part = Self { hosts: HashMap::new(), order: vec![], other: vec![] };
        for line in text.lines() {
            let line = line.trim();
            let Some(rest) = line.strip_prefix(HOST) else {
                if line.starts_with(SUBNET) {
                    subnet = number(line);
                }
                part.other.push(line);
                continue;
            };
            let host = Host { subnet: subnet?, mac: rest.get(..rest.find('"')?)?, text: line.strip_suffix(',').unwrap_or(line) };
            if !host.text.ends_with('}') || part.hosts.insert((host.subnet, host.mac), host).is_some() {
                return None;
            }
            part.order.push((host.subnet, host.mac));
        }
        Some(part)
    }
}

/// The number in a subnet's `id` line.
fn number(line: &str) -> Option<u32> {
    let digits = line.strip_prefix(SUBNET)?;
    digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())].parse().ok()
}

/// The number of bytes, in whole lines, that both texts have in common at the beginning and, of the rest, at the end.
fn common(old: &str, new: &str) -> (usize, usize) {
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let shortest = old.len().min(new.len());
    let same = equal(&old[..shortest], &new[..shortest]);
    let start = old[..same].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (old, new) = (&old[start..], &new[start..]);
    let shortest = old.len().min(new.len());
    let same = equal_ends(&old[old.len() - shortest..], &new[new.len() - shortest..]);
    // A line belongs to the common end only if it is complete in both texts.
    let whole = |text: &[u8]| text.len() == same || text[text.len() - same - 1] == b'\n';
    if whole(old) && whole(new) {
        return (start, same);
    }
    let end = old[old.len() - same..].iter().position(|byte| *byte == b'\n').map_or(0, |at| same - at - 1);
    (start, end)
}

/// Comparing whole blocks first makes the comparison of large texts fast.
const BLOCK: usize = 4096;

/// The number of equal bytes at the beginning of two texts of the same length.
fn equal(old: &[u8], new: &[u8]) -> usize {
    let blocks = old.chunks(BLOCK).zip(new.chunks(BLOCK)).take_while(|(old, new)| old == new).count();
    let from = (blocks * BLOCK).min(old.len());
    from + old[from..].iter().zip(&new[from..]).take_while(|(old, new)| old == new).count()
}

/// The number of equal bytes at the end of two texts of the same length.
fn equal_ends(old: &[u8], new: &[u8]) -> usize {
    let blocks = old.rchunks(BLOCK).zip(new.rchunks(BLOCK)).take_while(|(old, new)| old == new).count();
    let same = (blocks * BLOCK).min(old.len());
    let rest = old.len() - same;
    same + old[..rest].iter().rev().zip(new[..rest].iter().rev()).take_while(|(old, new)| old == new).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_projections::rows::dhcp_entries::SiteEntry;
    use bootledger_web::machines::dhcp::configuration::Configuration;
    use bootledger_web::machines::dhcp::format::Format;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    /// The document of a site with three networks, two of them in one VLAN, and a host for each of these: number, network,
    /// address, live.
    fn document(hosts: &BTreeMap<u8, (u8, u8, bool)>, lease_domain: &str) -> String {
        let site = json!({ "next_server": "10.0.0.1", "boot_url": null, "domain": lease_domain, "zones": [],
            "hostname_template": null, "dhcp_header": [{ "name": "root-path", "value": { "text": "\"id\": 7, {\"hw-address\":\"" } }] });
        let networks = (0..3_u8).map(|n| {
            let spec = json!({ "cidr": format!("10.{n}.0.0/24"), "site": "dc1", "gateway": null, "domain": null,
                "vlan": if n == 1 { None } else { Some(12) } });
            (format!("n{n}").parse().expect("a name"), serde_json::from_value(spec).expect("a network"))
        });
        let entries = hosts.iter().map(|(number, (network, last, live))| SiteEntry {
            ip: Ipv4Addr::new(10, network % 3, 0, *last),
            mac: format!("5254000000{number:02x}").parse().expect("a MAC"),
            hostname: Some(format!("h{number}.dc1.example").parse().expect("a host name")),
            network: format!("n{}", network % 3).parse().expect("a name"),
            live: *live,
            boot_chain: bootledger_aggregates::values::boot_chain::BootChain::Ipxe,
        });
        let site = serde_json::from_value(site).expect("a site");
        let url = "http://10.0.0.1:8080".parse().expect("a URL");
        let configuration = Configuration::new("dc1".parse().expect("a name"), &site, &url, networks, entries);
        Format::Kea.render(&configuration).expect("a document")
    }

    /// The reservations of a document, parsed as JSON.
    fn reservations(document: &str) -> BTreeMap<(u64, String), Value> {
        let document: Value = serde_json::from_str(document).expect("JSON");
        let server = &document["Dhcp4"];
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let shared = list(&server["shared-networks"]).into_iter().flat_map(|network| list(&network["subnet4"]));
        let subnets: Vec<Value> = list(&server["subnet4"]).into_iter().chain(shared).collect();
        let hosts = subnets.iter().flat_map(|subnet| {
            list(&subnet["reservations"]).into_iter().map(|host| {
                ((subnet["id"].as_u64().expect("an id"), host["hw-address"].as_str().expect("a MAC").to_owned()), host)
            })
        });
        hosts.collect()
    }

    fn hosts_of_a_site() -> impl Strategy<Value = BTreeMap<u8, (u8, u8, bool)>> {
        proptest::collection::btree_map(0..40_u8, (0..3_u8, 10..40_u8, any::<bool>()), 0..30)
    }

    proptest! {
        #[test]
        fn changes_make_one_documents_reservations_anothers(old in hosts_of_a_site(), new in hosts_of_a_site()) {
            let (old, new) = (document(&old, "dc1.example"), document(&new, "dc1.example"));
            let changes = Changes::between(&old, &new).expect("only reservations differ");
            let (mut served, wanted) = (reservations(&old), reservations(&new));
            prop_assert_eq!(hosts(&new).expect("the service's form").len(), wanted.len());
            let key = |host: &Host<'_>| (u64::from(host.subnet), host.mac.to_owned());
            let read = |host: &Host<'_>| serde_json::from_str::<Value>(host.text).expect("JSON");
            for host in &changes.deleted {
                prop_assert_eq!(served.remove(&key(host)), Some(read(host)));
            }
            for host in &changes.added {
                let taken = served.iter().any(|((subnet, _), value)| {
                    *subnet == u64::from(host.subnet) && value["ip-address"] == read(host)["ip-address"]
                });
                prop_assert!(!taken, "its address is still another's");
                prop_assert_eq!(served.insert(key(host), read(host)), None);
            }
            for host in &changes.updated {
                let was = served.insert(key(host), read(host)).expect("it is there");
                prop_assert_eq!(&was["ip-address"], &read(host)["ip-address"]);
            }
            prop_assert_eq!(served, wanted);
        }
    }

    #[test]
    fn other_differences_do_not_count_as_a_change_of_reservations() {
        let hosts = BTreeMap::from([(1, (0, 20, true)), (2, (1, 20, false))]);
        let old = document(&hosts, "dc1.example");
        assert_eq!(Changes::between(&old, &old), Some(Changes::default()));
        assert_eq!(Changes::between(&old, &document(&hosts, "dc2.example")), None);
        // An additional line, a missing line, a different order, and forms that the service does not write.
        let lines: Vec<&str> = old.lines().collect();
        for at in 0..lines.len() {
            if !lines[at].trim().starts_with(HOST) {
                let less: Vec<&str> = lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, line)| *line).collect();
                assert_eq!(Changes::between(&old, &less.join("\n")), None, "without {:?}", lines[at]);
            }
        }
        let host = "\"id\": 1,\n{\"hw-address\":\"52:54:00:00:00:01\",\"ip-address\":\"10.0.0.20\"}";
        for other in ["", "{\"hw-address\":\"x", host.strip_prefix("\"id\": 1,\n").expect("a line"), &format!("{host}\n{host}")] {
            assert_eq!(Changes::between(host, other), None, "{other}");
        }
    }
}
