//! The tab with a device's components: network interfaces, parent and parts, software, disk shares, operating system.

use super::details::{DeviceDetails, link, none};
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::block;
use crate::pages::live::Region;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::rows::devices::{self, Device};
use bootledger_projections::rows::dhcp_entries::{self, DhcpEntry};
use maud::{Markup, html};

/// The data that the tab needs in addition to the device.
pub(super) struct Parts {
    parent: Option<Device>,
    children: Vec<Device>,
    entries: Vec<DhcpEntry>,
}

impl Parts {
    pub(super) async fn load(snapshot: &mut Snapshot<'_>, device: &Device) -> Result<Self, Error> {
        let at = snapshot.at;
        let parent = match device.parent {
            Some(parent) => devices::find(snapshot.connection(), parent, at).await?,
            None => None,
        };
        let children = devices::parts_of(snapshot.connection(), device, at).await?;
        let filter = dhcp_entries::Filter { device: Some(device.id), ..Default::default() };
        let entries = dhcp_entries::list(snapshot.connection(), &filter, at, 1_000).await?;
        Ok(Self { parent, children, entries })
    }
}

/// The tab's parts.
pub(super) fn regions(found: &DeviceDetails, parts: &Parts) -> Vec<Region> {
    let device = &found.device;
    vec![
        Region::new("interfaces", interfaces(device, parts)),
        Region::new("parts", of_parts(parts)),
        Region::new("software", texts("software", "Software", &device.software, "No installed software is recorded.")),
        Region::new("shares", texts("shares", "Disk shares", &device.disk_shares, "No mounted shares are recorded.")),
        Region::new("system", system(device)),
    ]
}

fn interfaces(device: &Device, parts: &Parts) -> Markup {
    let content = html! {
        @if device.macs.is_empty() { (none("None recorded. Add the interfaces to the device before you deploy it.")) }
        @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Interfaces" }
                    thead { tr { th scope="col" { "MAC" } th scope="col" { "DHCP entry" } } }
                    tbody {
                        @for mac in &device.macs {
                            tr {
                                th scope="row" { span.mono { (mac) } }
                                td data-label="DHCP entry" {
                                    @let entries: Vec<&DhcpEntry> = parts.entries.iter().filter(|entry| entry.mac == *mac).collect();
                                    div {
                                        @for entry in &entries {
                                            div { span.mono { (entry.ip) } " in " a href=(format!("/networks/{}", entry.network)) { (entry.network) } }
                                        }
                                        @if entries.is_empty() { span.quiet { "none" } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    block::card("interfaces", "Interfaces", &content)
}

fn of_parts(parts: &Parts) -> Markup {
    let content = html! {
        @if let Some(parent) = &parts.parent { p { "Part of " (link(parent)) "." } }
        @if parts.children.is_empty() { (none("It has no sub-devices.")) }
        @else { ul { @for part in &parts.children { li { (link(part)) } } } }
    };
    block::card("parts", "Parent and sub-devices", &content)
}

fn texts(id: &str, title: &str, texts: &[Text], empty: &str) -> Markup {
    let content = html! { @if texts.is_empty() { (none(empty)) } @else { ul { @for text in texts { li { (text) } } } } };
    block::card(id, title, &content)
}

fn system(device: &Device) -> Markup {
    let content = html! { @match &device.operating_system { Some(system) => p { (system) }, None => (none("None recorded.")) } };
    block::card("system", "Operating system", &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;
    use bootledger_aggregates::values::ids::DeviceId;

    #[test]
    fn parts_and_interfaces_link_to_their_devices() {
        let entry = DhcpEntry {
            ip: [10, 0, 0, 11].into(),
            mac: device().macs[0],
            hostname: None,
            network: "prod".parse().expect("a name"),
            device: DeviceId::default(),
        };
        let parts = Parts { parent: Some(device()), children: vec![], entries: vec![entry] };
        let found = DeviceDetails { device: device(), live: None, may: Ok(()), blocked: false, lifts: Ok(()) };
        let html: String = regions(&found, &parts).into_iter().map(|region| region.html.into_string()).collect();
        let parent = format!("href=\"/devices/{}\"", DeviceId::default());
        for part in ["href=\"/networks/prod\"", parent.as_str(), "id=\"parts\"", "52:54:00:00:00:01"] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
