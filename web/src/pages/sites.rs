//! Pages of sites: the settings that networks, DHCP servers and host names of a data centre share, and the drift
//! of its servers.

mod form;
mod view;

use super::catalogue::described::{self, Described, End};
use super::catalogue::entry::{self, Parts};
use super::catalogue::form::{Pairs, Target};
use super::catalogue::list::{self, ListQuery};
use super::catalogue::settings;
use super::catalogue::{Noun, SITE, history};
use super::drift as differences;
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
use crate::settings::Known;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::site::{SiteSpec, in_use};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, Entry};
use bootledger_projections::{drift, free, site_uses};
use futures::future::FutureExt;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeSet;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/sites").get(index))
        .service(resource("/sites/_new").get(described::new::<Sites>).post(described::create::<Sites>))
        .service(resource("/sites/{key}").get(show))
        .service(resource("/sites/{key}/live/{since}").get(live))
        .service(resource("/sites/{key}/edit").get(described::edit::<Sites>).post(described::change::<Sites>))
        .service(resource("/sites/{key}/retire").get(described::ask::<Sites>).post(described::retire::<Sites>));
}

/// How many free names are shown.
const FREE_NAMES: usize = 5;

async fn index(visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let query: ListQuery = visit.query()?;
    let found = list::find::<SiteSpec>(&mut reading, "site", &query).await?;
    let at = reading.at;
    let counts = drift::counts_by_site(reading.connection(), at).await?;
    let checks = if at == At::Now { drift::last_checks(reading.connection()).await? } else { vec![] };
    let networks = catalogue::networks(reading.connection(), at).await?;
    let table = (!found.items.is_empty()).then(|| view::table(&found.items, &networks, &counts, &checks, visit.now));
    let empty = list::Empty {
        words: "There is no site yet. Everything else belongs to one: networks, racks, DHCP servers and servers. Define the first: its domain, its DNS zones, and how its host names are numbered.",
        first: None,
        also: None,
    };
    let may = visit.may_change(&reading, Level::Administrator);
    let shown = (found.items.len(), found.next.as_deref());
    let content = list::view(&visit, &SITE, &may, table.as_ref(), shown, &empty);
    let page = Page { json: Some("/api/v1/sites".to_owned()), ..Page::new("Sites", Section::Sites, content) };
    visit.answer(reading, page).await
}

/// The query of a site's page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OneQuery {
    /// The cursor of the differences that are shown.
    drift: Option<String>,
}

/// What the visitor may do: define and retire sites, and repair differences.
#[derive(Clone)]
struct May {
    change: Allowed,
    repair: Allowed,
}

async fn parts(
    reading: &mut Reading<'_>,
    application: &Application,
    key: &Name,
    query: &OneQuery,
    may: &May,
    now: Timestamp,
) -> Result<Parts, Error> {
    let at = reading.at;
    let entry = entry::find::<SiteSpec>(reading, &SITE, key.as_str()).await?;
    let secret = entry.spec.dns_updates.as_ref().map(|updates| &updates.key.secret);
    let secret_problem = secret.filter(|_| at == At::Now).and_then(|secret| application.commands.secret_problem(secret));
    let mut networks = catalogue::networks(reading.connection(), at).await?;
    networks.retain(|network| network.spec.site == *key);
    let mut racks = catalogue::racks(reading.connection(), at).await?;
    racks.retain(|rack| rack.spec.site == *key);
    let servers = catalogue::dhcp_servers_of(reading.connection(), key, at).await?;
    let free_names = match &entry.spec.hostname_template {
        Some(template) if !entry.retired => {
            free::hostnames(reading.connection(), template, &BTreeSet::new(), at, FREE_NAMES).await?
        }
        _ => vec![],
    };
    let found = differences::of_site(reading, key, query.drift.as_deref(), now).await?;
    let history = history::read(reading, "site", key.as_str()).await?;
    let page = SITE.page(key);
    Ok(vec![
        ("heading", html! { div id="heading" { (entry::heading(&SITE, key.as_str(), entry.retired, &may.change, &html! {})) } }),
        ("facts", view::facts(&entry, &free_names, secret_problem.as_deref())),
        (
            "settings",
            settings::card(
                &entry.spec.settings,
                "They count for every server of the site, unless a venture, role or device sets another value.",
            ),
        ),
        ("contents", view::contents(key, &networks, &racks, &servers, &may.change)),
        ("drift", differences::card(key, &found, now, &may.repair, &page)),
        ("history", history::card(&history)),
    ])
}

async fn show(
    visit: Visit,
    application: Data<Application>,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let query = visit.query()?;
    let may =
        May { change: visit.may_change(&reading, Level::Administrator), repair: visit.may_change(&reading, Level::Operator) };
    let parts = parts(&mut reading, &application, &key, &query, &may, visit.now).await?;
    let page = Page {
        live: Some(entry::live_path(&SITE.page(&key), reading.position, &visit)),
        json: Some(format!("/api/v1/sites/{key}")),
        ..Page::new(key.as_str(), Section::Sites, entry::shown(&parts))
    };
    visit.answer(reading, page).await
}

async fn live(
    visit: Visit,
    request: HttpRequest,
    application: Data<Application>,
    Path((key, since)): Path<(Name, i64)>,
) -> Result<HttpResponse, Error> {
    let query = visit.query::<OneQuery>()?;
    let may = May { change: visit.may(Level::Administrator), repair: visit.may(Level::Operator) };
    let kinds = ["network", "rack", "dhcp_server", "drift"].map(Topic::Kind);
    let topics = [Topic::One("site", key.to_string())].into_iter().chain(kinds).collect();
    let shared = application.clone();
    entry::stream(&request, &application, since, topics, move |mut reading, now| {
        let (application, key, query, may) = (shared.clone(), key.clone(), query.clone(), may.clone());
        async move { parts(&mut reading, &application, &key, &query, &may, now).await }.boxed_local()
    })
}

/// Sites as a kind that forms define.
struct Sites;

impl Described for Sites {
    type View = SiteSpec;
    type Spec = SiteSpec;
    const NOUN: Noun = SITE;
    const SECTION: Section = Section::Sites;
    const KIND: Kind = Kind::Site;

    fn usual(_: &Visit) -> Pairs {
        form::usual()
    }

    fn pairs(view: &SiteSpec) -> Pairs {
        form::pairs(view)
    }

    async fn form(reading: &mut Reading<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error> {
        Ok(form::view(target, fields, &Known::read(reading).await?))
    }

    fn read(fields: &mut Fields) -> Option<SiteSpec> {
        form::read(fields)
    }

    fn define(key: Name, spec: SiteSpec) -> Command {
        Command::DefineSite(key, Box::new(spec))
    }

    async fn end(reading: &mut Reading<'_>, entry: &Entry<SiteSpec>) -> Result<End, Error> {
        let uses = site_uses::of(reading.connection(), &entry.key, At::Now).await?;
        let named: Vec<String> = uses.iter().map(ToString::to_string).collect();
        Ok(End {
            does: "Nothing can be defined or deployed in it any more, its DHCP configurations and zone files are not written any more, and its servers are not compared any more.",
            uses: uses.iter().map(|found| view::site_use(&entry.key, found)).collect(),
            refused: in_use(&named).map(|broken| broken.message),
        })
    }
}
