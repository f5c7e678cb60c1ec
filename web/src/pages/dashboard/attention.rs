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
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::progress::dns_updates;
use bootledger_projections::progress::webhooks::{self, FailingWebhook};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, DhcpServerView, Entry};
use bootledger_projections::rows::deployments::{self, Deployment};
use bootledger_projections::rows::holders::{self, HolderNames};
use bootledger_projections::rows::installations::{self, FailedInstallation};
use bootledger_projections::rows::plugin_runs::{self, Awaited, Run, RunStatus, Standing};
use bootledger_projections::rows::{drift, parked};
use maud::{Markup, html};

/// How many items of each kind are shown.
const SHOWN: i64 = 8;

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
    drifted: Vec<(String, i64)>,
    dns: (i64, Option<Timestamp>),
    parked: i64,
    webhooks: Vec<FailingWebhook>,
}

#[cfg(test)]
impl Attention {
    /// A value with this number of deployments that have a failed plugin.
    pub(super) fn of_failing(failing: i64) -> Self {
        Self { failing, ..Self::default() }
    }
}

pub(super) async fn load(snapshot: &mut Snapshot<'_>, standing: &[Standing]) -> Result<Attention, Error> {
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
        parked: parked::count(snapshot.connection()).await?,
        webhooks: webhooks::all_failing(snapshot.connection()).await?,
    })
}

/// The part of the page.
pub(super) fn view(found: &Attention, now: Timestamp) -> Markup {
    let rows = rows(found, now);
    let content = html! {
        @if rows.is_empty() {
            p { (badge(Tone::Good, "No problems")) " No deployment is failing or waiting, and all servers are in their expected state." }
        } @else {
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "Status" } th scope="col" { "Object" } th scope="col" { "Age" } th scope="col" { "Reason" } } }
                    tbody { @for row in rows { (row) } }
                }
            }
        }
    };
    block::card("attention", "Needs attention", &content)
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

fn rows(found: &Attention, now: Timestamp) -> Vec<Markup> {
    let mut rows = vec![];
    if found.parked > 0 {
        let why = html! { (counted(found.parked, "event", "events")) " could not be applied, so the pages of their objects may be out of date. " a href="/readyz" { "Details" } };
        rows.push(row(&badge(Tone::Bad, "Not applied"), &html! { "Pages" }, None, &why, now));
    }
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
    for server in &found.servers {
        let place = html! { a href=(format!("/dhcp-servers/{}", server.key)) { "DHCP server " (server.key) } };
        match &server.spec.failing {
            Some(failing) => {
                rows.push(row(&badge(Tone::Bad, "Failing"), &place, Some(failing.at), &html! { (failing.message) }, now));
            }
            None => rows.push(row(
                &badge(Tone::Warn, "Unconfirmed"),
                &place,
                None,
                &html! { "It has not confirmed any configuration yet. Check that its agent runs." },
                now,
            )),
        }
    }
    for waits in &found.awaited {
        let place = html! { (awaited::links([waits.key.as_str()])) };
        let path = format!("/deployments?awaiting={}", form_urlencoded::byte_serialize(waits.key.as_bytes()).collect::<String>());
        let why = html! { a href=(path) { (counted(waits.deployments, "deployment waits", "deployments wait")) } };
        rows.push(row(&badge(Tone::Warn, "Waiting"), &place, Some(waits.since), &why, now));
    }
    if found.dns.0 > 0 {
        let place = html! { a href="/zones" { "DNS" } };
        let why = html! { (counted(found.dns.0, "DNS record set is", "DNS record sets are")) " not published, because updates of their primary failed. The page of each zone shows the reason." };
        rows.push(row(&badge(Tone::Warn, "Pending"), &place, found.dns.1, &why, now));
    }
    for (site, count) in &found.drifted {
        let place = html! { a href=(format!("/sites/{site}")) { "Site " (site) } };
        let why = html! { (counted(count, "difference", "differences")) " from the expected state of its servers" };
        rows.push(row(&badge(Tone::Warn, "Drift"), &place, None, &why, now));
    }
    for webhook in &found.webhooks {
        let place = html! { "Webhook " (webhook.name) };
        rows.push(row(
            &badge(Tone::Warn, "Failing"),
            &place,
            None,
            &html! { "Webhook deliveries are failing. See the reason in "code { "GET /api/v1/webhooks" } "." },
            now,
        ));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_page_states_that_there_are_no_problems() {
        assert!(view(&Attention::default(), Timestamp::default()).into_string().contains("No problems"));
    }
}
