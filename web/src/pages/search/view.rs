//! The results of a search: a card for each kind of object, or the options of a list of suggestions.

use crate::pages::components::badge::Tone;
use crate::pages::components::block;
use crate::wording::events;
use bootledger_projections::questions::search::{Group, Hit, Kind, MOST, Terms};
use maud::{Markup, html};

/// What a search found.
pub(super) struct Results<'a> {
    pub(super) terms: &'a Terms,
    pub(super) groups: &'a [Group],
    pub(super) is_past: bool,
    /// Whether the visitor may see the pages of webhooks.
    pub(super) webhooks: bool,
}

/// A path with a search text as its query.
pub(super) fn with_query(path: &str, q: &str) -> String {
    format!("{path}?{}", form_urlencoded::Serializer::new(String::new()).append_pair("q", q).finish())
}

/// The path of an object's page; `None` if the visitor may not see it. `webhooks` says whether that includes pages of webhooks.
pub(super) fn path(hit: &Hit, webhooks: bool) -> Option<String> {
    let key = &hit.key;
    let path = match hit.kind {
        Kind::Address | Kind::Reservation => format!("/addresses/{key}"),
        Kind::Mac => format!("/macs/{key}"),
        Kind::Hostname => format!("/names/{key}"),
        Kind::Device => format!("/devices/{key}"),
        Kind::Deployment => format!("/deployments/{key}"),
        Kind::Network => format!("/networks/{key}"),
        Kind::Rack => format!("/racks/{key}"),
        Kind::Site => format!("/sites/{key}"),
        Kind::Zone => format!("/zones/{key}"),
        Kind::DhcpServer => format!("/dhcp-servers/{key}"),
        Kind::Venture => format!("/ventures/{key}"),
        Kind::Role => format!("/ventures/{}/roles/{key}", hit.parent.as_deref()?),
        Kind::BootImage => format!("/boot-images/{key}"),
        Kind::User => format!("/settings/users/{key}"),
        Kind::Event => format!("/timeline/{key}"),
        Kind::Webhook if webhooks => format!("/settings/webhooks/{key}"),
        Kind::Webhook => return None,
    };
    Some(path)
}

/// The name of an object on the page. Types of events are shown as words.
fn label(hit: &Hit) -> String {
    match (hit.kind, hit.label.split_once(' ')) {
        (Kind::Event, Some((number, event_type))) => format!("{number} {}", events::label(event_type)),
        _ => hit.label.clone(),
    }
}

/// The heading of a group, and the ID of its card.
fn name(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Address => ("IP addresses", "addresses"),
        Kind::Mac => ("MAC addresses", "macs"),
        Kind::Hostname => ("Host names", "names"),
        Kind::Device => ("Devices", "devices"),
        Kind::Deployment => ("Deployments", "deployments"),
        Kind::Reservation => ("Reserved addresses", "reservations"),
        Kind::Network => ("Networks", "networks"),
        Kind::Rack => ("Racks", "racks"),
        Kind::Site => ("Sites", "sites"),
        Kind::Zone => ("DNS zones", "zones"),
        Kind::DhcpServer => ("DHCP servers", "dhcp-servers"),
        Kind::Venture => ("Ventures", "ventures"),
        Kind::Role => ("Roles", "roles"),
        Kind::BootImage => ("Boot images", "boot-images"),
        Kind::Webhook => ("Webhooks", "webhooks"),
        Kind::User => ("Users", "users"),
        Kind::Event => ("Events", "events"),
    }
}

/// The list that shows all objects of a group.
fn list(kind: Kind, terms: &Terms, webhooks: bool) -> Option<String> {
    let path = match kind {
        Kind::Device => "/devices",
        Kind::Deployment => "/deployments",
        Kind::Network => "/networks",
        Kind::Rack => "/racks",
        Kind::Site => "/sites",
        Kind::Zone => "/zones",
        Kind::DhcpServer => "/dhcp-servers",
        Kind::Venture => "/ventures",
        Kind::BootImage => "/boot-images",
        Kind::User => return Some("/settings/users".to_owned()),
        Kind::Event => {
            let pair = form_urlencoded::Serializer::new(String::new()).append_pair("correlation", &terms.text).finish();
            return Some(format!("/timeline?{pair}"));
        }
        Kind::Webhook if webhooks => "/settings/webhooks",
        Kind::Address | Kind::Mac | Kind::Hostname | Kind::Reservation | Kind::Role | Kind::Webhook => return None,
    };
    // The list of networks does not search for addresses.
    let by_address = kind == Kind::Network && (terms.ip.is_some() || terms.range.is_some());
    Some(if by_address { path.to_owned() } else { with_query(path, &terms.normalized()) })
}

/// The number of objects in a group; more than are counted is `100+`.
fn count(group: &Group) -> String {
    if group.more { format!("{MOST}+") } else { group.count.to_string() }
}

/// The content of the page.
pub(super) fn page(results: &Results<'_>) -> Markup {
    let Results { terms, groups, is_past, webhooks } = results;
    html! {
        (block::heading(&[], &html! { "Search" @if !terms.is_empty() { ": " (terms.text) } }, &html! {}))
        @if terms.is_empty() {
            (block::empty(
                "Enter any part of a name, an IP address, a MAC address in any notation, a serial number, a reason, an ID or an event number in the search field above.",
                &html! {}
            ))
        } @else {
            @if *is_past {
                (block::note(Tone::Info, &html! { p {
                    "These are the objects of the past. A part of a word is found only if the object still has it. Management addresses and failures are searched in the present only."
                } }))
            }
            @if groups.is_empty() { (block::empty("No results.", &html! { a.button href="/devices" { "All devices" } })) }
            @else {
                nav.parts aria-label="Results" {
                    @for group in *groups { @let (words, id) = name(group.kind); a href=(format!("#{id}")) { (words) " (" (count(group)) ")" } }
                }
            }
            @if terms.is_short() && !terms.is_empty() {
                p.quiet { "One or two characters are found only at the beginning of values. Enter at least three characters to search within words." }
            }
            @for group in *groups { (card(group, terms, *webhooks)) }
        }
    }
}

fn card(group: &Group, terms: &Terms, webhooks: bool) -> Markup {
    let (words, id) = name(group.kind);
    let hidden = group.more || usize::try_from(group.count).is_ok_and(|count| count > group.items.len());
    let content = html! {
        ul.hits { @for hit in &group.items { li { (entry(hit, webhooks)) } } }
        @if hidden {
            p {
                span.quiet { (group.items.len()) " of " (count(group)) " shown. " }
                @if let Some(list) = list(group.kind, terms, webhooks) { a href=(list) { "Show all in the list" } }
            }
        }
    };
    block::card(id, &format!("{words} ({})", count(group)), &content)
}

fn entry(hit: &Hit, webhooks: bool) -> Markup {
    html! {
        @match path(hit, webhooks) { Some(path) => { a href=(path) { (label(hit)) } } None => { span { (label(hit)) } } }
        @if let Some(parent) = &hit.parent { " " span.quiet { "in " (parent) } }
        @if !hit.detail.is_empty() { " " span.quiet { (hit.detail) } }
    }
}

/// The suggestions: the options of a list box, in groups. The last option leads to all results.
pub(super) fn suggestions(results: &Results<'_>, all: &str, as_of: impl Fn(&str) -> String) -> Markup {
    let Results { terms, groups, webhooks, .. } = results;
    html! {
        div id="quick-options" role="presentation" {
            @if !terms.is_empty() {
                @for group in *groups {
                    @let (words, id) = name(group.kind);
                    div role="group" aria-labelledby=(format!("quick-{id}")) {
                        div.quiet id=(format!("quick-{id}")) role="presentation" { (words) " (" (count(group)) ")" }
                        @for (place, hit) in group.items.iter().enumerate() {
                            @if let Some(path) = path(hit, *webhooks) {
                                a role="option" id=(format!("quick-{id}-{place}")) aria-selected="false" tabindex="-1" href=(as_of(&path)) {
                                    (label(hit)) " " small { (hit.detail) }
                                }
                            }
                        }
                    }
                }
                a role="option" id="quick-all" aria-selected="false" tabindex="-1" href=(all) { "All results for " strong { (terms.text) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(kind: Kind, count: i64, parent: Option<&str>) -> Group {
        let parent = parent.map(str::to_owned);
        let hit = Hit { kind, key: "k".to_owned(), parent, label: "<k>".to_owned(), detail: "d".to_owned(), exact: false };
        Group { kind, count, more: count >= MOST, items: vec![hit] }
    }

    #[test]
    fn results_are_linked_counted_and_escaped() {
        let terms = Terms::of("<b>&");
        let groups = [group(Kind::Device, 7, None), group(Kind::Role, 1, Some("shop")), group(Kind::Deployment, MOST, None)];
        let html = page(&Results { terms: &terms, groups: &groups, is_past: false, webhooks: false }).into_string();
        for part in [
            "&lt;b&gt;&amp;",
            "href=\"/devices/k\"",
            "&lt;k&gt;",
            "href=\"/devices?q=%3Cb%3E%26\"",
            "href=\"/ventures/shop/roles/k\"",
            "Devices (7)",
            "Deployments (100+)",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert_eq!(html.matches("q=%3Cb%3E%26").count(), 2, "a complete group needs no list: {html}");
    }

    #[test]
    fn nothing_entered_nothing_found_and_the_past_are_said() {
        let show =
            |q: &str, is_past| page(&Results { terms: &Terms::of(q), groups: &[], is_past, webhooks: false }).into_string();
        assert!(show("", false).contains("class=\"empty\"") && show("xyz", false).contains("class=\"empty\""));
        assert!(show("xyz", true).contains("class=\"note") && !show("xyz", false).contains("class=\"note"));
    }

    #[test]
    fn a_list_gets_a_mac_in_the_notation_that_it_searches() {
        assert_eq!(
            list(Kind::Device, &Terms::of("5254.0012.34AB"), false).as_deref(),
            Some("/devices?q=52%3A54%3A00%3A12%3A34%3Aab")
        );
        assert_eq!(list(Kind::Network, &Terms::of("10.0.0.1"), false).as_deref(), Some("/networks"));
    }

    #[test]
    fn suggestions_are_options_with_ids_and_the_last_leads_to_all_results() {
        let groups = [group(Kind::Device, 7, None), group(Kind::Webhook, 1, None)];
        let terms = Terms::of("k");
        let results = Results { terms: &terms, groups: &groups, is_past: true, webhooks: false };
        let html = suggestions(&results, "/search?q=k&at=3", |path| format!("{path}?at=3")).into_string();
        assert_eq!(html.matches("role=\"option\"").count(), 2, "{html}");
        assert!(html.contains("id=\"quick-devices-0\"") && html.contains("href=\"/devices/k?at=3\""), "{html}");
        assert!(html.contains("href=\"/search?q=k&amp;at=3\"") && html.contains("aria-labelledby=\"quick-devices\""), "{html}");
        let results = Results { terms: &Terms::of(" "), groups: &[], is_past: false, webhooks: false };
        assert!(!suggestions(&results, "/search", str::to_owned).into_string().contains("option\""));
    }

    #[test]
    fn the_type_of_an_event_is_shown_as_words() {
        let hit = Hit { label: "#12 DhcpEntryCreated".to_owned(), ..group(Kind::Event, 1, None).items.remove(0) };
        assert_eq!(label(&hit), "#12 DHCP entry created");
    }

    #[test]
    fn a_webhook_leads_to_its_page_if_the_visitor_may_see_it_and_a_reservation_to_its_address() {
        let hit = |kind| group(kind, 1, Some("prod")).items.remove(0);
        assert_eq!(path(&hit(Kind::Webhook), true).as_deref(), Some("/settings/webhooks/k"));
        assert_eq!(path(&hit(Kind::Webhook), false), None);
        assert_eq!(path(&hit(Kind::Reservation), false).as_deref(), Some("/addresses/k"));
        assert_eq!(list(Kind::Webhook, &Terms::of("k"), true).as_deref(), Some("/settings/webhooks?q=k"));
        assert_eq!(list(Kind::Webhook, &Terms::of("k"), false), None);
    }
}
