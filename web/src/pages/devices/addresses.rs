//! The tab with a device's addresses, names and entries, and everything else that it holds.

use super::show::none;
use crate::error::Error;
use crate::pages::kit::block;
use crate::pages::live::Region;
use crate::request::reading::Reading;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_projections::catalogue::{self, Entry};
use bootledger_projections::devices::Device;
use bootledger_projections::dhcp_entries::{self, DhcpEntry};
use bootledger_projections::dns_records::{self, DnsRecord};
use bootledger_projections::holdings::{self, Holding};
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
    pub(super) async fn ask(reading: &mut Reading<'_>, device: &Device) -> Result<Self, Error> {
        let at = reading.at;
        let mut addresses = vec![];
        for ip in &device.addresses {
            addresses.push((*ip, catalogue::network_of(reading.connection(), *ip, at).await?));
        }
        let records = dns_records::Filter { device: Some(device.id), ..Default::default() };
        let entries = dhcp_entries::Filter { device: Some(device.id), ..Default::default() };
        Ok(Self {
            addresses,
            management: device.management.as_ref().map(|management| management.address.clone()),
            records: dns_records::list(reading.connection(), &records, at, 1_000).await?,
            entries: dhcp_entries::list(reading.connection(), &entries, at, 1_000).await?,
            holdings: holdings::of_holder(reading.connection(), Holder::Device(device.id), at).await?,
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
        @if held.addresses.is_empty() { (none("It has none. A deployment gives it one.")) }
        @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Addresses" }
                    thead { tr { th scope="col" { "Address" } th scope="col" { "Network" } } }
                    tbody {
                        @for (ip, network) in &held.addresses {
                            tr {
                                th scope="row" { span.mono { (ip) } }
                                td data-label="Network" {
                                    @match network {
                                        Some(network) => { span { a href=(format!("/networks/{}", network.key)) { (network.key) } " " span.quiet { (network.spec.cidr) } } }
                                        None => { span.quiet { "in no network that is known" } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(address) = &held.management { p { "Its management controller has " span.mono { (address) } ", which is never given to anybody else." } }
    };
    block::card("addresses", "Addresses", &content)
}

/// DNS records as a table.
pub(super) fn records(records: &[DnsRecord]) -> Markup {
    html! {
        @if records.is_empty() { (none("There are none for it.")) }
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
        @if entries.is_empty() { (none("There are none for it.")) }
        @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "DHCP entries" }
                    thead { tr { th scope="col" { "Address" } th scope="col" { "MAC" } th scope="col" { "Host name" } th scope="col" { "Network" } } }
                    tbody {
                        @for entry in entries {
                            tr {
                                th scope="row" { span.mono { (entry.ip) } }
                                td data-label="MAC" { span.mono { (entry.mac) } }
                                td data-label="Host name" { @if let Some(hostname) = &entry.hostname { (hostname) } }
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
        @if held.holdings.is_empty() { (none("It holds nothing.")) }
        @else {
            p { "Nobody else can have these until it gives them back: when it is deployed as something else, or decommissioned." }
            ul { @for holding in &held.holdings { li { (kind(&holding.kind)) " " span.mono { (holding.value) } } } }
        }
    };
    block::card("holdings", "What it holds", &content)
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
    fn addresses_lead_to_their_networks_and_what_is_missing_is_said() {
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
        for part in ["in no network that is known", "10.0.9.1", "h200.dc1.example", "There are none for it.", "It holds nothing."]
        {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
