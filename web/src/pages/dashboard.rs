//! `/`: what needs a person first; then what is under way, and how it went lately. Every number leads to what it counts.

mod attention;
mod lately;

use super::frame::{Page, Section, Visit};
use super::kit::badge::Tone;
use super::kit::block;
use super::live::{self, Region, State, Topic};
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::web::{ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::deployments::{self, LiveCounts};
use bootledger_projections::plugin_runs;
use maud::{Markup, html};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/").get(index)).service(resource("/dashboard/live/{since}").get(live));
}

/// What the page shows.
struct Found {
    counts: LiveCounts,
    attention: attention::Attention,
    lately: lately::Lately,
}

async fn ask(reading: &mut Reading<'_>, now: Timestamp) -> Result<Found, Error> {
    let standing = plugin_runs::standing(reading.connection(), now).await?;
    Ok(Found {
        counts: deployments::live_counts(reading.connection()).await?,
        attention: attention::ask(reading, &standing).await?,
        lately: lately::ask(reading, now, standing).await?,
    })
}

/// The page. What needs somebody is a matter of now, so that it shows no past.
async fn index(visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    if reading.at != bootledger_projections::at::At::Now {
        let message = "the dashboard shows what needs somebody now; look at the past of deployments, devices and the others";
        return Err(Error::rejected("at", "at_not_here", message));
    }
    let found = ask(&mut reading, visit.now).await?;
    let content = html! {
        (block::heading(&[], &html! { "Dashboard" }, &html! {}))
        @for region in regions(&found, visit.now) { (region.html) }
    };
    let live = Some(format!("/dashboard/live/{}", reading.position));
    visit.answer(reading, Page { live, ..Page::new("Dashboard", Section::Dashboard, content) }).await
}

async fn live(_: Visit, request: HttpRequest, Path(since): Path<i64>) -> Result<HttpResponse, Error> {
    let now = super::application(&request)?.now;
    let render = live::render(move |mut reading, _| {
        Box::pin(async move {
            let found = ask(&mut reading, now()).await?;
            Ok(State { regions: regions(&found, now()), rows: vec![] })
        })
    });
    live::answer(&request, since, vec![Topic::Everything], None, render)
}

fn regions(found: &Found, now: Timestamp) -> Vec<Region> {
    vec![
        Region::new("tiles", tiles(found)),
        Region::new("attention", attention::view(&found.attention, now)),
        Region::new("lately", lately::view(&found.lately)),
    ]
}

fn tiles(found: &Found) -> Markup {
    let tone = |count: i64, tone: Tone| if count > 0 { tone } else { Tone::Neutral };
    let (counts, attention) = (found.counts, &found.attention);
    html! {
        div.tiles id="tiles" {
            (block::tile(tone(attention.failing, Tone::Bad), attention.failing, "with a plugin or installer that failed", "/deployments?plugin=failed"))
            (block::tile(tone(counts.overdue, Tone::Warn), counts.overdue, "overdue", "/deployments?overdue=true&live=true"))
            (block::tile(tone(attention.waiting, Tone::Warn), attention.waiting, "waiting for somebody", "/deployments?plugin=waiting"))
            (block::tile(tone(counts.open, Tone::Info), counts.open, "being prepared", "/deployments?status=open"))
            (block::tile(tone(counts.in_progress, Tone::Info), counts.in_progress, "in progress", "/deployments?status=in_progress"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_to_what_it_counts() {
        let found = Found {
            counts: LiveCounts { open: 3, in_progress: 4, overdue: 2 },
            attention: attention::Attention::of_failing(1),
            lately: lately::Lately::default(),
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
