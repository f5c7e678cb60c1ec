//! The tab with a device's components: network interfaces, parent and parts, software, disk shares, operating system.

use super::show::{Found, link, none};
use crate::error::Error;
use crate::pages::kit::block;
use crate::pages::live::Region;
use crate::request::reading::Reading;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::devices::{self, Device};
use bootledger_projections::dhcp_entries::{self, DhcpEntry};
use maud::{Markup, html};

/// The data that the tab needs in addition to the device.
pub(super) struct Parts {
    parent: Option<Device>,
    children: Vec<Device>,
    entries: Vec<DhcpEntry>,
}

impl Parts {
    pub(super) async fn ask(reading: &mut Reading<'_>, device: &Device) -> Result<Self, Error> {
        let at = reading.at;
        let parent = match device.parent {
            Some(parent) => devices::find(reading.connection(), parent, at).await?,
            None => None,
        };
        let children = devices::parts_of(reading.connection(), device, at).await?;
        let filter = dhcp_entries::Filter { device: Some(device.id), ..Default::default() };
        let entries = dhcp_entries::list(reading.connection(), &filter, at, 1_000).await?;
        Ok(Self { parent, children, entries })
    }
}

/// The tab's parts.
pub(super) fn regions(found: &Found, parts: &Parts) -> Vec<Region> {
    let device = &found.device;
    vec![
        Region::new("interfaces", interfaces(device, parts)),
        Region::new("parts", of_parts(parts)),
        Region::new("software", texts("software", "Software", &device.software, "Nothing is known to be installed.")),
        Region::new("shares", texts("shares", "Disk shares", &device.disk_shares, "It mounts none that is known.")),
        Region::new("system", system(device)),
    ]
}

fn interfaces(device: &Device, parts: &Parts) -> Markup {
    let content = html! {
        @if device.macs.is_empty() { (none("It has none that is known. Add them to the device before it is deployed.")) }
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
        @if let Some(parent) = &parts.parent { p { "It is a part of " (link(parent)) "." } }
        @if parts.children.is_empty() { (none("No other device is a part of it.")) }
        @else { ul { @for part in &parts.children { li { (link(part)) } } } }
    };
    block::card("parts", "Parent and sub-devices", &content)
}

fn texts(id: &str, title: &str, texts: &[Text], empty: &str) -> Markup {
    let content = html! { @if texts.is_empty() { (none(empty)) } @else { ul { @for text in texts { li { (text) } } } } };
    block::card(id, title, &content)
}

fn system(device: &Device) -> Markup {
    let content =
        html! { @match &device.operating_system { Some(system) => p { (system) }, None => (none("None that is known.")) } };
    block::card("system", "Operating system", &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::devices::samples::device;
    use bootledger_aggregates::values::ids::DeviceId;

    #[test]
    fn parts_and_interfaces_lead_to_what_they_belong_to() {
        let entry = DhcpEntry {
            ip: [10, 0, 0, 11].into(),
            mac: device().macs[0],
            hostname: None,
            network: "prod".parse().expect("a name"),
            device: DeviceId::default(),
        };
        let parts = Parts { parent: Some(device()), children: vec![], entries: vec![entry] };
        let found = Found { device: device(), live: None, may: Ok(()), blocked: false };
        let html: String = regions(&found, &parts).into_iter().map(|region| region.html.into_string()).collect();
        for part in ["href=\"/networks/prod\"", "It is a part of", "No other device is a part of it.", "52:54:00:00:00:01"] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
