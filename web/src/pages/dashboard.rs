//! The dashboard, `/`: first what needs attention, then what is in progress, recent statistics, the sites, and what fills up.
//! Every number links to what it counts. The wall board, `/wall`, shows the same in large type.

mod attention;
mod capacity;
mod parked;
mod sites;
mod statistics;
mod wall;

use super::live::{self, Region, State, Topic};
use crate::confidential::Reader;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::application;
use crate::pages::components::badge::Tone;
use crate::pages::components::block;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::web::{ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::Concern;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{self, LiveCounts};
use bootledger_projections::rows::{catalogue, plugin_runs, tallies};
use maud::{Markup, html};
use std::collections::BTreeMap;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/").get(index))
        .service(resource("/dashboard/live/{since}").get(live))
        .service(resource("/wall").get(wall::show))
        .service(resource("/wall/live/{since}").get(wall::live));
}

/// The data of the page.
#[derive(Default)]
struct DashboardData {
    concerns: Vec<Concern>,
    counts: LiveCounts,
    attention: attention::Attention,
    lately: statistics::RecentStatistics,
    sites: BTreeMap<String, sites::Site>,
    capacity: capacity::Capacity,
}

async fn load(
    snapshot: &mut Snapshot<'_>,
    now: Timestamp,
    concerns: Vec<Concern>,
    reader: Reader,
) -> Result<DashboardData, Error> {
    let standing = plugin_runs::standing(snapshot.connection(), now).await?;
    let counts = deployments::live_counts(snapshot.connection()).await?;
    let mut attention = attention::load(snapshot, &standing, counts.overdue, now).await?;
    attention.webhook_pages = reader == Reader::Administrator;
    let lately = statistics::load(snapshot, now, standing).await?;
    let codes = catalogue::sites(snapshot.connection(), At::Now).await?.into_iter().map(|site| site.key.to_string());
    let tallies = tallies::of_sites(snapshot.connection()).await?;
    Ok(DashboardData {
        concerns,
        counts,
        sites: sites::of(codes, tallies, lately.ended_by_site(), &attention.drifted),
        attention,
        lately,
        capacity: capacity::load(snapshot).await?,
    })
}

/// Refuses a past position.
fn only_now(snapshot: &Snapshot<'_>) -> Result<(), Error> {
    if snapshot.at == At::Now {
        return Ok(());
    }
    let message = "the dashboard shows only the present; the pages of deployments, devices and the other lists show the past";
    Err(Error::rejected("at", Rule::AtNotHere, message))
}

/// Handles the request for the page. What needs attention is a matter of the present, so the page shows no past position.
async fn index(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let concerns = backend.concerns();
    let mut snapshot = backend.read_now().await?;
    let reader = Reader::of(&page_context.caller.principal);
    let found = load(&mut snapshot, page_context.now, concerns, reader).await?;
    let content = html! {
        (block::heading(&[], &html! { "Dashboard" }, &block::link_button("/wall", "speedometer2", "Wall board")))
        @for region in regions(&found, page_context.now) { (region.html) }
    };
    let live = Some(format!("/dashboard/live/{}", snapshot.position));
    page_context.answer(snapshot, Page { live, ..Page::new("Dashboard", Section::Dashboard, content) }).await
}

async fn live(page_context: PageContext, request: HttpRequest, Path(since): Path<i64>) -> Result<HttpResponse, Error> {
    let application = application::of(&request)?;
    let (now, visitor) = (application.now, Reader::of(&page_context.caller.principal));
    let render = live::render(move |mut snapshot, _| {
        let concerns = application.commands.concerns();
        Box::pin(async move {
            let found = load(&mut snapshot, now(), concerns, visitor).await?;
            Ok(State { regions: regions(&found, now()), rows: vec![] })
        })
    });
    live::answer(&request, since, vec![Topic::Everything], None, render)
}

fn regions(found: &DashboardData, now: Timestamp) -> Vec<Region> {
    vec![
        Region::new("service", service(&found.concerns)),
        Region::new("tiles", tiles(found)),
        Region::new("attention", attention::view(&found.attention, now)),
        Region::new("parked", parked::card(found.attention.parked.0, &found.attention.parked.1)),
        Region::new("sites", sites::view(&found.sites)),
        Region::new("capacity", capacity::view(&found.capacity)),
        Region::new("lately", statistics::view(&found.lately)),
    ]
}

/// The conditions that limit the service itself, such as full disks or a read-only database.
fn service(concerns: &[Concern]) -> Markup {
    html! {
        div id="service" {
            @for concern in concerns {
                (block::note(if concern.not_ready { Tone::Bad } else { Tone::Warn }, &html! { (concern.sentence) }))
            }
        }
    }
}

fn tiles(found: &DashboardData) -> Markup {
    let tone = |count: i64, tone: Tone| if count > 0 { tone } else { Tone::Neutral };
    let (counts, attention) = (found.counts, &found.attention);
    html! {
        div.tiles id="tiles" {
            (block::tile(tone(attention.failing, Tone::Bad), attention.failing, "failing", "/deployments?plugin=failed"))
            (block::tile(tone(counts.overdue, Tone::Warn), counts.overdue, "overdue", "/deployments?overdue=true&live=true"))
            (block::tile(tone(attention.waiting, Tone::Warn), attention.waiting, "waiting for an operator", "/deployments?plugin=waiting"))
            (block::tile(tone(counts.open, Tone::Info), counts.open, "open (preparing)", "/deployments?status=open"))
            (block::tile(tone(counts.in_progress, Tone::Info), counts.in_progress, "in progress (installing)", "/deployments?status=in_progress"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_the_service_are_shown() {
        let concern = Concern { not_ready: true, sentence: "the database's disk is full".to_owned() };
        let html = service(&[concern]).into_string();
        assert!(html.contains("class=\"note bad\"") && html.contains("the database's disk is full"), "{html}");
    }

    #[test]
    fn every_number_links_to_what_it_counts() {
        let found = DashboardData {
            counts: LiveCounts { open: 3, in_progress: 4, overdue: 2 },
            attention: attention::Attention::of_failing(1),
            ..DashboardData::default()
        };
        let html = tiles(&found).into_string();
        for part in [
            "tile bad\" href=\"/deployments?plugin=failed\"><strong>1",
            "tile warn\" href=\"/deployments?overdue=true&amp;live=true\"><strong>2",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
