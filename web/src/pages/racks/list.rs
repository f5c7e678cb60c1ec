//! The page `/racks`: the list of racks.

use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::pages::catalogue::list::{ListQuery, find, pager};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::{action, block};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::filters;
use actix_web::HttpResponse;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::catalogue::Entry;
use bootledger_projections::rows::devices;
use maud::{Markup, html};
use std::collections::HashMap;

/// Handles the request for the page.
pub(super) async fn index(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: ListQuery = page_context.query()?;
    let found = find::<RackSpec>(&mut snapshot, "rack", &query).await?;
    let (at, racks) = (snapshot.at, found.items);
    let names: Vec<Name> = racks.iter().map(|rack| rack.key.clone()).collect();
    let counts = devices::counts_in(snapshot.connection(), &names, at).await?.into_iter().collect();
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let define = html! {
        @if !racks.is_empty() { (block::link_button("/racks/_side-by-side", "hdd-rack", "Side by side")) }
        (action::link("define", "/racks/new", action::Look::Usual, "plus-lg", "Create rack", &may))
    };
    let content = html! {
        (block::heading(&[], &html! { "Racks" }, &define))
        (filters(&page_context, "/racks", "Name, site or description", &[], &html! {}))
        @if racks.is_empty() { (nothing(query.q.is_some())) } @else { (table(&racks, &counts)) }
        (pager(&page_context, racks.len(), found.next.as_deref()))
    };
    let page = Page { json: Some("/api/v1/racks".to_owned()), ..Page::new("Racks", Section::Racks, content) };
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
    fn a_row_links_to_the_rack_and_its_devices() {
        let spec = serde_json::from_str(r#"{"site": "dc1", "description": "first <row>", "units": 42}"#).expect("a rack");
        let rack = Entry { key: "r01".parse().expect("a name"), sequence: 1, retired: true, spec };
        let counts = [("r01".parse().expect("a name"), 7)].into();
        let html = table(&[rack], &counts).into_string();
        for part in ["href=\"/racks/r01\"", "Retired", "first &lt;row&gt;", "/devices?rack=r01&amp;decommissioned=false\">7<"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(nothing(false).into_string().contains("href=\"/racks/new\""));
    }
}
