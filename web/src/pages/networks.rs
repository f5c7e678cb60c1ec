//! Pages of networks: how full they are, what holds each address, and the options that their hosts get.

mod form;
mod map;
mod view;

use super::catalogue::described::{self, Described, End};
use super::catalogue::entry::{self, Parts};
use super::catalogue::form::{self as forms, Pairs, Target};
use super::catalogue::list::{self, ListQuery};
use super::catalogue::{NETWORK, Noun, history};
use super::form::Fields;
use super::frame::{Page, Section, Visit};
use super::kit::action::Allowed;
use super::live::Topic;
use crate::application::Application;
use crate::auth::level::Level;
use crate::commands::{Command, Kind};
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::network::{NetworkSpec, in_use};
use bootledger_aggregates::values::name::Name;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, Entry};
use bootledger_projections::holdings;
use futures::future::FutureExt;
pub(super) use map::called;
use maud::{Markup, html};
use serde::Deserialize;
use std::net::Ipv4Addr;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/networks").get(index))
        .service(resource("/networks/_new").get(described::new::<Networks>).post(described::create::<Networks>))
        .service(resource("/networks/{key}").get(show))
        .service(resource("/networks/{key}/live/{since}").get(live))
        .service(resource("/networks/{key}/edit").get(described::edit::<Networks>).post(described::change::<Networks>))
        .service(resource("/networks/{key}/retire").get(described::ask::<Networks>).post(described::retire::<Networks>));
}

async fn index(visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let query: ListQuery = visit.query()?;
    let found = list::find::<NetworkSpec>(&mut reading, "network", &query).await?;
    let at = reading.at;
    let cidrs: Vec<_> = found.items.iter().map(|entry| entry.spec.cidr).collect();
    let held = holdings::count_in(reading.connection(), &cidrs, at).await?;
    let no_site = found.items.is_empty() && catalogue::sites(reading.connection(), at).await?.is_empty();
    let table = (!found.items.is_empty()).then(|| view::table(&found.items, &held));
    let empty = list::Empty {
        words: if no_site {
            "There is no network yet, and no site that one could belong to. Define a site first."
        } else {
            "There is no network yet. Servers get their addresses from networks: define the first one, with its addresses and its site."
        },
        first: no_site.then_some(("New site", "/sites/_new")),
        also: None,
    };
    let may = visit.may_change(&reading, Level::Administrator);
    let shown = (found.items.len(), found.next.as_deref());
    let content = list::view(&visit, &NETWORK, &may, table.as_ref(), shown, &empty);
    let page = Page { json: Some("/api/v1/networks".to_owned()), ..Page::new("Networks", Section::Networks, content) };
    visit.answer(reading, page).await
}

/// The query of a network's page.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OneQuery {
    /// An address in the part of the map that is shown.
    map: Option<Ipv4Addr>,
}

async fn parts(reading: &mut Reading<'_>, key: &Name, query: OneQuery, may: &Allowed) -> Result<Parts, Error> {
    let at = reading.at;
    let entry = entry::find::<NetworkSpec>(reading, &NETWORK, key.as_str()).await?;
    let held = holdings::count_in(reading.connection(), &[entry.spec.cidr], at).await?;
    let map = map::find(reading, &entry.spec, query.map).await?;
    let history = history::read(reading, "network", key.as_str()).await?;
    Ok(vec![
        ("heading", html! { div id="heading" { (entry::heading(&NETWORK, key.as_str(), entry.retired, may, &html! {})) } }),
        ("use", view::usage(&entry, held.first().copied().unwrap_or(0), &map)),
        ("map", map::card(key.as_str(), entry.spec.cidr, &map)),
        ("facts", view::facts(&entry)),
        ("history", history::card(&history)),
    ])
}

async fn show(visit: Visit, Path(key): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let (query, may) = (visit.query()?, visit.may_change(&reading, Level::Administrator));
    let parts = parts(&mut reading, &key, query, &may).await?;
    let page = Page {
        live: Some(entry::live_path(&NETWORK.page(&key), reading.position, &visit)),
        json: Some(format!("/api/v1/networks/{key}")),
        ..Page::new(key.as_str(), Section::Networks, entry::shown(&parts))
    };
    visit.answer(reading, page).await
}

async fn live(
    visit: Visit,
    request: HttpRequest,
    application: Data<Application>,
    Path((key, since)): Path<(Name, i64)>,
) -> Result<HttpResponse, Error> {
    let (query, may) = (visit.query::<OneQuery>()?, visit.may(Level::Administrator));
    // Devices hold the addresses, so their events change the page.
    let topics = vec![Topic::One("network", key.to_string()), Topic::Kind("device"), Topic::Kind("deployment")];
    entry::stream(&request, &application, since, topics, move |mut reading, _| {
        let (key, may) = (key.clone(), may.clone());
        async move { parts(&mut reading, &key, query, &may).await }.boxed_local()
    })
}

/// Networks as a kind that forms define.
struct Networks;

impl Described for Networks {
    type View = NetworkSpec;
    type Spec = NetworkSpec;
    const NOUN: Noun = NETWORK;
    const SECTION: Section = Section::Networks;
    const KIND: Kind = Kind::Network;

    fn usual(visit: &Visit) -> Pairs {
        let mut pairs = form::usual();
        pairs.push(forms::pair("site", visit.parameter("site")));
        pairs
    }

    fn pairs(view: &NetworkSpec) -> Pairs {
        form::pairs(view)
    }

    async fn form(reading: &mut Reading<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error> {
        let sites = forms::sites(reading).await?;
        let racks = catalogue::racks(reading.connection(), At::Now).await?;
        Ok(form::view(target, fields, &sites, &racks))
    }

    fn read(fields: &mut Fields) -> Option<NetworkSpec> {
        form::read(fields)
    }

    fn define(key: Name, spec: NetworkSpec) -> Command {
        Command::DefineNetwork(key, Box::new(spec))
    }

    async fn end(reading: &mut Reading<'_>, entry: &Entry<NetworkSpec>) -> Result<End, Error> {
        let held = holdings::count_in(reading.connection(), &[entry.spec.cidr], At::Now).await?;
        let held = u64::try_from(held.first().copied().unwrap_or(0)).unwrap_or(0);
        let used = html! { a href=(format!("{}#map", NETWORK.page(&entry.key))) { (held) " addresses that devices hold" } };
        Ok(End {
            does: "No address of it is given to a server any more, no deployment can start in it, and DHCP servers leave it out of their configurations.",
            uses: if held > 0 { vec![used] } else { vec![] },
            refused: in_use(held).map(|broken| broken.message),
        })
    }
}
