//! The tab "Changes made" of a deployment's page: what the deployment created on its device and removed from it, with the exact
//! lines of zone files and DHCP configurations.

use super::details::DeploymentDetails;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::machines::dhcp::{dnsmasq, isc, kea};
use crate::machines::dns::zone;
use crate::pages::components::block;
use crate::pages::components::time::moment;
use crate::wording::timeline::sentence;
use bootledger_aggregates::device::event::{DeviceEvent, DhcpEntry, DnsEntry};
use bootledger_aggregates::event::Event;
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::devices;
use bootledger_projections::rows::dhcp_entries::SiteEntry;
use bootledger_projections::rows::timeline::{self, Line, Order};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// How many events of the device are read. A deployment changes its device a few dozen times.
const MOST: i64 = 1_000;

/// What a deployment changed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    lines: Vec<Line>,
    /// The venture and role of the device before the event at this position.
    before: BTreeMap<i64, (Option<Name>, Option<Name>)>,
    /// The domain that clients of the network get.
    domain: String,
    boot_chain: BootChain,
}

impl Changes {
    /// Reads what the deployment has changed at the moment of a snapshot.
    pub(super) async fn load(snapshot: &mut Snapshot<'_>, found: &DeploymentDetails) -> Result<Self, Error> {
        let (deployment, at) = (&found.deployment, snapshot.at);
        let filter = timeline::Filter {
            deployment: Some(deployment.id),
            device: Some(deployment.device),
            aggregate_type: Some("device".to_owned()),
            before: Some(snapshot.position + 1),
            ..timeline::Filter::default()
        };
        let lines = timeline::list(snapshot.connection(), &filter, Order::OldestFirst, MOST).await?;
        let mut before = BTreeMap::new();
        for line in lines.iter().filter(|line| matches!(line.event, Some(Event::Device(_, DeviceEvent::RoleAssigned { .. })))) {
            let earlier = At::Position(line.position - 1);
            if let Some(device) = devices::find(snapshot.connection(), deployment.device, earlier).await? {
                before.insert(line.position, (device.venture, device.role));
            }
        }
        let network = catalogue::network(snapshot.connection(), &deployment.network, at).await?;
        let site = catalogue::site(snapshot.connection(), &deployment.site, at).await?;
        let domain = network.and_then(|network| network.spec.domain).or(site.map(|site| site.spec.domain));
        let domain = domain.map(|domain| domain.to_string()).unwrap_or_default();
        Ok(Self { lines, before, domain, boot_chain: deployment.boot_chain })
    }
}

/// The part of the page.
pub(super) fn view(changes: &Changes) -> Markup {
    let shown: Vec<(&Line, Markup)> = changes.lines.iter().filter_map(|line| Some((line, change(changes, line)?))).collect();
    let content = html! {
        @if shown.is_empty() { p.quiet { "The deployment has changed nothing yet." } }
        @else {
            p.quiet { "What this deployment created (+) and removed (−), oldest first. A DHCP server gets the form that it reads." }
            ol.made {
                @for (line, lines) in &shown {
                    li id=(format!("change-{}", line.position)) {
                        p { a href=(format!("/timeline/{}", line.position)) { (moment(line.recorded_at)) } " " (sentence(line)) }
                        (lines)
                    }
                }
            }
        }
    };
    block::card("changes", "Changes made", &content)
}

/// The lines of a change; `None` if the event changes nothing that a deployment is about.
fn change(changes: &Changes, line: &Line) -> Option<Markup> {
    let Some(Event::Device(_, event)) = &line.event else { return None };
    let nothing = html! {};
    Some(match event {
        DeviceEvent::DnsEntryCreated { entry, .. } => records(std::slice::from_ref(entry), true),
        DeviceEvent::DnsEntriesRemoved { entries, .. } => records(entries, false),
        DeviceEvent::DhcpEntryCreated { entry, .. } => reservations(changes, std::slice::from_ref(entry), true),
        DeviceEvent::DhcpEntriesRemoved { entries, .. } => reservations(changes, entries, false),
        DeviceEvent::AddressesReleased { addresses, .. } => {
            text(&addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), false)
        }
        DeviceEvent::AddressAssigned { ip, .. } => text(&[ip.to_string()], true),
        DeviceEvent::RoleAssigned { venture, role, .. } => {
            let (old_venture, old_role) = changes.before.get(&line.position).cloned().unwrap_or_default();
            let old = match (old_venture, old_role) {
                (None, None) => None,
                (venture, role) => {
                    Some([venture, role].map(|name| name.map_or("–".to_owned(), |name| name.to_string())).join(" / "))
                }
            };
            let new = format!("{venture} / {role}");
            if old.as_ref() == Some(&new) {
                html! { p.quiet { "Unchanged: " (new) } }
            } else {
                html! { (text(&old.into_iter().collect::<Vec<_>>(), false)) (text(&[new], true)) }
            }
        }
        DeviceEvent::SoftwareRemoved { software, .. } => {
            text(&software.iter().map(ToString::to_string).collect::<Vec<_>>(), false)
        }
        DeviceEvent::DiskSharesRemoved { disk_shares, .. } => {
            text(&disk_shares.iter().map(ToString::to_string).collect::<Vec<_>>(), false)
        }
        DeviceEvent::OperatingSystemRemoved { operating_system, .. } => text(&[operating_system.to_string()], false),
        DeviceEvent::SubDevicesDetached { .. }
        | DeviceEvent::DeviceDetached { .. }
        | DeviceEvent::UptimeReset { .. }
        | DeviceEvent::RemarkAdded { .. } => nothing,
        _ => return None,
    })
}

/// Lines that were created or removed, with a sign before each, so that colour alone says nothing.
fn text(lines: &[String], created: bool) -> Markup {
    let lines: Vec<&str> = lines.iter().flat_map(|text| text.trim().lines()).collect();
    html! {
        @if !lines.is_empty() {
            pre tabindex="0" {
                @for line in &lines {
                    @if created { ins { "+ " (line) } } @else { del { "− " (line) } }
                    "\n"
                }
            }
        }
    }
}

fn records(entries: &[DnsEntry], created: bool) -> Markup {
    let lines: Vec<String> = entries.iter().flat_map(|entry| zone::lines_of(&entry.hostname, entry.ip)).collect();
    html! { p.quiet { "Zone files" } (text(&lines, created)) }
}

/// The reservations in each form. A created one is that of a server with a live deployment.
fn reservations(changes: &Changes, entries: &[DhcpEntry], created: bool) -> Markup {
    let entries: Vec<SiteEntry> = entries
        .iter()
        .map(|entry| SiteEntry {
            ip: entry.ip,
            mac: entry.mac,
            hostname: entry.hostname.clone(),
            network: entry.network.clone(),
            live: created,
            boot_chain: changes.boot_chain,
        })
        .collect();
    let forms: [(&str, Vec<String>); 3] = [
        ("ISC dhcpd", entries.iter().map(isc::reservation_of).collect()),
        ("Kea", entries.iter().map(kea::reservation_of).collect()),
        ("dnsmasq", entries.iter().map(|entry| dnsmasq::reservation_of(entry, &changes.domain)).collect()),
    ];
    html! {
        @for (index, (name, lines)) in forms.iter().enumerate() {
            details open[index == 0] { summary { (name) } (text(lines, created)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::deployment;
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::device::event::RemovedBecause;
    use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
    use bootledger_aggregates::values::timestamp::Timestamp;
    use bootledger_projections::rows::holders::HolderNames;

    fn line(position: i64, event: DeviceEvent) -> Line {
        Line {
            position,
            sequence: 1,
            recorded_at: Timestamp::default(),
            aggregate_type: "device".to_owned(),
            aggregate_id: DeviceId::default().to_string(),
            event_type: "DnsEntryCreated".to_owned(),
            actor: "plugin dns".to_owned(),
            correlation_id: String::new(),
            device: Some(DeviceId::default()),
            deployment: Some(DeploymentId::default()),
            event: Some(Event::Device(DeviceId::default(), event)),
            subject: Some("R640".to_owned()),
            parent: None,
            holders: HolderNames::default(),
            states: None,
        }
    }

    fn name(text: &str) -> Name {
        text.parse().expect("a name")
    }

    #[test]
    fn every_created_and_removed_entry_is_shown_line_by_line_as_its_server_reads_it() {
        let (id, row) = (DeploymentId::default(), deployment());
        let dns = DnsEntry { hostname: row.hostname.clone(), ip: row.ip };
        let dhcp = DhcpEntry { ip: row.ip, mac: row.mac, hostname: Some(row.hostname.clone()), network: name("prod") };
        let lines = vec![
            line(1, DeviceEvent::DnsEntriesRemoved { entries: vec![dns.clone()], released: vec![], deployment: Some(id) }),
            line(2, DeviceEvent::DnsEntryCreated { deployment: id, entry: dns }),
            line(3, DeviceEvent::DhcpEntryCreated { deployment: id, entry: dhcp.clone() }),
            line(
                4,
                DeviceEvent::DhcpEntriesRemoved { entries: vec![dhcp], because: RemovedBecause::Cancelled, deployment: Some(id) },
            ),
        ];
        let html = view(&Changes { lines, domain: "dc1.example".to_owned(), ..Changes::default() });
        let records = ["h200.dc1.example. IN A 10.0.0.11", "11.0.0.10.in-addr.arpa. IN PTR h200.dc1.example."];
        assert_eq!(texts(&html, "#change-1 del"), records.map(|line| format!("− {line}")));
        assert_eq!(texts(&html, "#change-2 ins"), records.map(|line| format!("+ {line}")));
        assert_eq!(texts(&html, "#change-3 details").len(), 3);
        assert!(texts(&html, "#change-3 details:nth-of-type(1) ins").len() >= 4, "dhcpd's declaration has several lines");
        let removed = texts(&html, "#change-4 details:nth-of-type(3) del");
        assert_eq!(removed, ["− dhcp-host=52:54:00:12:34:56,10.0.0.11,h200.dc1.example"]);
    }

    #[test]
    fn a_role_is_shown_from_and_to() {
        let assigned = |position| {
            line(
                position,
                DeviceEvent::RoleAssigned { deployment: DeploymentId::default(), venture: name("shop"), role: name("web") },
            )
        };
        let before = BTreeMap::from([(1, (Some(name("shop")), Some(name("db")))), (2, (Some(name("shop")), Some(name("web"))))]);
        let html = view(&Changes { lines: vec![assigned(1), assigned(2)], before, ..Changes::default() });
        assert_eq!(
            (texts(&html, "#change-1 del"), texts(&html, "#change-1 ins")),
            (vec!["− shop / db".to_owned()], vec!["+ shop / web".to_owned()])
        );
        assert!(texts(&html, "#change-2 :is(ins, del)").is_empty());
    }
}
