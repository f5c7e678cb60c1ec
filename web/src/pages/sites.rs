//! Pages of sites: the settings that networks, DHCP servers and host names of a data centre share, and the drift
//! of its servers.

mod form;
mod view;

use super::catalogue::described::{self, Described, End};
use super::catalogue::entry::{self, Parts};
use super::catalogue::form::{Pairs, Target};
use super::catalogue::list;
use super::catalogue::page::{self, LivePage, May};
use super::catalogue::{Noun, SITE, history, settings};
use super::differences;
use super::form::Fields;
use super::list::views::Views;
use super::live::Topic;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::images::device_settings::SettingSources;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::site::{SiteSpec, in_use};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{CatalogueAction, Command, Kind};
use bootledger_projections::questions::{free, site_uses};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::drift;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeSet;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/sites").get(index))
        .service(resource("/sites/_new").get(described::new::<Sites>).post(described::create::<Sites>))
        .service(resource("/sites/{key}").get(page::show::<Sites>))
        .service(resource("/sites/{key}/live/{since}").get(page::live::<Sites>))
        .service(resource("/sites/{key}/edit").get(described::edit::<Sites>).post(described::change::<Sites>))
        .service(resource("/sites/{key}/retire").get(described::load::<Sites>).post(described::retire::<Sites>));
}

/// How many free names are shown.
const FREE_NAMES: usize = 5;

async fn index(mut page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    if list::is_csv(&page_context) {
        return list::as_csv(&page_context, snapshot, &SITE, view::COLUMNS).await;
    }
    let views = Views::load(&page_context, &mut snapshot, "sites", list::known(view::COLUMNS)).await?;
    views.assume(&mut page_context);
    let found = list::find(&page_context, &mut snapshot, SITE.kind, view::COLUMNS).await?;
    let at = snapshot.at;
    let counts = drift::counts_by_site(snapshot.connection(), at).await?;
    let checks = differences::LastChecks::read(&mut snapshot).await?;
    let networks = catalogue::networks(snapshot.connection(), at).await?;
    let head = list::head(&page_context, view::COLUMNS);
    let table = view::table(&head, &found.slice.rows, &networks, &counts, &checks, snapshot.moment());
    let empty = list::Empty {
        words: "There are no sites yet. Networks, racks, DHCP servers and servers belong to a site. Create a site with its domain, its DNS zones and its host name template.",
        first: None,
        also: None,
    };
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let json = list::json(&page_context, "/api/v1/sites");
    let content = list::view(&page_context, &SITE, &may, (&found, &table), (&views, &json), &empty);
    let page = Page { json: Some(json), ..Page::new("Sites", Section::Sites, content) };
    page_context.answer(snapshot, page).await
}

/// The query of a site's page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OneQuery {
    /// The cursor of the differences that are shown.
    drift: Option<String>,
}

/// Sites as a kind that forms define.
struct Sites;

impl LivePage for Sites {
    type Query = OneQuery;

    fn topics(key: &Name) -> Vec<Topic> {
        let kinds = ["network", "rack", "dhcp_server", "drift"].map(Topic::Kind);
        [Topic::One("site", key.to_string())].into_iter().chain(kinds).collect()
    }

    async fn parts(
        snapshot: &mut Snapshot<'_>,
        application: &Application,
        key: &Name,
        query: &OneQuery,
        may: &May,
        now: Timestamp,
    ) -> Result<Parts, Error> {
        let at = snapshot.at;
        let entry = entry::find::<SiteSpec>(snapshot, &SITE, key.as_str()).await?;
        let secret = entry.spec.dns_updates.as_ref().map(|updates| &updates.key.secret);
        let secret_problem = secret.filter(|_| at == At::Now).and_then(|secret| application.commands.secret_problem(secret));
        let mut networks = catalogue::networks(snapshot.connection(), at).await?;
        networks.retain(|network| network.spec.site == *key);
        let mut racks = catalogue::racks(snapshot.connection(), at).await?;
        racks.retain(|rack| rack.spec.site == *key);
        let servers = catalogue::dhcp_servers_of(snapshot.connection(), key, at).await?;
        let free_names = match &entry.spec.hostname_template {
            Some(template) if !entry.retired => {
                free::hostnames(snapshot.connection(), template, &BTreeSet::new(), at, FREE_NAMES).await?
            }
            _ => vec![],
        };
        let found = differences::of_site(snapshot, key, query.drift.as_deref(), now).await?;
        let history = history::read(snapshot, "site", key.as_str()).await?;
        let path = SITE.page(key);
        Ok(vec![
            entry::heading(&SITE, &entry, &may.change, &html! {}),
            ("facts", view::facts(&entry, &free_names, secret_problem.as_deref())),
            (
                "settings",
                settings::card(
                    &entry.spec.settings,
                    "Boot settings of a site apply to all its servers unless a venture, role or device overrides them.",
                ),
            ),
            ("contents", view::contents(key, &networks, &racks, &servers, &may.change)),
            ("drift", differences::card(key, &found, now, &may.repair, &path)),
            ("history", history::card(&history)),
        ])
    }
}

impl Described for Sites {
    type View = SiteSpec;
    type Spec = SiteSpec;
    const NOUN: Noun = SITE;
    const SECTION: Section = Section::Sites;
    const KIND: Kind = Kind::Site;

    fn usual(_: &PageContext) -> Pairs {
        form::usual()
    }

    fn pairs(view: &SiteSpec) -> Pairs {
        form::pairs(view)
    }

    async fn form(snapshot: &mut Snapshot<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error> {
        Ok(form::view(target, fields, &SettingSources::read(snapshot).await?))
    }

    fn read(fields: &mut Fields) -> Option<SiteSpec> {
        form::read(fields)
    }

    fn define(key: Name, spec: SiteSpec) -> Command {
        Command::Catalogue(CatalogueAction::DefineSite(key, Box::new(spec)))
    }

    async fn end(snapshot: &mut Snapshot<'_>, entry: &Entry<SiteSpec>) -> Result<End, Error> {
        let uses = site_uses::of(snapshot.connection(), &entry.key, At::Now).await?;
        let named: Vec<String> = uses.iter().map(ToString::to_string).collect();
        Ok(End {
            does: "Nothing new can be created or deployed in it. Its DHCP configurations and zone files are no longer written, and its servers are no longer checked for drift.",
            uses: uses.iter().map(|found| view::site_use(&entry.key, found)).collect(),
            refused: in_use(&named).map(|broken| broken.message),
        })
    }
}
