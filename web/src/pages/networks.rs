//! Pages of networks: how full they are, what holds each address, and the options that their hosts get.

mod form;
mod map;
mod reserve;
mod tree;
mod view;

use super::catalogue::described::{self, Described, End};
use super::catalogue::entry::{self, Parts};
use super::catalogue::form::{self as forms, Pairs, Target};
use super::catalogue::list;
use super::catalogue::page::{self, LivePage, May};
use super::catalogue::{NETWORK, Noun, history};
use super::form::Fields;
use super::list::views::Views;
use super::live::Topic;
use crate::english::counted;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::network::{NetworkSpec, in_use};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{CatalogueAction, Command, Kind};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::{holdings, reservations};
use maud::{Markup, html};
use serde::Deserialize;
use std::net::Ipv4Addr;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/networks").get(index))
        .service(resource("/networks/_new").get(described::new::<Networks>).post(described::create::<Networks>))
        .service(resource("/networks/_tree").get(tree::show))
        .service(resource("/networks/{key}").get(page::show::<Networks>))
        .service(resource("/networks/{key}/reserve").get(reserve::load).post(reserve::reserve))
        .service(resource("/networks/{key}/release").get(reserve::confirm).post(reserve::release))
        .service(resource("/networks/{key}/live/{since}").get(page::live::<Networks>))
        .service(resource("/networks/{key}/edit").get(described::edit::<Networks>).post(described::change::<Networks>))
        .service(resource("/networks/{key}/retire").get(described::load::<Networks>).post(described::retire::<Networks>));
}

async fn index(mut page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    if list::is_csv(&page_context) {
        return list::as_csv(&page_context, snapshot, &NETWORK, view::COLUMNS).await;
    }
    let views = Views::load(&page_context, &mut snapshot, "networks", list::known(view::COLUMNS)).await?;
    views.assume(&mut page_context);
    let found = list::find(&page_context, &mut snapshot, NETWORK.kind, view::COLUMNS).await?;
    let at = snapshot.at;
    let cidrs: Vec<_> = found.slice.rows.iter().map(|entry| entry.spec.cidr).collect();
    let held = holdings::count_in(snapshot.connection(), &cidrs, at).await?;
    let no_site = found.total == 0 && catalogue::sites(snapshot.connection(), at).await?.is_empty();
    let table = view::table(&page_context, &found.slice.rows, &held);
    let empty = list::Empty {
        words: if no_site {
            "There are no networks yet. A network belongs to a site; create a site first."
        } else {
            "There are no networks yet. Servers get their addresses from networks. Create a network with its addresses and its site."
        },
        first: no_site.then_some(("Create site", "/sites/_new")),
        also: (!no_site).then_some(("Tree", "/networks/_tree")),
    };
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let json = list::json(&page_context, "/api/v1/networks");
    let content = list::view(&page_context, &NETWORK, &may, (&found, &table), (&views, &json), &empty);
    let page = Page { json: Some(json), ..Page::new("Networks", Section::Networks, content) };
    page_context.answer(snapshot, page).await
}

/// The query of a network's page.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OneQuery {
    /// An address in the part of the map that is shown.
    map: Option<Ipv4Addr>,
}

/// Networks as a kind that forms define.
struct Networks;

impl LivePage for Networks {
    type Query = OneQuery;

    fn topics(key: &Name) -> Vec<Topic> {
        // Devices hold the addresses, so their events change the page.
        vec![Topic::One("network", key.to_string()), Topic::Kind("device"), Topic::Kind("deployment"), Topic::Kind("reservation")]
    }

    async fn parts(
        snapshot: &mut Snapshot<'_>,
        _: &Application,
        key: &Name,
        query: &OneQuery,
        may: &May,
        now: Timestamp,
    ) -> Result<Parts, Error> {
        let at = snapshot.at;
        let entry = entry::find::<NetworkSpec>(snapshot, &NETWORK, key.as_str()).await?;
        let held = holdings::count_in(snapshot.connection(), &[entry.spec.cidr], at).await?;
        let reserved = reservations::within(snapshot.connection(), entry.spec.cidr, at).await?;
        let map = map::find(snapshot, &entry.spec, query.map, &reserved).await?;
        let history = history::read(snapshot, "network", key.as_str()).await?;
        Ok(vec![
            entry::heading(&NETWORK, &entry, &may.change, &html! {}),
            ("use", view::usage(&entry, held.first().copied().unwrap_or(0), reserved.len(), &map)),
            ("map", map::card(key.as_str(), entry.spec.cidr, &map)),
            ("reservations", reserve::card(&entry, &reserved, &may.repair, now)),
            ("facts", view::facts(&entry)),
            ("history", history::card(&history)),
        ])
    }
}

impl Described for Networks {
    type View = NetworkSpec;
    type Spec = NetworkSpec;
    const NOUN: Noun = NETWORK;
    const SECTION: Section = Section::Networks;
    const KIND: Kind = Kind::Network;

    fn usual(page_context: &PageContext) -> Pairs {
        let mut pairs = form::usual();
        pairs.push(forms::pair("site", page_context.parameter("site")));
        pairs
    }

    fn pairs(view: &NetworkSpec) -> Pairs {
        form::pairs(view)
    }

    async fn form(snapshot: &mut Snapshot<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error> {
        let sites = forms::sites(snapshot).await?;
        let racks = catalogue::racks(snapshot.connection(), At::Now).await?;
        Ok(form::view(target, fields, &sites, &racks))
    }

    fn read(fields: &mut Fields) -> Option<NetworkSpec> {
        form::read(fields)
    }

    fn define(key: Name, spec: NetworkSpec) -> Command {
        Command::Catalogue(CatalogueAction::DefineNetwork(key, Box::new(spec)))
    }

    async fn end(snapshot: &mut Snapshot<'_>, entry: &Entry<NetworkSpec>) -> Result<End, Error> {
        let held = holdings::count_in(snapshot.connection(), &[entry.spec.cidr], At::Now).await?;
        let held = u64::try_from(held.first().copied().unwrap_or(0)).unwrap_or(0);
        let used = html! { a href=(format!("{}#map", NETWORK.page(&entry.key))) { (counted(held, "address", "addresses")) " that devices or reservations hold" } };
        Ok(End {
            does: "Its addresses are no longer assigned to servers, deployments can no longer start in it, and DHCP servers remove it from their configurations.",
            uses: if held > 0 { vec![used] } else { vec![] },
            refused: in_use(held).map(|broken| broken.message),
        })
    }
}
