//! The part of the dashboard with what needs attention: failures, what deployments are waiting for, and servers that are behind
//! or have drifted.

use crate::error::Error;
use crate::pages::deployments::awaited;
use crate::pages::kit::badge::{Tone, badge};
use crate::pages::kit::block;
use crate::pages::kit::time::since;
use crate::request::reading::Reading;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, DhcpServerView, Entry};
use bootledger_projections::deployments::{self, Deployment};
use bootledger_projections::installations::{self, FailedInstallation};
use bootledger_projections::plugin_runs::{self, Awaited, Run, RunStatus, Standing};
use bootledger_projections::webhooks::{self, FailingWebhook};
use bootledger_projections::{dns_updates, drift, parked};
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

pub(super) async fn ask(reading: &mut Reading<'_>, standing: &[Standing]) -> Result<Attention, Error> {
    let count = |status| standing.iter().filter(|row| row.status == status).map(|row| row.deployments).sum();
    let runs = plugin_runs::failed(reading.connection(), SHOWN).await?;
    let ids: Vec<_> = runs.iter().map(|run| run.deployment).collect();
    let rows = deployments::find_many(reading.connection(), &ids, At::Now).await?;
    let of = |run: Run| rows.iter().find(|row| row.id == run.deployment).cloned().map(|row| (run, row));
    let (failed_installers, installers) = installations::failing(reading.connection(), SHOWN).await?;
    let servers = catalogue::dhcp_servers(reading.connection(), At::Now).await?;
    Ok(Attention {
        failing: count(RunStatus::Failed) + failed_installers,
        installers,
        waiting: count(RunStatus::Waiting),
        awaited: plugin_runs::awaited(reading.connection(), SHOWN).await?,
        failed: runs.into_iter().filter_map(of).collect(),
        servers: servers.into_iter().filter(|server| server.spec.failing.is_some() || server.spec.confirmed.is_none()).collect(),
        drifted: drift::counts(reading.connection()).await?,
        dns: dns_updates::problems(reading.connection()).await?,
        parked: parked::count(reading.connection()).await?,
        webhooks: webhooks::all_failing(reading.connection()).await?,
    })
}

/// The part of the page.
pub(super) fn view(found: &Attention, now: Timestamp) -> Markup {
    let rows = rows(found, now);
    let content = html! {
        @if rows.is_empty() {
            p { (badge(Tone::Good, "Nothing needs you")) " No deployment failed or waits for a person or a server, and all servers have what they should." }
        } @else {
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "What" } th scope="col" { "Where" } th scope="col" { "Since" } th scope="col" { "Why" } } }
                    tbody { @for row in rows { (row) } }
                }
            }
        }
    };
    block::card("attention", "Needs somebody", &content)
}

fn row(what: &Markup, place: &Markup, moment: Option<Timestamp>, why: &Markup, now: Timestamp) -> Markup {
    html! {
        tr {
            th scope="row" { (what) }
            td data-label="Where" { div { (place) } }
            td data-label="Since" { @match moment { Some(at) => (since(at, now)), None => "–" } }
            td data-label="Why" { div { (why) } }
        }
    }
}

fn rows(found: &Attention, now: Timestamp) -> Vec<Markup> {
    let mut rows = vec![];
    if found.parked > 0 {
        let why = html! { (found.parked) " events could not be applied, so what is shown of what they are about is old. " a href="/readyz" { "Which" } };
        rows.push(row(&badge(Tone::Bad, "Parked"), &html! { "The views" }, None, &why, now));
    }
    for (run, deployment) in &found.failed {
        let place = html! { a href=(format!("/deployments/{}", deployment.id)) { (deployment.hostname) } };
        let why = html! { (run.plugin) ": " (run.reason.as_deref().unwrap_or("without a word")) };
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
        let place = html! { a href="/deployments?plugin=failed&sort=since" { (more) " more deployments" } };
        rows.push(row(&badge(Tone::Bad, "Failed"), &place, None, &html! {}, now));
    }
    for server in &found.servers {
        let place = html! { a href=(format!("/dhcp-servers/{}", server.key)) { "DHCP server " (server.key) } };
        match &server.spec.failing {
            Some(failing) => {
                rows.push(row(&badge(Tone::Bad, "Failing"), &place, Some(failing.at), &html! { (failing.message) }, now));
            }
            None => rows.push(row(
                &badge(Tone::Warn, "Silent"),
                &place,
                None,
                &html! { "It has confirmed nothing yet. Is its agent running?" },
                now,
            )),
        }
    }
    for waits in &found.awaited {
        let place = html! { (awaited::links([waits.key.as_str()])) };
        let path = format!("/deployments?awaiting={}", form_urlencoded::byte_serialize(waits.key.as_bytes()).collect::<String>());
        let why = html! { a href=(path) { (waits.deployments) @if waits.deployments == 1 { " deployment waits" } @else { " deployments wait" } } };
        rows.push(row(&badge(Tone::Warn, "Awaited"), &place, Some(waits.since), &why, now));
    }
    if found.dns.0 > 0 {
        let place = html! { a href="/zones" { "DNS" } };
        let why = html! { (found.dns.0) " sets of records are not at their primary yet although that was tried" };
        rows.push(row(&badge(Tone::Warn, "Pending"), &place, found.dns.1, &why, now));
    }
    for (site, count) in &found.drifted {
        let place = html! { a href=(format!("/sites/{site}")) { "Site " (site) } };
        let why = html! { (count) @if *count == 1 { " difference" } @else { " differences" } " between what its servers have and what they should have" };
        rows.push(row(&badge(Tone::Warn, "Differs"), &place, None, &why, now));
    }
    for webhook in &found.webhooks {
        let place = html! { "Webhook " (webhook.name) };
        rows.push(row(
            &badge(Tone::Warn, "Failing"),
            &place,
            None,
            &html! { "Its receiver does not take what it is told; " code { "GET /api/v1/webhooks" } " says why" },
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
        for part in ["DHCP server kea-1", "12 deployments wait", "1 min 15 s", "/deployments?awaiting=dhcp-server%3Akea-1"] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn where_nothing_is_wrong_that_is_said() {
        assert!(view(&Attention::default(), Timestamp::default()).into_string().contains("Nothing needs you"));
    }
}
