//! The tab with a device's addresses, names and entries, and everything else that it holds.

use super::details::none;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::{block, copy};
use crate::pages::live::Region;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::devices::Device;
use bootledger_projections::rows::dhcp_entries::{self, DhcpEntry};
use bootledger_projections::rows::dns_records::{self, DnsRecord};
use bootledger_projections::rows::holdings::{self, Holding};
use maud::{Markup, html};
use std::net::Ipv4Addr;

/// The addresses, entries and claims of a device.
pub(super) struct Held {
    /// Its addresses, with the networks that contain them.
    addresses: Vec<(Ipv4Addr, Option<Entry<NetworkSpec>>)>,
    management: Option<Host>,
    /// Its DNS records.
    pub(super) records: Vec<DnsRecord>,
    /// Its DHCP entries.
    pub(super) entries: Vec<DhcpEntry>,
    /// The claims: values that no other device may have until they are released.
    pub(super) holdings: Vec<Holding>,
}

impl Held {
    pub(super) async fn load(snapshot: &mut Snapshot<'_>, device: &Device) -> Result<Self, Error> {
        let at = snapshot.at;
        let mut addresses = vec![];
        for ip in &device.addresses {
            addresses.push((*ip, catalogue::network_of(snapshot.connection(), *ip, at).await?));
        }
        let records = dns_records::Filter { device: Some(device.id), ..Default::default() };
        let entries = dhcp_entries::Filter { device: Some(device.id), ..Default::default() };
        Ok(Self {
            addresses,
            management: device.management.as_ref().map(|management| management.address.clone()),
            records: dns_records::list(snapshot.connection(), &records, at, 1_000).await?,
            entries: dhcp_entries::list(snapshot.connection(), &entries, at, 1_000).await?,
            holdings: holdings::of_holder(snapshot.connection(), Holder::Device(device.id), at).await?,
        })
    }
}

#[cfg(test)]
impl Held {
    /// A value with only these claims.
    pub(super) fn holding(holdings: Vec<Holding>) -> Self {
        Self { addresses: vec![], management: None, records: vec![], entries: vec![], holdings }
    }
}

/// The tab's parts.
pub(super) fn regions(held: &Held) -> Vec<Region> {
    vec![
        Region::new("addresses", addresses(held)),
        Region::new("records", block::card("records", "DNS records", &records(&held.records))),
        Region::new("entries", block::card("entries", "DHCP entries", &entries(&held.entries))),
        Region::new("holdings", claims(held)),
    ]
}

fn addresses(held: &Held) -> Markup {
    let content = html! {
        @if held.addresses.is_empty() { (none("None. A deployment assigns an address.")) }
        @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Addresses" }
                    thead { tr { th scope="col" { "Address" } th scope="col" { "Network" } } }
                    tbody {
                        @for (ip, network) in &held.addresses {
                            tr {
                                th scope="row" { (copy::linked(&format!("/addresses/{ip}"), &ip.to_string(), "IP address")) }
                                td data-label="Network" {
                                    @match network {
                                        Some(network) => { span { a href=(format!("/networks/{}", network.key)) { (network.key) } " " span.quiet { (network.spec.cidr) } } }
                                        None => { span.quiet { "not in a known network" } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(address) = &held.management { p { "The management controller uses " span.mono { (address) } ", which is never assigned to another device." } }
    };
    block::card("addresses", "Addresses", &content)
}

/// DNS records as a table.
pub(super) fn records(records: &[DnsRecord]) -> Markup {
    html! {
        @if records.is_empty() { (none("None.")) }
        @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "DNS records" }
                    thead { tr { th scope="col" { "Name" } th scope="col" { "Type" } th scope="col" { "Value" } } }
                    tbody {
                        @for record in records {
                            tr { th scope="row" { (record.name) } td data-label="Type" { (record.r#type) } td data-label="Value" { span.mono { (record.value) } } }
                        }
                    }
                }
            }
        }
    }
}

/// DHCP entries as a table.
pub(super) fn entries(entries: &[DhcpEntry]) -> Markup {
    html! {
        @if entries.is_empty() { (none("None.")) }
        @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "DHCP entries" }
                    thead { tr { th scope="col" { "Address" } th scope="col" { "MAC" } th scope="col" { "Host name" } th scope="col" { "Network" } } }
                    tbody {
                        @for entry in entries {
                            tr {
                                th scope="row" { (copy::linked(&format!("/addresses/{}", entry.ip), &entry.ip.to_string(), "IP address")) }
                                td data-label="MAC" { (copy::linked(&format!("/macs/{}", entry.mac), &entry.mac.to_string(), "MAC address")) }
                                td data-label="Host name" { @if let Some(hostname) = &entry.hostname { a href=(format!("/names/{hostname}")) { (hostname) } } }
                                td data-label="Network" { a href=(format!("/networks/{}", entry.network)) { (entry.network) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn claims(held: &Held) -> Markup {
    let content = html! {
        @if held.holdings.is_empty() { (none("Nothing.")) }
        @else {
            p { "These are reserved for this device until it is decommissioned or deployed with other values." }
            ul { @for holding in &held.holdings { li { (kind(&holding.kind)) " " span.mono { (holding.value) } } } }
        }
    };
    block::card("holdings", "Reservations", &content)
}

/// Text for a kind of claim.
pub(super) fn kind(kind: &str) -> &str {
    match kind {
        "ip" => "Address",
        "hostname" => "Host name",
        "mac" => "Interface",
        "serial" => "Serial number",
        "asset" => "Asset number",
        "controller" => "Management controller",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::values::ids::DeviceId;

    #[test]
    fn addresses_link_to_their_networks_and_missing_entries_are_named() {
        let record = DnsRecord {
            name: "h200.dc1.example".to_owned(),
            r#type: "A".to_owned(),
            value: "10.0.0.11".to_owned(),
            device: DeviceId::default(),
        };
        let held = Held {
            addresses: vec![([10, 0, 0, 11].into(), None)],
            management: Some(std::net::Ipv4Addr::new(10, 0, 9, 1).into()),
            records: vec![record],
            entries: vec![],
            holdings: vec![],
        };
        let html: String = regions(&held).into_iter().map(|region| region.html.into_string()).collect();
        for part in ["10.0.0.11", "10.0.9.1", "h200.dc1.example", "id=\"entries\"", "id=\"holdings\""] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
