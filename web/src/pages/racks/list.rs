//! The page `/racks`: the list of racks.

use crate::auth::level::Level;
use crate::error::Error;
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action;
use crate::pages::kit::badge::{Tone, badge};
use crate::pages::kit::block;
use crate::pages::kit::list::filters;
use crate::request::backend::Backend;
use actix_web::HttpResponse;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::catalogue::{self, Entry, Item};
use bootledger_projections::devices;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::HashMap;

/// How many racks a page shows.
const SHOWN: u32 = 100;

/// The query of the page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    q: Option<String>,
    after: Option<String>,
}

/// Handles the request for the page.
pub(super) async fn index(visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let query: Query = visit.query()?;
    let at = reading.at;
    let (after, q) = (query.after.as_deref(), query.q.as_deref());
    let items = catalogue::list(reading.connection(), "rack", at, after, i64::from(SHOWN) + 1, q).await?;
    let mut racks = items.into_iter().map(Item::read::<RackSpec>).collect::<Result<Vec<_>, _>>()?;
    let more = racks.len() > SHOWN as usize;
    racks.truncate(SHOWN as usize);
    let names: Vec<Name> = racks.iter().map(|rack| rack.key.clone()).collect();
    let counts = devices::counts_in(reading.connection(), &names, at).await?.into_iter().collect();
    let next = racks.last().filter(|_| more).map(|rack| visit.and("after", rack.key.as_str()));
    let first = visit.with("", None);
    let may = visit.may_change(&reading, Level::Administrator);
    let define = action::link("define", "/racks/new", action::Look::Usual, "plus-lg", "Define a rack", &may);
    let content = html! {
        (block::heading(&[], &html! { "Racks" }, &define))
        (filters(&visit, "/racks", "Name, site or description", &[], &html! {}))
        @if racks.is_empty() { (nothing(query.q.is_some())) } @else { (table(&racks, &counts)) }
        (block::pager(racks.len(), query.after.as_ref().map(|_| first.as_str()), next.as_deref()))
    };
    let page = Page { json: Some("/api/v1/racks".to_owned()), ..Page::new("Racks", Section::Racks, content) };
    visit.answer(reading, page).await
}

fn nothing(is_filtered: bool) -> Markup {
    if is_filtered {
        return block::empty("No rack is like that.", &html! { a.button href="/racks" { "Show all" } });
    }
    block::empty(
        "There are no racks yet. A rack stands in a site, and servers are added to it from a CSV file.",
        &html! { div.actions { a.button.primary href="/racks/new" { "Define a rack" } a.button href="/sites" { "Sites" } } },
    )
}

fn table(racks: &[Entry<RackSpec>], counts: &HashMap<Name, i64>) -> Markup {
    html! {
        div.scroll {
            table.cards {
                caption.visually-hidden { "Racks" }
                thead { tr { th scope="col" { "Name" } th scope="col" { "Site" } th scope="col" { "Description" } th scope="col" { "Units" } th scope="col" { "Devices in use" } } }
                tbody {
                    @for rack in racks {
                        tr {
                            th scope="row" { a href=(format!("/racks/{}", rack.key)) { (rack.key) } @if rack.retired { " " (badge(Tone::Neutral, "Retired")) } }
                            td data-label="Site" { a href=(format!("/sites/{}", rack.spec.site)) { (rack.spec.site) } }
                            td data-label="Description" { (rack.spec.description) }
                            td data-label="Units" { (rack.spec.units) }
                            td data-label="Devices" { a href=(format!("/devices?rack={}&decommissioned=false", rack.key)) { (counts.get(&rack.key).copied().unwrap_or(0)) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_leads_to_the_rack_and_its_devices() {
        let spec = serde_json::from_str(r#"{"site": "dc1", "description": "first <row>", "units": 42}"#).expect("a rack");
        let rack = Entry { key: "r01".parse().expect("a name"), sequence: 1, retired: true, spec };
        let counts = [("r01".parse().expect("a name"), 7)].into();
        let html = table(&[rack], &counts).into_string();
        for part in ["href=\"/racks/r01\"", "Retired", "first &lt;row&gt;", "/devices?rack=r01&amp;decommissioned=false\">7<"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(nothing(false).into_string().contains("Define a rack"));
    }
}
