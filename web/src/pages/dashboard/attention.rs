//! The part of the dashboard with what needs attention: failures, what deployments are waiting for, and servers that are behind
//! or have drifted.

use crate::english::counted;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::awaited;
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::components::time::since;
use crate::wording::plugins;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::progress::dns_updates;
use bootledger_projections::progress::webhooks::{self, FailingWebhook, StalledWebhook};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, DhcpServerView, Entry};
use bootledger_projections::rows::deployments::{self, Deployment, Status};
use bootledger_projections::rows::drift;
use bootledger_projections::rows::holders::{self, HolderNames};
use bootledger_projections::rows::installations::{self, FailedInstallation};
use bootledger_projections::rows::parked::{self, Parked};
use bootledger_projections::rows::plugin_runs::{self, Awaited, Run, RunStatus, Standing};
use maud::{Markup, html};

/// How many items of each kind are shown.
const SHOWN: i64 = 8;
/// After how many seconds an event that nothing tried to deliver makes its webhook stalled.
const STALLED: i64 = 600;

/// What needs attention.
#[derive(Debug, Default)]
pub(super) struct Attention {
    /// The number of deployments with a failed plugin, plus the number of failed installers.
    pub(super) failing: i64,
    /// The number of deployments with a waiting plugin.
    pub(super) waiting: i64,
    awaited: Vec<Awaited>,
    failed: Vec<(Run, Deployment)>,
    /// The names of those that hold values which failed plugins wanted.
    holders: HolderNames,
    installers: Vec<FailedInstallation>,
    servers: Vec<Entry<DhcpServerView>>,
    overdue: Vec<Deployment>,
    /// The number of all overdue deployments.
    all_overdue: i64,
    /// The differences of each site from the expected state of its servers.
    pub(super) drifted: Vec<(String, i64)>,
    dns: (i64, Option<Timestamp>),
    /// The number of events that could not be applied, and the first of them.
    pub(super) parked: (i64, Vec<Parked>),
    webhooks: Vec<FailingWebhook>,
    stalled: Vec<StalledWebhook>,
    /// Whether the visitor may see the pages of webhooks, as administrators may.
    pub(super) webhook_pages: bool,
}

#[cfg(test)]
impl Attention {
    /// A value with this number of deployments that have a failed plugin.
    pub(super) fn of_failing(failing: i64) -> Self {
        Self { failing, ..Self::default() }
    }
}

/// Reads what needs attention. `overdue` is the number of overdue deployments.
pub(super) async fn load(
    snapshot: &mut Snapshot<'_>,
    standing: &[Standing],
    overdue: i64,
    now: Timestamp,
) -> Result<Attention, Error> {
    let count = |status| standing.iter().filter(|row| row.status == status).map(|row| row.deployments).sum();
    let runs = plugin_runs::failed(snapshot.connection(), SHOWN).await?;
    let ids: Vec<_> = runs.iter().map(|run| run.deployment).collect();
    let rows = deployments::find_many(snapshot.connection(), &ids, At::Now).await?;
    let holders = holders::of_failures(runs.iter().filter_map(Run::failure));
    let holders = HolderNames::load(snapshot.connection(), holders, At::Now).await?;
    let of = |run: Run| rows.iter().find(|row| row.id == run.deployment).cloned().map(|row| (run, row));
    let (failed_installers, installers) = installations::failing(snapshot.connection(), SHOWN).await?;
    let servers = catalogue::dhcp_servers(snapshot.connection(), At::Now).await?;
    Ok(Attention {
        failing: count(RunStatus::Failed) + failed_installers,
        installers,
        waiting: count(RunStatus::Waiting),
        awaited: plugin_runs::awaited(snapshot.connection(), SHOWN).await?,
        failed: runs.into_iter().filter_map(of).collect(),
        holders,
        servers: servers.into_iter().filter(|server| server.spec.failing.is_some() || server.spec.confirmed.is_none()).collect(),
        drifted: drift::counts(snapshot.connection()).await?,
        dns: dns_updates::problems(snapshot.connection()).await?,
        overdue: if overdue > 0 { deployments::overdue(snapshot.connection(), SHOWN).await? } else { vec![] },
        all_overdue: overdue,
        parked: (
            parked::count(snapshot.connection()).await?,
            parked::list(snapshot.connection(), 0, super::parked::LISTED).await?,
        ),
        webhooks: webhooks::all_failing(snapshot.connection()).await?,
        stalled: webhooks::all_stalled(snapshot.connection(), now.plus_seconds(-STALLED)).await?,
        webhook_pages: false,
    })
}

/// The part of the page.
pub(super) fn view(found: &Attention, now: Timestamp) -> Markup {
    block::card("attention", "Needs attention", &table(found, now, usize::MAX))
}

/// The table, with up to `most` rows.
pub(super) fn table(found: &Attention, now: Timestamp, most: usize) -> Markup {
    let rows = rows(found, now);
    let left = rows.len().saturating_sub(most);
    html! {
        @if rows.is_empty() {
            p { (badge(Tone::Good, "No problems")) " No deployment is failing or waiting, and all servers are in their expected state." }
        } @else {
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "Status" } th scope="col" { "Object" } th scope="col" { "Age" } th scope="col" { "Reason" } } }
                    tbody { @for row in rows.into_iter().take(most) { (row) } }
                }
            }
            @if left > 0 { p { (counted(left, "more row", "more rows")) " on the " a href="/#attention" { "dashboard" } "." } }
        }
    }
}

fn row(what: &Markup, place: &Markup, moment: Option<Timestamp>, why: &Markup, now: Timestamp) -> Markup {
    html! {
        tr {
            th scope="row" { (what) }
            td data-label="Object" { div { (place) } }
            td data-label="Age" { @match moment { Some(at) => (since(at, now)), None => "–" } }
            td data-label="Reason" { div { (why) } }
        }
    }
}

/// The rows, the most urgent first: what fails, what is late, what waits for an operator, and then servers and receivers that are
/// behind.
fn rows(found: &Attention, now: Timestamp) -> Vec<Markup> {
    let mut rows = failed(found, now);
    rows.extend(overdue(found, now));
    let (people, others): (Vec<&Awaited>, Vec<&Awaited>) = found.awaited.iter().partition(|waits| waits.key == "operator");
    rows.extend(people.into_iter().chain(others).map(|waits| awaited_row(waits, now)));
    rows.extend(found.drifted.iter().map(|(site, count)| {
        let place = html! { a href=(format!("/sites/{site}#drift")) { "Site " (site) } };
        let why = html! { (counted(count, "difference", "differences")) " from the expected state of its servers" };
        row(&badge(Tone::Warn, "Drift"), &place, None, &why, now)
    }));
    rows.extend(found.servers.iter().map(|server| dhcp_server(server, now)));
    if found.dns.0 > 0 {
        let place = html! { a href="/zones" { "DNS" } };
        let why = html! { (counted(found.dns.0, "DNS record set is", "DNS record sets are")) " not published, because updates of their primary failed. The page of each zone shows the reason." };
        rows.push(row(&badge(Tone::Warn, "Pending"), &place, found.dns.1, &why, now));
    }
    rows.extend(webhook_rows(found, now));
    if found.parked.0 > 0 {
        let why = super::parked::summary(found.parked.0);
        rows.push(row(&badge(Tone::Bad, "Not applied"), &html! { "Pages" }, None, &why, now));
    }
    rows
}

/// Deployments with a failed plugin or a failed installer.
fn failed(found: &Attention, now: Timestamp) -> Vec<Markup> {
    let mut rows = vec![];
    for (run, deployment) in &found.failed {
        let place = html! { a href=(format!("/deployments/{}", deployment.id)) { (deployment.hostname) } };
        let reason = run.reason.as_ref().map(|reason| plugins::reason(reason, deployment.hostname.as_str(), &found.holders));
        let why = html! { (run.plugin) ": " (reason.as_deref().unwrap_or("no reason given")) };
        rows.push(row(&badge(Tone::Bad, "Failed"), &place, Some(run.since), &why, now));
    }
    for failed in &found.installers {
        let place = html! { a href=(format!("/deployments/{}", failed.deployment)) { (failed.hostname) } };
        let why = html! {
            "Installer" @if let Some(stage) = &failed.stage { ", stage " (stage) }
            @if failed.text.is_empty() { ": no reason given" } @else { ": " (failed.text) }
        };
        rows.push(row(&badge(Tone::Bad, "Failed"), &place, failed.since, &why, now));
    }
    let more = found.failing - i64::try_from(found.failed.len() + found.installers.len()).unwrap_or(0);
    if more > 0 {
        let place =
            html! { a href="/deployments?plugin=failed&sort=since" { (counted(more, "more deployment", "more deployments")) } };
        rows.push(row(&badge(Tone::Bad, "Failed"), &place, None, &html! {}, now));
    }
    rows
}

/// Deployments that take longer than their boot image allows.
fn overdue(found: &Attention, now: Timestamp) -> Vec<Markup> {
    let mut rows = vec![];
    for deployment in &found.overdue {
        let place = html! { a href=(format!("/deployments/{}", deployment.id)) { (deployment.hostname) } };
        let (status, minutes) = match deployment.status {
            Status::Open => ("Open (preparing)", deployment.open_minutes),
            _ => ("In progress (installing)", deployment.in_progress_minutes),
        };
        let why = html! { (status) " for more than " (counted(minutes, "minute", "minutes")) ", the limit of boot image " (deployment.boot_image) };
        rows.push(row(&badge(Tone::Warn, "Overdue"), &place, Some(deployment.status_since), &why, now));
    }
    let more = found.all_overdue - i64::try_from(found.overdue.len()).unwrap_or(0);
    if more > 0 {
        let path = "/deployments?overdue=true&live=true&sort=since";
        let place = html! { a href=(path) { (counted(more, "more deployment", "more deployments")) } };
        rows.push(row(&badge(Tone::Warn, "Overdue"), &place, None, &html! {}, now));
    }
    rows
}

fn awaited_row(waits: &Awaited, now: Timestamp) -> Markup {
    let place = html! { (awaited::links([waits.key.as_str()])) };
    let path = format!("/deployments?awaiting={}", form_urlencoded::byte_serialize(waits.key.as_bytes()).collect::<String>());
    let why = html! { a href=(path) { (counted(waits.deployments, "deployment waits", "deployments wait")) } };
    row(&badge(Tone::Warn, "Waiting"), &place, Some(waits.since), &why, now)
}

/// A DHCP server that failed to use its configuration, or has never confirmed one.
fn dhcp_server(server: &Entry<DhcpServerView>, now: Timestamp) -> Markup {
    let place = html! { a href=(format!("/dhcp-servers/{}", server.key)) { "DHCP server " (server.key) } };
    if let Some(failing) = &server.spec.failing {
        return row(&badge(Tone::Bad, "Failing"), &place, Some(failing.at), &html! { (failing.message) }, now);
    }
    let why = html! { "It has not confirmed any configuration yet. Check that its agent runs." };
    row(&badge(Tone::Warn, "Unconfirmed"), &place, None, &why, now)
}

/// Webhooks whose receivers do not get their events.
fn webhook_rows(found: &Attention, now: Timestamp) -> Vec<Markup> {
    let place = |name: &Name| {
        html! {
            @if found.webhook_pages { a href=(format!("/settings/webhooks/{name}")) { "Webhook " (name) } } @else { "Webhook " (name) }
        }
    };
    let failing = found.webhooks.iter().map(|webhook| {
        let why = match webhook.failing_aggregates {
            0 => html! { "Nothing can be sent" },
            count => html! { "Deliveries fail; later events of " (counted(count, "object", "objects")) " wait" },
        };
        row(&badge(Tone::Warn, "Failing"), &place(&webhook.name), webhook.since, &why, now)
    });
    let is_failing = |name: &Name| found.webhooks.iter().any(|failing| failing.name == *name);
    let stalled = found.stalled.iter().filter(|webhook| !is_failing(&webhook.name)).map(|webhook| {
        let count = webhook.waiting_aggregates;
        let why = html! { "Events of " (counted(count, "object", "objects")) " wait, and no delivery is attempted. Check the worker " a href="/settings" { "webhooks" } "." };
        row(&badge(Tone::Warn, "Stalled"), &place(&webhook.name), Some(webhook.since), &why, now)
    });
    failing.chain(stalled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples;
    use crate::pages::tests::selectors::{attributes, texts};

    #[test]
    fn an_awaited_server_is_named_with_how_many_wait_and_since_when() {
        let waits = Awaited { key: "dhcp-server:kea-1".to_owned(), deployments: 12, since: Timestamp::default() };
        let found = Attention { awaited: vec![waits], waiting: 12, ..Attention::default() };
        let html = view(&found, Timestamp::default().plus_seconds(75)).into_string();
        for part in ["kea-1", "12 ", "1 min 15 s", "/deployments?awaiting=dhcp-server%3Akea-1"] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn an_operator_who_is_awaited_comes_before_servers_and_after_what_is_late() {
        let waits = |key: &str| Awaited { key: key.to_owned(), deployments: 1, since: Timestamp::default() };
        let found = Attention {
            awaited: vec![waits("dhcp-server:kea-1"), waits("operator")],
            overdue: vec![samples::deployment()],
            all_overdue: 3,
            stalled: vec![StalledWebhook {
                name: "tickets".parse().expect("a name"),
                waiting_aggregates: 2,
                since: Timestamp::default(),
            }],
            parked: (1, vec![]),
            ..Attention::default()
        };
        let html = view(&found, Timestamp::default().plus_seconds(75));
        let badges = texts(&html, ".badge");
        assert_eq!(badges, ["Overdue", "Overdue", "Waiting", "Waiting", "Stalled", "Not applied"]);
        assert_eq!(texts(&html, "tr:nth-child(3) [data-label=Object]").len(), 1);
        let links = attributes(&html, "tbody a", "href");
        let place = |path: &str| links.iter().position(|link| link == path).expect(path);
        assert!(place("/deployments?overdue=true&live=true&sort=since") < place("/deployments?awaiting=operator"));
        assert!(place("/deployments?awaiting=operator") < place("/deployments?awaiting=dhcp-server%3Akea-1"));
        assert_eq!(texts(&table(&found, Timestamp::default(), 2), "tbody tr").len(), 2);
        assert!(!links.iter().any(|link| link.contains("webhooks")), "pages for administrators only: {links:?}");
        let html = view(&Attention { webhook_pages: true, ..found }, Timestamp::default());
        assert!(attributes(&html, "tbody a", "href").contains(&"/settings/webhooks/tickets".to_owned()));
    }

    #[test]
    fn the_page_states_that_there_are_no_problems() {
        assert!(view(&Attention::default(), Timestamp::default()).into_string().contains("No problems"));
    }
}
