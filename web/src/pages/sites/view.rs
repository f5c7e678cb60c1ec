//! Views of sites.

use crate::pages::catalogue::{SITE, list, options};
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::badge::Tone;
use crate::pages::components::block::{self, card};
use crate::pages::differences::LastChecks;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::questions::site_uses::SiteUse;
use bootledger_projections::rows::catalogue::{DhcpServerView, Entry};
use maud::{Markup, html};

/// The columns of the list.
pub(super) const COLUMNS: &[list::Heading<SiteSpec>] = &[
    list::Heading::new("site", "Site", |site| list::Value::text(&site.key)),
    list::Heading::new("title", "Title", |site| list::Value::text(&site.spec.name)),
    list::Heading::new("domain", "Domain", |site| list::Value::text(&site.spec.domain)),
    list::Heading::shown("networks", "Networks"),
    list::Heading::shown("differences", "Differences"),
    list::Heading::shown("checked", "Last checked"),
];

/// The list's table.
pub(super) fn table(
    head: &Markup,
    sites: &[Entry<SiteSpec>],
    networks: &[Entry<NetworkSpec>],
    counts: &[(Name, i64)],
    checks: &LastChecks,
    now: Timestamp,
) -> Markup {
    html! {
        table.cards {
            caption.visually-hidden { "Sites" }
            (head)
            tbody {
                @for site in sites {
                    @let count = counts.iter().find(|(known, _)| *known == site.key).map_or(0, |(_, count)| *count);
                    @let networks = networks.iter().filter(|network| network.spec.site == site.key).count();
                    tr {
                        (list::name(&SITE, site.key.as_str(), site.retired))
                        td data-label="Title" { (site.spec.name) }
                        td data-label="Domain" { code { (site.spec.domain) } }
                        td data-label="Networks" { a href=(format!("/networks?q={}", site.key)) { (networks) } }
                        td data-label="Differences" {
                            @let observed = checks.observed(&site.key, count, true);
                            @if count > 0 { a href=(format!("/sites/{}#drift", site.key)) { (observed) } } @else { (observed) }
                        }
                        td data-label="Last checked" { (checks.checked(&site.key, true, now)) }
                    }
                }
            }
        }
    }
}

/// The properties of a site. `free` are the next host names; `secret_problem` is what is wrong with the key's secret.
pub(super) fn facts(site: &Entry<SiteSpec>, free: &[Hostname], secret_problem: Option<&str>) -> Markup {
    let spec = &site.spec;
    let none = |words: &str| html! { span.quiet { (words) } };
    let zone = |zone: &bootledger_aggregates::zone::Zone| {
        html! { a href=(format!("/zones/{zone}")) { (zone) } }
    };
    card(
        "facts",
        "Details",
        &html! {
            (block::facts(&[
                ("Title", html! { @if spec.name.is_empty() { (none("none")) } @else { (spec.name) } }),
                ("Domain", html! { code { (spec.domain) } }),
                ("DNS zones", html! {
                    @if spec.zones.is_empty() { (none("none: no host names can be assigned because no zone is managed")) }
                    @for (index, name) in spec.zones.iter().enumerate() { @if index > 0 { ", " } (zone(name)) }
                }),
                ("Host names", html! {
                    @match &spec.hostname_template {
                        Some(template) => {
                            code { (template) }
                            div { @if free.is_empty() { strong { "No free names" } ": add a range to the template." } @else { "Next free: " @for (index, name) in free.iter().enumerate() { @if index > 0 { ", " } code { (name) } } } }
                        }
                        None => (none("no template: each deployment must specify a host name")),
                    }
                }),
                ("Next server", html! { @match spec.next_server { Some(server) => { code { (server) } } None => (none("none")) } }),
                ("Boot URL", html! { @match &spec.boot_url { Some(url) => { code { (url.as_str()) } } None => (none("URL of this service")) } }),
                ("DHCP header", options::shown(&spec.dhcp_header)),
                ("DNS updates", html! {
                    @match &spec.dns_updates {
                        Some(updates) => {
                            "to " code { (updates.primary) } " port " (updates.port) ", key " code { (updates.key.name) } " (" (updates.key.algorithm.name()) "), secret " code { (updates.key.secret) }
                        }
                        None => (none("no primary: records are only in the zone files")),
                    }
                }),
            ]))
            @if let Some(problem) = secret_problem { (block::note(Tone::Bad, &html! { p { strong { "The secret of the key cannot be used: " } (problem) } })) }
        },
    )
}

/// The networks, servers and other entries that belong to a site.
pub(super) fn contents(
    key: &Name,
    networks: &[Entry<NetworkSpec>],
    racks: &[Entry<RackSpec>],
    servers: &[Entry<DhcpServerView>],
    may: &Allowed,
) -> Markup {
    let links = |path: &str, keys: Vec<&Name>| {
        html! { ul.plain { @for key in keys { li { a href=(format!("{path}/{key}")) { (key) } } } } }
    };
    card(
        "contents",
        "Objects of the site",
        &html! {
            div.columns {
                div {
                    h3 { "Networks (" (networks.len()) ")" }
                    (links("/networks", networks.iter().map(|network| &network.key).collect()))
                    (action::link("add-network", &format!("/networks/_new?site={key}"), Look::Small, "plus-lg", "Create network", may))
                }
                div {
                    h3 { "Racks (" (racks.len()) ")" }
                    (links("/racks", racks.iter().map(|rack| &rack.key).collect()))
                }
                div {
                    h3 { "DHCP servers (" (servers.len()) ")" }
                    @if servers.is_empty() { p { "None. Deployments wait until a DHCP server exists, because servers get their address from it." } }
                    (links("/dhcp-servers", servers.iter().map(|server| &server.key).collect()))
                    (action::link("add-server", &format!("/dhcp-servers/_new?site={key}"), Look::Small, "plus-lg", "Create DHCP server", may))
                }
                div {
                    h3 { "Servers" }
                    p { a href=(format!("/devices?site={key}")) { "Devices of the site" } }
                    p { a href=(format!("/deployments?site={key}")) { "Deployments of the site" } }
                }
            }
        },
    )
}

/// What still belongs to a site, as links.
pub(super) fn site_use(site: &Name, found: &SiteUse) -> Markup {
    let path = match found {
        SiteUse::Network(key) => format!("/networks/{key}"),
        SiteUse::DhcpServer(key) => format!("/dhcp-servers/{key}"),
        SiteUse::Device(id, _) => format!("/devices/{id}"),
        SiteUse::FurtherDevices => format!("/devices?site={site}"),
    };
    html! { a href=(path) { (found.to_string()) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use bootledger_projections::rows::drift::LastCheck;
    use serde_json::json;

    fn site() -> Entry<SiteSpec> {
        let spec = serde_json::from_value(json!({
            "name": "<script>alert(1)</script>", "domain": "dc1.example", "zones": ["dc1.example"], "hostname_template": "h<200,299>.dc1.example",
            "dns_updates": {"primary": "10.0.0.53", "key": {"name": "dc1-key", "secret": "dc1-tsig"}}
        }));
        Entry { key: "dc1".parse().expect("a name"), sequence: 1, retired: false, spec: spec.expect("a site") }
    }

    #[test]
    fn a_site_shows_the_name_of_its_secret_and_what_is_wrong_with_it() {
        let html = facts(&site(), &["h204.dc1.example".parse().expect("a name")], Some("there is no secret dc1-tsig"));
        let text = texts(&html, "#facts").concat();
        assert!(text.contains("dc1-tsig") && text.contains("there is no secret dc1-tsig"), "{text}");
        assert!(text.contains("h204.dc1.example"), "{text}");
        assert_eq!(texts(&html, "script").len(), 0);
        assert_eq!(attributes(&html, "dd a", "href"), ["/zones/dc1.example"]);
    }

    #[test]
    fn the_list_says_how_much_differs() {
        let checks = LastChecks::from(vec![LastCheck {
            site: "dc1".parse().expect("a name"),
            checked_at: Some(Timestamp::default()),
            compared: 3,
            problems: vec![],
        }]);
        let html = table(&html! {}, &[site()], &[], &[("dc1".parse().expect("a name"), 3)], &checks, Timestamp::default());
        assert_eq!(attributes(&html, "td a", "href"), ["/networks?q=dc1", "/sites/dc1#drift"]);
        assert!(texts(&html, "td a[href$='#drift']")[0].starts_with('3'));
    }

    #[test]
    fn everything_that_uses_a_site_is_linked() {
        let link = |found: &SiteUse| {
            let html = site_use(&"dc1".parse().expect("a name"), found);
            attributes(&html, "a", "href").remove(0)
        };
        let server = SiteUse::DhcpServer("kea-1".parse().expect("a name"));
        assert_eq!(link(&server), "/dhcp-servers/kea-1");
        assert_eq!(link(&SiteUse::FurtherDevices), "/devices?site=dc1");
    }
}
