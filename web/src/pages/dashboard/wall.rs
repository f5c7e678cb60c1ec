//! The wall board, `/wall`: the dashboard's most important parts in large type, without menu and forms, for a screen without
//! an operator. A viewer's sign-in is enough. It is live; without JavaScript, the browser loads it again every 30 seconds.

use super::{DashboardData, attention, load, tiles};
use crate::confidential::Reader;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::application;
use crate::pages::components::badge::badge;
use crate::pages::components::block;
use crate::pages::components::time::moment;
use crate::pages::layout::PageContext;
use crate::pages::live::{self, Region, State, Topic};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::values::timestamp::Timestamp;
use maud::{Markup, html};

/// How many rows of what needs attention, and of what fills up, fit on a screen.
const ROWS: usize = 10;
const FULL: usize = 6;

/// Handles `GET /wall`.
pub(super) async fn show(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let concerns = backend.concerns();
    let mut snapshot = backend.read().await?;
    super::only_now(&snapshot)?;
    let reader = Reader::of(&page_context.caller.principal);
    let found = load(&mut snapshot, page_context.now, concerns, reader).await?;
    let content = html! { @for region in regions(&found, page_context.now) { (region.html) } };
    let live = format!("/wall/live/{}", snapshot.position);
    Ok(page_context.board(snapshot.position, "Wall board", &live, &content))
}

/// The board's parts, live.
pub(super) async fn live(page_context: PageContext, request: HttpRequest, Path(since): Path<i64>) -> Result<HttpResponse, Error> {
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
        Region::new("service", super::service(&found.concerns)),
        Region::new("tiles", tiles(found)),
        Region::new("attention", block::card("attention", "Needs attention", &attention::table(&found.attention, now, ROWS))),
        Region::new("today", today(found)),
        Region::new("capacity", filling_up(found)),
        Region::new("updated", html! { p.quiet id="updated" { "Last updated " (moment(now)) } }),
    ]
}

/// How many deployments ended today.
fn today(found: &DashboardData) -> Markup {
    let (done, cancelled) = found.lately.ended_today();
    let content = html! {
        dl.facts {
            dt { "Done" } dd { strong { (done) } }
            dt { "Cancelled" } dd { strong { (cancelled) } }
        }
    };
    block::card("today", "Today (UTC), so far", &content)
}

/// The networks and racks that fill up.
fn filling_up(found: &DashboardData) -> Markup {
    let networks = found.capacity.networks.iter().map(|one| ("Network", one));
    let racks = found.capacity.racks.iter().map(|one| ("Rack", one));
    let full: Vec<_> = networks.chain(racks).filter(|(_, one)| one.fills_up()).collect();
    let content = html! {
        @if full.is_empty() {
            p { "No network or rack fills up." }
        } @else {
            ul.plain.stack {
                @for (kind, one) in full.iter().take(FULL) {
                    @let (tone, words) = one.state();
                    li { (kind) " " strong { (one.key) } " " (badge(tone, words)) " " span.quiet { (one.used) " of " (one.total) } }
                }
            }
            @if full.len() > FULL { p.quiet { (full.len() - FULL) " more" } }
        }
    };
    block::card("capacity", "Capacity", &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::dashboard::capacity::{Capacity, Usage};
    use crate::pages::tests::selectors::texts;

    #[test]
    fn the_board_names_what_fills_up_and_says_that_nothing_does() {
        let usage = |key: &str, used| Usage { key: key.to_owned(), site: "dc1".to_owned(), used, total: 100 };
        let mut found = DashboardData::default();
        assert_eq!(texts(&filling_up(&found), "li").len(), 0);
        found.capacity = Capacity { networks: vec![usage("prod", 90), usage("lab", 3)], racks: vec![usage("r01", 100)] };
        assert_eq!(texts(&filling_up(&found), "li strong"), ["prod", "r01"]);
        assert_eq!(texts(&today(&found), "dd"), ["0", "0"]);
    }
}
