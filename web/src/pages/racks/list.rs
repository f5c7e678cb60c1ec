//! The page `/racks`: the list of racks.

use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::pages::catalogue::RACK;
use crate::pages::catalogue::list::{self, Heading, Value, head};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::{action, block};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::Listing;
use crate::pages::list::filters::bar;
use crate::pages::list::views::Views;
use actix_web::HttpResponse;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::catalogue::Entry;
use bootledger_projections::rows::devices;
use maud::{Markup, html};
use std::collections::HashMap;

/// Handles the request for the page.
pub(super) async fn index(mut page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    if list::is_csv(&page_context) {
        return list::as_csv(&page_context, snapshot, &RACK, COLUMNS).await;
    }
    let views = Views::load(&page_context, &mut snapshot, "racks", list::known(COLUMNS)).await?;
    views.assume(&mut page_context);
    let found = list::find(&page_context, &mut snapshot, RACK.kind, COLUMNS).await?;
    let (at, racks) = (snapshot.at, &found.slice.rows);
    let names: Vec<Name> = racks.iter().map(|rack| rack.key.clone()).collect();
    let counts = devices::counts_in(snapshot.connection(), &names, at).await?.into_iter().collect();
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let define = html! {
        @if !racks.is_empty() { (block::link_button("/racks/_side-by-side", "hdd-rack", "Side by side")) }
        (action::link("define", "/racks/new", action::Look::Usual, "plus-lg", "Create rack", &may))
    };
    let (csv, json) = (page_context.with("as", Some("csv")), list::json(&page_context, "/api/v1/racks"));
    let listing = Listing {
        page_context: &page_context,
        many: "racks",
        choices: &[],
        total: found.total,
        columns: None,
        views: views.menu(&page_context),
        exports: (Some(&csv), Some(&json)),
    };
    let searched = !page_context.parameter("q").is_empty();
    let content = html! {
        (block::heading(&[], &html! { "Racks" }, &define))
        (bar(&page_context, "/racks", "Name, site or description", &[]))
        (listing.tools(racks.len()))
        @if racks.is_empty() { (nothing(searched)) }
        @else { (listing.table(&found.slice, &table(&head(&page_context, COLUMNS), racks, &counts), &html! {})) }
    };
    let page = Page { json: Some(json), ..Page::new("Racks", Section::Racks, content) };
    page_context.answer(snapshot, page).await
}

fn nothing(is_filtered: bool) -> Markup {
    if is_filtered {
        return block::empty("No racks match these filters.", &html! { a.button href="/racks" { "Show all" } });
    }
    block::empty(
        "There are no racks yet. A rack belongs to a site, and servers are added to it from a CSV file.",
        &html! { div.actions { a.button.primary href="/racks/new" { "Create rack" } a.button href="/sites" { "Sites" } } },
    )
}

/// The columns of the list.
const COLUMNS: &[Heading<RackSpec>] = &[
    Heading::new("name", "Name", |rack| Value::text(&rack.key)),
    Heading::new("site", "Site", |rack| Value::text(&rack.spec.site)),
    Heading::new("description", "Description", |rack| Value::text(&rack.spec.description)),
    Heading::new("units", "Units", |rack| Value::number(rack.spec.units)),
    Heading::shown("devices", "Devices in use"),
];

fn table(head: &Markup, racks: &[Entry<RackSpec>], counts: &HashMap<Name, i64>) -> Markup {
    html! {
            table.cards {
                caption.visually-hidden { "Racks" }
                (head)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_links_to_the_rack_and_its_devices() {
        let spec = serde_json::from_str(r#"{"site": "dc1", "description": "first <row>", "units": 42}"#).expect("a rack");
        let rack = Entry { key: "r01".parse().expect("a name"), sequence: 1, retired: true, spec };
        let counts = [("r01".parse().expect("a name"), 7)].into();
        let html = table(&html! {}, &[rack], &counts).into_string();
        for part in ["href=\"/racks/r01\"", "Retired", "first &lt;row&gt;", "/devices?rack=r01&amp;decommissioned=false\">7<"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(nothing(false).into_string().contains("href=\"/racks/new\""));
    }
}
