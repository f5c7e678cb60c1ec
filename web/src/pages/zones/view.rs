//! Views of DNS zones.

use crate::machines::dns::zone::NOT_SERVED;
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block::{self, card};
use crate::pages::components::time::{since, until};
use crate::pages::csv::cell;
use crate::pages::differences::LastChecks;
use crate::pages::layout::PageContext;
use crate::pages::list::filters::bar;
use crate::pages::list::paging::{Place, Slice};
use crate::pages::list::views::Views;
use crate::pages::list::{self as lists, Listing, sort_link};
use crate::wording;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::zone::Zone;
use bootledger_projections::progress::dns_updates::DnsUpdate;
use bootledger_projections::rows::catalogue::Entry;
use bootledger_projections::rows::dns_records::DnsRecord;
use maud::{Markup, html};
use std::collections::HashMap;
use std::net::IpAddr;

/// A zone in the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    /// The site that manages the zone.
    pub(super) site: &'a Name,
    /// The zone and its settings.
    pub(super) zone: &'a Zone,
    /// The primary that the zone's records are published to.
    pub(super) primary: Option<IpAddr>,
}

impl Row<'_> {
    /// The cursor of this row.
    pub(super) fn place(&self) -> String {
        format!("{} {}", self.site, self.zone)
    }
}

/// The columns of the CSV.
pub(super) const CSV: &str = "zone,site,direction,primary\r\n";

/// A row of the CSV.
pub(super) fn line(row: &Row<'_>) -> String {
    let direction = if is_reverse(row.zone) { "reverse" } else { "forward" };
    let primary = row.primary.map(|primary| primary.to_string()).unwrap_or_default();
    format!("{},{},{direction},{}\r\n", cell(&row.zone.to_string()), cell(row.site.as_str()), cell(&primary))
}

/// One page of a zone's records.
pub(super) struct Records {
    /// The records, each with its name in the zone.
    pub(super) items: Vec<(String, DnsRecord)>,
    /// The names of their devices.
    pub(super) names: HashMap<DeviceId, String>,
    /// The cursor of the next page.
    pub(super) next: Option<String>,
}

/// Whether a zone is a reverse zone, so that its records are PTR records; those of others are A records.
pub(super) fn is_reverse(zone: &Zone) -> bool {
    zone.is_reverse()
}

/// The path of the list as JSON: zones are parts of sites.
pub(super) const JSON: &str = "/api/v1/sites";

/// The list's content.
pub(super) fn list(
    page_context: &PageContext,
    (slice, total, sort): (&Slice<Row<'_>>, i64, &str),
    views: &Views,
    no_site: bool,
    counts: &[(Name, i64)],
    (checks, now): (&LastChecks, Timestamp),
) -> Markup {
    let searched = !page_context.parameter("q").is_empty() || Place::of(page_context) != Place::First;
    let rows = &slice.rows;
    let csv = page_context.with("as", Some("csv"));
    let listing = Listing {
        page_context,
        many: "zones",
        choices: &[],
        total,
        columns: None,
        views: views.menu(page_context),
        exports: (Some(&csv), Some(JSON)),
    };
    let heading = |name, label, sortable| sort_link(page_context, sort, name, label, sortable);
    html! {
        (block::heading(&[], &html! { "DNS zones" }, &html! {}))
        @if rows.is_empty() && !searched {
            @if no_site { (block::empty("There are no zones yet. Zones belong to a site. Create a site with the zones that Bootledger manages.", &html! { a.button.primary href="/sites/_new" { "Create site" } })) }
            @else { (block::empty("No site has a DNS zone that Bootledger manages, so no host names can be assigned. Add zones to a site.", &html! { a.button.primary href="/sites" { "Sites" } })) }
        } @else {
            (bar(page_context, "/zones", "Zone or site", &[]))
            (listing.tools(rows.len()))
            @if rows.is_empty() { (block::empty("No results.", &html! { a.button href="/zones" { "Show all" } })) }
            @else {
                (listing.table(slice, &html! {
                    table.cards {
                        caption.visually-hidden { "DNS zones" }
                        thead { tr { (heading("zone", "Zone", true)) (heading("site", "Site", true)) (heading("direction", "Direction", false)) (heading("updates", "Expected", false)) (heading("differences", "Observed at the site", false)) (heading("checked", "Last checked", false)) } }
                        tbody {
                            @for row in rows {
                                @let count = counts.iter().find(|(site, _)| site == row.site).map_or(0, |(_, count)| *count);
                                @let observed = checks.observed(row.site, count, row.primary.is_some());
                                tr {
                                    th scope="row" { a href=(format!("/zones/{}", row.zone)) { (row.zone) } }
                                    td data-label="Site" { a href=(format!("/sites/{}", row.site)) { (row.site) } }
                                    td data-label="Direction" { @if is_reverse(row.zone) { "addresses to names" } @else { "names to addresses" } }
                                    td data-label="Expected" { @match row.primary { Some(primary) => { "at its primary " code { (primary) } } None => span.quiet { "only in the zone file" } } }
                                    td data-label="Observed" { @if count > 0 { a href=(format!("/sites/{}#drift", row.site)) { (observed) } } @else { (observed) } }
                                    td data-label="Last checked" { (checks.checked(row.site, row.primary.is_some(), now)) }
                                }
                            }
                        }
                    }
                }, &html! {}))
            }
        }
    }
}

/// The heading of a zone's page.
pub(super) fn heading(zone: &DomainName, may: &Allowed) -> Markup {
    let (file, form) = (format!("/dns/zones/{zone}"), format!("/zones/{zone}/edit"));
    let links = html! {
        (action::link("change", &form, Look::Usual, "pencil", "Edit", may))
        (block::link_button(&file, "download", "Zone file"))
    };
    block::heading(&[("DNS zones", "/zones")], &html! { (zone) }, &links)
}

/// The properties of a zone.
pub(super) fn facts(zone: &Zone, site: &Entry<SiteSpec>, secret_problem: Option<&str>) -> Markup {
    card(
        "facts",
        "Description",
        &html! {
            (block::facts(&[
                ("Site", html! { a href=(format!("/sites/{}", site.key)) { (site.key) } }),
                ("Direction", html! { @if is_reverse(zone) { "addresses to names (PTR)" @if let Some(range) = zone.addresses() { ": " code { (range) } } } @else { "names to addresses (A)" } }),
                ("Primary", html! {
                    @match &site.spec.dns_updates {
                        Some(updates) => { code { (updates.primary) } " port " (updates.port) ", signed with the key " code { (updates.key.name) } }
                        None => { span.quiet { "none: fetch the zone file, or configure the DNS primary of the site to publish updates" } }
                    }
                }),
            ]))
            @if let Some(problem) = secret_problem { (block::note(Tone::Bad, &html! { p { strong { "Cannot update the DNS primary: " } (problem) } })) }
        },
    )
}

/// What the zone's file contains in addition to the records of devices. `file` is the whole text.
pub(super) fn soa(zone: &Zone, domain: &DomainName, serial: u32, file: &str) -> Markup {
    let of_type = |kind: &str| -> Vec<String> {
        let head = format!("{}. IN {kind} ", zone.name);
        file.lines().filter_map(|line| line.strip_prefix(&head)).map(str::to_owned).collect()
    };
    let servers: Vec<String> = of_type("NS").iter().map(|server| server.trim_end_matches('.').to_owned()).collect();
    let left_out: Vec<&str> = file.lines().filter_map(|line| line.strip_prefix(NOT_SERVED)).collect();
    let [refresh, retry, expire, minimum] = zone.soa_times();
    let extra = zone.readable().0.len();
    card(
        "soa",
        "Zone file",
        &html! {
            (block::facts(&[
                ("Name servers", html! {
                    @for (index, server) in servers.iter().enumerate() { @if index > 0 { ", " } code { (server) } }
                    @if zone.name_servers.is_empty() { " " span.quiet { "default; list the name servers that serve the zone" } }
                }),
                ("Primary (SOA)", html! { code { (zone.mname.as_ref().map_or_else(|| servers.first().cloned().unwrap_or_default(), ToString::to_string)) } }),
                ("Responsible", html! { (zone.rname.as_ref().map_or_else(|| format!("hostmaster@{domain}"), ToString::to_string)) }),
                ("Times", html! { "refresh " (refresh) " s, retry " (retry) " s, expire " (expire) " s, minimum " (minimum) " s; TTL " (zone.ttl()) " s" }),
                ("Serial number", html! {
                    code { (serial) } " by " (zone.serial.name())
                    @if let Some(floor) = zone.serial_floor { ", above " code { (floor) } }
                }),
                ("Extra records", html! { @if extra == 0 { span.quiet { "none" } } @else { (extra) } }),
            ]))
            @if !left_out.is_empty() {
                (block::note(Tone::Bad, &html! {
                    p { strong { "These extra records are not in the zone file, because they contradict records of devices or cannot be read:" } }
                    @for line in &left_out { p { (line.trim_start_matches([',', ' ', ':'])) } }
                }))
            }
        },
    )
}

/// The updates that the primary has not accepted yet.
pub(super) fn updates(site: &SiteSpec, pending: Option<&[DnsUpdate]>, now: Timestamp) -> Markup {
    card(
        "updates",
        "Pending updates",
        &html! {
            @match (pending, &site.dns_updates) {
                (None, _) => { p.quiet { "Pending updates are not available for past events." } }
                (Some(_), None) => { p.quiet { "Not published: this site has no DNS primary." } }
                (Some([]), Some(_)) => { p { (badge(Tone::Good, "None")) " The primary accepted all updates." } }
                (Some(pending), Some(_)) => {
                    div.scroll {
                        table.cards {
                            thead { tr { th scope="col" { "Record" } th scope="col" { "Age" } th scope="col" { "Reason" } th scope="col" { "Failed attempts" } th scope="col" { "Next attempt" } } }
                            tbody {
                                @for update in pending {
                                    tr {
                                        th scope="row" { code { (update.name) } " " (update.r#type) }
                                        td data-label="Age" { (since(update.since, now)) }
                                        td data-label="Reason" {
                                            @match &update.problem {
                                                Some(problem) => { (wording::dns::problem(problem)) @if update.conflict { " " (badge(Tone::Warn, "Records not created by Bootledger")) } }
                                                None => { span.quiet { "updating" } }
                                            }
                                        }
                                        td.number data-label="Failed attempts" { (update.attempts) }
                                        td data-label="Next attempt" { (until(update.next_try, now)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        },
    )
}

/// The records, with their own search.
pub(super) fn records(page_context: &PageContext, path: &str, records: &Records) -> Markup {
    let searched = !page_context.parameter("q").is_empty() || !page_context.parameter("after").is_empty();
    card(
        "records",
        "Records",
        &html! {
            @if !records.items.is_empty() || searched { (lists::search(page_context, path, "Name, address or host")) }
            @if records.items.is_empty() && !searched {
                p { "No records yet. Deployments create the records of their servers." }
            } @else if records.items.is_empty() { p { "No results." } }
            @else {
                div.scroll {
                    table.cards {
                        caption.visually-hidden { "Records" }
                        thead { tr { th scope="col" { "Name" } th scope="col" { "Type" } th scope="col" { "Value" } th scope="col" { "Device" } } }
                        tbody {
                            @for (name, record) in &records.items {
                                @let device = records.names.get(&record.device).cloned().unwrap_or_else(|| record.device.to_string());
                                tr {
                                    th scope="row" { code { (name) } }
                                    td data-label="Type" { (record.r#type) }
                                    td data-label="Value" { code { (record.value) } }
                                    td data-label="Device" { a href=(format!("/devices/{}", record.device)) { (device) } }
                                }
                            }
                        }
                    }
                }
            }
            @let first = (!page_context.parameter("after").is_empty()).then(|| page_context.with("", None));
            @let next = records.next.as_deref().map(|next| page_context.with("after", Some(next)));
            @if !records.items.is_empty() || next.is_some() || first.is_some() { (block::pager(records.items.len(), first.as_deref(), next.as_deref())) }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::problem::PublishProblem;
    use serde_json::json;

    fn site(updates: bool) -> SiteSpec {
        let updates = updates.then(|| json!({"primary": "10.0.0.53", "key": {"name": "k", "secret": "dc1-tsig"}}));
        serde_json::from_value(json!({"domain": "dc1.example", "zones": ["dc1.example"], "dns_updates": updates}))
            .expect("a site")
    }

    #[test]
    fn pending_updates_show_since_when_and_why() {
        let pending = [DnsUpdate {
            name: "h200.dc1.example".to_owned(),
            r#type: "A".to_owned(),
            since: Timestamp::default(),
            attempts: 3,
            problem: Some(PublishProblem::Text { text: "<REFUSED>".parse().expect("a text") }),
            conflict: true,
            next_try: Timestamp::default().plus_seconds(70),
        }];
        let html = updates(&site(true), Some(&pending), Timestamp::default().plus_seconds(60));
        let row = texts(&html, "tbody tr").concat();
        for value in ["h200.dc1.example A", "1 min", "<REFUSED>", "10 s"] {
            assert!(row.contains(value), "{value}: {row}");
        }
        let none: &[DnsUpdate] = &[];
        let states = [(true, Some(none)), (false, Some(none)), (true, None)];
        let states =
            states.map(|(has_primary, pending)| texts(&updates(&site(has_primary), pending, Timestamp::default()), "p").concat());
        insta::assert_snapshot!("updates_of_a_zone", states.join("\n"));
    }
}
