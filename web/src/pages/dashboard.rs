//! The dashboard, `/`: first what needs attention, then what is in progress, and recent statistics. Every number links to
//! what it counts.

mod attention;
mod lately;

use super::frame::{Page, Section, Visit};
use super::kit::badge::Tone;
use super::kit::block;
use super::live::{self, Region, State, Topic};
use crate::commands::Concern;
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

/// The data of the page.
struct Found {
    concerns: Vec<Concern>,
    counts: LiveCounts,
    attention: attention::Attention,
    lately: lately::Lately,
}

async fn ask(reading: &mut Reading<'_>, now: Timestamp, concerns: Vec<Concern>) -> Result<Found, Error> {
    let standing = plugin_runs::standing(reading.connection(), now).await?;
    Ok(Found {
        concerns,
        counts: deployments::live_counts(reading.connection()).await?,
        attention: attention::ask(reading, &standing).await?,
        lately: lately::ask(reading, now, standing).await?,
    })
}

/// Handles the request for the page. What needs attention is a matter of the present, so the page shows no past position.
async fn index(visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let concerns = backend.concerns();
    let mut reading = backend.read().await?;
    if reading.at != bootledger_projections::at::At::Now {
        let message = "the dashboard shows what needs somebody now; look at the past of deployments, devices and the others";
        return Err(Error::rejected("at", "at_not_here", message));
    }
    let found = ask(&mut reading, visit.now, concerns).await?;
    let content = html! {
        (block::heading(&[], &html! { "Dashboard" }, &html! {}))
        @for region in regions(&found, visit.now) { (region.html) }
    };
    let live = Some(format!("/dashboard/live/{}", reading.position));
    visit.answer(reading, Page { live, ..Page::new("Dashboard", Section::Dashboard, content) }).await
}

async fn live(_: Visit, request: HttpRequest, Path(since): Path<i64>) -> Result<HttpResponse, Error> {
    let application = super::application(&request)?;
    let now = application.now;
    let render = live::render(move |mut reading, _| {
        let concerns = application.commands.concerns();
        Box::pin(async move {
            let found = ask(&mut reading, now(), concerns).await?;
            Ok(State { regions: regions(&found, now()), rows: vec![] })
        })
    });
    live::answer(&request, since, vec![Topic::Everything], None, render)
}

fn regions(found: &Found, now: Timestamp) -> Vec<Region> {
    vec![
        Region::new("service", service(&found.concerns)),
        Region::new("tiles", tiles(found)),
        Region::new("attention", attention::view(&found.attention, now)),
        Region::new("lately", lately::view(&found.lately)),
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
    fn what_limits_the_service_is_shown() {
        let concern = Concern { not_ready: true, sentence: "the database's disk is full".to_owned() };
        let html = service(&[concern]).into_string();
        assert!(html.contains("class=\"note bad\"") && html.contains("the database's disk is full"), "{html}");
    }

    #[test]
    fn every_number_leads_to_what_it_counts() {
        let found = Found {
            concerns: vec![],
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
