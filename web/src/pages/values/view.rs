//! The parts of the page of an address, a MAC address or a host name.

use crate::pages::components::badge::{self, Tone};
use crate::pages::components::block;
use crate::pages::components::copy;
use crate::pages::components::time::moment;
use crate::wording::actors;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::network::Reserved;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_projections::questions::value_history::{AddressState, MOST, Moment, Period, Place, Value, ValueHistory};
use bootledger_projections::rows::reservations::Reservation;
use maud::{Markup, html};
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// What the page shows.
pub(super) struct Shown<'a> {
    pub(super) value: &'a Value,
    /// Where an address is.
    pub(super) place: Option<&'a Place>,
    pub(super) history: &'a ValueHistory,
    /// The labels of the devices.
    pub(super) names: &'a HashMap<DeviceId, String>,
    pub(super) is_past: bool,
}

impl Shown<'_> {
    fn device(&self, id: DeviceId) -> Markup {
        let name = self.names.get(&id).cloned().unwrap_or_else(|| id.to_string());
        html! { a href=(format!("/devices/{id}")) { (name) } }
    }

    fn holder(&self, holder: Holder) -> Markup {
        match holder {
            Holder::Device(id) => self.device(id),
            Holder::Deployment(id) => html! { a href=(format!("/deployments/{id}")) { "Deployment " (id) } },
            Holder::Reservation(ip) => html! {
                @match self.place.and_then(|place| place.reservation.as_ref().map(|one| &one.view.network).or_else(|| place.network_name())) {
                    Some(network) => { a href=(format!("/networks/{network}#reservations")) { "Reservation of " (ip) } }
                    None => { "Reservation of " (ip) }
                }
            },
        }
    }

    /// The kind of the value, within a sentence.
    fn kind(&self) -> &'static str {
        match self.value {
            Value::Ip(_) => "address",
            Value::Mac(_) => "MAC address",
            Value::Hostname(_) => "host name",
        }
    }

    fn end(&self, period: &Period) -> Markup {
        match &period.to {
            Some(to) => event(to),
            None if self.is_past => html! { "no end yet" },
            None => html! { "now" },
        }
    }
}

/// The content of the page.
pub(super) fn page(title: &str, shown: &Shown<'_>) -> Markup {
    let history = shown.history;
    html! {
        (block::heading(&[("Search", "/search")], &html! { span.mono { (title) } }, &copy::copy(title, shown.kind())))
        (block::card("use", if shown.is_past { "Use at that time" } else { "Use" }, &current(shown)))
        @if history.is_empty() {
            (block::empty(&format!("No device, deployment, reservation, DNS record or DHCP entry has had this {}.", shown.kind()), &html! {}))
        } @else {
            (block::card("holders", "Holders", &holders(shown)))
            (block::card("deployments", "Deployments", &deployments(shown)))
            @if !matches!(shown.value, Value::Mac(_)) { (block::card("records", "DNS records", &records(shown))) }
            (block::card("entries", "DHCP entries", &entries(shown)))
        }
    }
}

/// Who has the value, and where an address is.
fn current(shown: &Shown<'_>) -> Markup {
    let mut rows = vec![];
    if let Some(place) = shown.place {
        rows.push(("State", state(shown, place)));
        let network = if let (Some(network), Value::Ip(ip)) = (&place.network, shown.value) {
            html! {
                a href=(format!("/networks/{}?map={ip}#map", network.key)) { (network.key) } " "
                span.quiet { (network.spec.cidr) " in site " (network.spec.site) }
            }
        } else {
            html! { "None. No network in use contains the address." }
        };
        rows.push(("Network", network));
        if let Some(Reservation { view, .. }) = &place.reservation {
            let end =
                html! { @match view.spec.expires { Some(end) => { "until " (moment(end)) } None => { "until it is released" } } };
            let by = html! { (actors::actor(&view.reserved_by)) ", " (moment(view.reserved_at)) };
            rows.push(("Reserved for", html! { (view.spec.note) ", " (end) }));
            rows.push(("Reserved by", by));
        }
    }
    let holder = html! {
        @if let Some(tenure) = shown.history.holder() { (shown.holder(tenure.holder)) " since " (event(&tenure.period.from)) }
        @else { "None" }
    };
    rows.push(("Holder", holder));
    block::facts(&rows)
}

fn state(shown: &Shown<'_>, place: &Place) -> Markup {
    let (tone, words) = match place.state {
        AddressState::Held => (Tone::Info, "In use"),
        AddressState::Controller => (Tone::Info, "Management controller"),
        AddressState::Infrastructure => (Tone::Info, "Router or server"),
        AddressState::Reserved => (Tone::Neutral, "Reserved"),
        AddressState::Free => (Tone::Good, "Free"),
        AddressState::Outside => (Tone::Neutral, "Unknown"),
    };
    let reserved = place.reserved.filter(|_| place.state == AddressState::Reserved).map(|reserved| match reserved {
        Reserved::Network => "The network address is never assigned.",
        Reserved::Broadcast => "The broadcast address is never assigned.",
        Reserved::Gateway => "It is the gateway of the network.",
        Reserved::Margin(_) | Reserved::Outside => "The network does not assign addresses at this end of its range.",
    });
    html! {
        (badge::badge(tone, words))
        @if let Some(words) = reserved { " " (words) }
        @if let Some(device) = place.manages {
            @if place.state == AddressState::Controller { " of " } @else { " Management controller of " }
            (shown.device(device))
        }
        @for sentence in &place.uses { " " (sentence) "." }
    }
}

/// An event's time, linked to the event.
fn event(at: &Moment) -> Markup {
    html! {
        a href=(format!("/timeline/{}", at.position)) {
            @match at.at { Some(time) => (moment(time)), None => { "event " (at.position) } }
        }
    }
}

/// A table; `none` is shown instead of an empty one.
fn table(caption: &str, heads: &[&str], rows: &[Vec<Markup>], none: &str) -> Markup {
    html! {
        @if rows.is_empty() { p.quiet { (none) } }
        @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { (caption) }
                    thead { tr { @for head in heads { th scope="col" { (head) } } } }
                    tbody {
                        @for row in rows {
                            tr {
                                @for (place, (head, cell)) in heads.iter().zip(row).enumerate() {
                                    @if place == 0 { th scope="row" { (cell) } } @else { td data-label=(head) { (cell) } }
                                }
                            }
                        }
                    }
                }
            }
            @if rows.len() >= MOST { p.quiet { "Only the newest " (MOST) " are shown." } }
        }
    }
}

fn holders(shown: &Shown<'_>) -> Markup {
    let row = |tenure: &bootledger_projections::questions::value_history::Tenure| {
        let deployment = html! {
            @match tenure.deployment { Some(id) => { a href=(format!("/deployments/{id}")) { "Deployment" } } None => { span.quiet { "none" } } }
        };
        vec![shown.holder(tenure.holder), event(&tenure.period.from), shown.end(&tenure.period), deployment]
    };
    let rows: Vec<Vec<Markup>> = shown.history.holders.iter().map(row).collect();
    table("Holders", &["Holder", "From", "Until", "Assigned by"], &rows, "It has had no holder.")
}

fn deployments(shown: &Shown<'_>) -> Markup {
    let rows: Vec<Vec<Markup>> = shown
        .history
        .deployments
        .iter()
        .map(|one| {
            vec![
                html! { a href=(format!("/deployments/{}", one.id)) { (one.hostname) } " " (badge::deployment(one.status, false)) },
                shown.device(one.device),
                html! { (address(shown, one.ip)) },
                html! { @if *shown.value == Value::Mac(one.mac) { span.mono { (one.mac) } } @else { a.mono href=(format!("/macs/{}", one.mac)) { (one.mac) } } },
                moment(one.started_at),
                html! { @match one.ended_at { Some(at) => (moment(at)), None => span.quiet { "live" } } },
            ]
        })
        .collect();
    table("Deployments", &["Deployment", "Device", "Address", "MAC", "Started", "Ended"], &rows, "No deployment has used it.")
}

/// An address, linked to its page unless this is it.
fn address(shown: &Shown<'_>, ip: Ipv4Addr) -> Markup {
    html! { @if *shown.value == Value::Ip(ip) { span.mono { (ip) } } @else { a.mono href=(format!("/addresses/{ip}")) { (ip) } } }
}

fn records(shown: &Shown<'_>) -> Markup {
    let rows: Vec<Vec<Markup>> = shown
        .history
        .dns_records
        .iter()
        .map(|one| {
            let record = &one.record;
            let value = record.value.parse::<Ipv4Addr>().map_or_else(
                |_| html! { a.mono href=(format!("/names/{}", record.value)) { (record.value) } },
                |ip| address(shown, ip),
            );
            vec![
                html! { span.mono { (record.name) " " (record.r#type) } },
                value,
                shown.device(record.device),
                event(&one.period.from),
                shown.end(&one.period),
            ]
        })
        .collect();
    table("DNS records", &["Record", "Value", "Device", "From", "Until"], &rows, "It has had no DNS records.")
}

fn entries(shown: &Shown<'_>) -> Markup {
    let rows: Vec<Vec<Markup>> = shown
        .history
        .dhcp_entries
        .iter()
        .map(|one| {
            let entry = &one.entry;
            vec![
                address(shown, entry.ip),
                html! { a.mono href=(format!("/macs/{}", entry.mac)) { (entry.mac) } },
                html! { @if let Some(name) = &entry.hostname { a.mono href=(format!("/names/{name}")) { (name) } } },
                html! { a href=(format!("/networks/{}", entry.network)) { (entry.network) } },
                event(&one.period.from),
                shown.end(&one.period),
            ]
        })
        .collect();
    table("DHCP entries", &["Address", "MAC", "Host name", "Network", "From", "Until"], &rows, "It has had no DHCP entries.")
}
