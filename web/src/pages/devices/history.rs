//! The tab with a device's history, one sentence for each event, the newest first; and with its deployments.

use super::details::{DeviceDetails, none};
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::lines::lines;
use crate::pages::components::time::{moment, seconds_between, span};
use crate::pages::components::{badge, block};
use crate::pages::layout::PageContext;
use crate::pages::live::Region;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::deployments::{self, Deployment};
use bootledger_projections::rows::timeline::{self, Line, Order};
use maud::{Markup, html};

/// How many events and how many deployments a page shows.
const SHOWN: u32 = 100;
/// How many events the first tab shows.
const RECENT: u32 = 20;

/// The data that the tab needs in addition to the device.
pub(super) struct Past {
    lines: Vec<Line>,
    more: bool,
    before: Option<i64>,
    deployments: Vec<Deployment>,
}

/// The requested page of the history: events before a position.
pub(super) fn before(page_context: &PageContext) -> Result<Option<i64>, Error> {
    #[derive(Default, serde::Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Query {
        before: Option<i64>,
    }
    Ok(page_context.query::<Query>()?.before)
}

impl Past {
    /// The latest events, for the end of the first tab.
    pub(super) async fn recent(snapshot: &mut Snapshot<'_>, device: DeviceId) -> Result<Self, Error> {
        let filter =
            timeline::Filter { device: Some(device), before: Some(snapshot.position + 1), ..timeline::Filter::default() };
        let mut lines = timeline::list(snapshot.connection(), &filter, Order::NewestFirst, i64::from(RECENT) + 1).await?;
        let more = lines.len() > RECENT as usize;
        lines.truncate(RECENT as usize);
        Ok(Self { lines, more, before: None, deployments: vec![] })
    }

    pub(super) async fn load(snapshot: &mut Snapshot<'_>, device: DeviceId, before: Option<i64>) -> Result<Self, Error> {
        let at = snapshot.at;
        let end = before.unwrap_or(i64::MAX).min(snapshot.position + 1);
        let filter = timeline::Filter { device: Some(device), before: Some(end), ..timeline::Filter::default() };
        let mut lines = timeline::list(snapshot.connection(), &filter, Order::NewestFirst, i64::from(SHOWN) + 1).await?;
        let more = lines.len() > SHOWN as usize;
        lines.truncate(SHOWN as usize);
        let filter = deployments::Filter { device: Some(device), ..deployments::Filter::default() };
        let deployments = deployments::list(snapshot.connection(), &filter, at, i64::from(SHOWN)).await?;
        Ok(Self { lines, more, before, deployments })
    }
}

/// The tab's parts.
pub(super) fn regions(found: &DeviceDetails, past: &Past, now: Timestamp) -> Vec<Region> {
    let mut regions = vec![];
    if past.before.is_none() {
        regions.push(Region::new("deployments", of_deployments(past, now)));
    }
    regions.push(Region::new("timeline", events(found, past)));
    regions
}

fn of_deployments(past: &Past, now: Timestamp) -> Markup {
    let content = html! {
        @if past.deployments.is_empty() { (none("Never deployed.")) }
        @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Deployments of the device" }
                    thead { tr { th scope="col" { "Host name" } th scope="col" { "Status" } th scope="col" { "Venture and role" } th scope="col" { "Boot image" } th scope="col" { "Started" } th scope="col" { "Duration" } } }
                    tbody {
                        @for row in &past.deployments {
                            tr {
                                th scope="row" { a href=(format!("/deployments/{}", row.id)) { (row.hostname) } }
                                td data-label="Status" { span { (badge::deployment(row.status, row.overdue)) } }
                                td data-label="Venture, role" { (row.venture) " / " (row.role) }
                                td data-label="Boot image" { (row.boot_image) }
                                td data-label="Started" { (moment(row.started_at)) }
                                td data-label="Duration" { (span(seconds_between(row.started_at, row.ended_at.unwrap_or(now)))) @if row.ended_at.is_none() { " so far" } }
                            }
                        }
                    }
                }
            }
        }
    };
    block::card("deployments", "Deployments", &content)
}

pub(super) fn events(found: &DeviceDetails, past: &Past) -> Markup {
    let path = format!("/devices/{}/history", found.device.id);
    let next = past.lines.last().filter(|_| past.more).map(|line| format!("{path}?before={}", line.position));
    let content = html! {
        @if past.lines.is_empty() { (none("No earlier events.")) } @else { (lines(&past.lines)) }
        (block::pager(past.lines.len(), past.before.map(|_| path.as_str()), next.as_deref()))
    };
    block::card("timeline", "Events, newest first", &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::{deployment, device};
    use bootledger_projections::rows::holders::HolderNames;

    fn line(position: i64) -> Line {
        Line {
            position,
            sequence: 1,
            recorded_at: Timestamp::default(),
            aggregate_type: "device".to_owned(),
            aggregate_id: DeviceId::default().to_string(),
            event_type: "DeviceVerified".to_owned(),
            actor: "token ops".to_owned(),
            correlation_id: "c-1".to_owned(),
            device: Some(DeviceId::default()),
            deployment: None,
            event: None,
            subject: None,
            parent: None,
            holders: HolderNames::default(),
            states: None,
        }
    }

    #[test]
    fn events_have_permanent_links_and_older_ones_are_a_page_away() {
        let found = DeviceDetails { device: device(), live: None, may: Ok(()), blocked: false, lifts: Ok(()) };
        let past = Past { lines: vec![line(9), line(7)], more: true, before: None, deployments: vec![deployment()] };
        let html: String =
            regions(&found, &past, Timestamp::default()).into_iter().map(|region| region.html.into_string()).collect();
        assert!(html.contains("id=\"event-9\"") && html.contains("/history?before=7\""), "{html}");
        assert!(html.contains("h200.dc1.example"));
        let older = Past { before: Some(7), more: false, lines: vec![], deployments: vec![] };
        let html = events(&found, &older).into_string();
        assert!(!html.contains("id=\"event-") && html.contains("rel=\"first\""), "{html}");
    }
}
