//! Pages of ventures (which own servers) and their roles (what servers do): a tree in which the nearest value takes precedence.

mod form;
mod lineage;
mod roles;
mod view;

use super::catalogue::described::{self, Described, End};
use super::catalogue::entry::{self, Parts};
use super::catalogue::form::{self as forms, Pairs, Target};
use super::catalogue::{Noun, VENTURE, history, settings};
use super::form::Fields;
use super::frame::{Page, Section, Visit};
use super::kit::action::{self, Allowed, Look};
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
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::venture::VentureSpec;
use bootledger_projections::catalogue::{self, Entry, Item, VentureView};
use bootledger_projections::role_uses;
use futures::future::FutureExt;
use maud::{Markup, html};
use serde::Deserialize;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/ventures").get(index))
        .service(resource("/ventures/_new").get(described::new::<Ventures>).post(described::create::<Ventures>))
        .service(resource("/ventures/{key}").get(show))
        .service(resource("/ventures/{key}/live/{since}").get(live))
        .service(resource("/ventures/{key}/edit").get(described::edit::<Ventures>).post(described::change::<Ventures>))
        .service(resource("/ventures/{key}/retire").get(described::ask::<Ventures>).post(described::retire::<Ventures>));
    roles::configure(config);
}

/// Maximum number of ventures in a tree.
const MOST: i64 = 10_000;

/// Every venture, retired or not, by name.
async fn all(reading: &mut Reading<'_>) -> Result<Vec<Entry<VentureView>>, Error> {
    let at = reading.at;
    let found = catalogue::list(reading.connection(), VENTURE.kind, at, None, MOST, None).await?;
    Ok(found.into_iter().map(Item::read).collect::<Result<_, _>>()?)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ListQuery {
    /// Only ventures with this text in their name, description or roles.
    q: Option<String>,
}

async fn index(visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let query: ListQuery = visit.query()?;
    let (ventures, at) = (all(&mut reading).await?, reading.at);
    let uses = role_uses::list(reading.connection(), None, at).await?;
    let may = visit.may_change(&reading, Level::Administrator);
    let content = view::tree(&visit, &ventures, &uses, query.q.as_deref(), &may);
    let page = Page { json: Some("/api/v1/ventures".to_owned()), ..Page::new("Ventures and roles", Section::Ventures, content) };
    visit.answer(reading, page).await
}

async fn parts(reading: &mut Reading<'_>, key: &Name, may: &Allowed) -> Result<Parts, Error> {
    let at = reading.at;
    let entry = entry::find::<VentureView>(reading, &VENTURE, key.as_str()).await?;
    let ventures = all(reading).await?;
    let uses = role_uses::list(reading.connection(), Some(key), at).await?;
    let history = history::read(reading, "venture", key.as_str()).await?;
    let new_role = html! { @if !entry.retired { (action::link("new-role", &format!("{}/roles/_new", VENTURE.page(key)), Look::Usual, "plus-lg", "New role", may)) } };
    Ok(vec![
        ("heading", html! { div id="heading" { (entry::heading(&VENTURE, key.as_str(), entry.retired, may, &new_role)) } }),
        ("facts", view::facts(&entry, &ventures)),
        ("roles", view::roles(&entry, &ventures, &uses)),
        (
            "settings",
            settings::card(
                &entry.spec.spec.settings,
                "They count for every server of the venture and of its parts, unless a part, a role or a device sets another value.",
            ),
        ),
        ("puppet", view::puppet(None, &entry, &ventures)),
        ("history", history::card(&history)),
    ])
}

async fn show(visit: Visit, Path(key): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Administrator);
    let parts = parts(&mut reading, &key, &may).await?;
    let page = Page {
        live: Some(entry::live_path(&VENTURE.page(&key), reading.position, &visit)),
        json: Some(format!("/api/v1/ventures/{key}")),
        ..Page::new(key.as_str(), Section::Ventures, entry::shown(&parts))
    };
    visit.answer(reading, page).await
}

async fn live(
    visit: Visit,
    request: HttpRequest,
    application: Data<Application>,
    Path((key, since)): Path<(Name, i64)>,
) -> Result<HttpResponse, Error> {
    let may = visit.may(Level::Administrator);
    // A venture inherits from other ventures, so their events change the page.
    let topics = ["venture", "device", "deployment"].map(Topic::Kind).to_vec();
    entry::stream(&request, &application, since, topics, move |mut reading, _| {
        let (key, may) = (key.clone(), may.clone());
        async move { parts(&mut reading, &key, &may).await }.boxed_local()
    })
}

/// Ventures as a kind that forms define.
struct Ventures;

impl Described for Ventures {
    type View = VentureView;
    type Spec = VentureSpec;
    const NOUN: Noun = VENTURE;
    const SECTION: Section = Section::Ventures;
    const KIND: Kind = Kind::Venture;

    fn usual(visit: &Visit) -> Pairs {
        vec![forms::pair("parent", visit.parameter("parent"))]
    }

    fn pairs(view: &VentureView) -> Pairs {
        form::venture_pairs(&view.spec)
    }

    async fn form(reading: &mut Reading<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error> {
        let own = match target {
            Target::Known { key, .. } => Some(key),
            Target::New => None,
        };
        let ventures = all(reading).await?;
        let parents = ventures.iter().filter(|venture| !venture.retired && Some(&venture.key) != own);
        let parents: Vec<(String, String)> = parents.map(|venture| (venture.key.to_string(), venture.key.to_string())).collect();
        let (images, known) = (forms::boot_images(reading).await?, Known::read(reading).await?);
        Ok(form::venture(target, fields, &parents, &images, &known))
    }

    fn read(fields: &mut Fields) -> Option<VentureSpec> {
        form::read_venture(fields)
    }

    fn define(key: Name, spec: VentureSpec) -> Command {
        Command::DefineVenture(key, spec)
    }

    async fn end(reading: &mut Reading<'_>, entry: &Entry<VentureView>) -> Result<End, Error> {
        let (at, key) = (reading.at, &entry.key);
        let uses = role_uses::list(reading.connection(), Some(key), at).await?;
        let (devices, live) = uses.iter().fold((0, 0), |(devices, live), used| (devices + used.devices, live + used.live));
        let mut told = vec![];
        if !entry.spec.roles.is_empty() {
            told.push(html! { "Its roles, which end with it: " (view::names(entry.spec.roles.keys())) });
        }
        told.extend(
            (devices > 0).then(|| html! { a href=(format!("/devices?venture={key}")) { (devices) " devices" } ", which Puppet is told nothing about any more" }),
        );
        told.extend((live > 0).then(
            || html! { a href=(format!("/deployments?venture={key}&live=true")) { (live) " live deployments" } ", which go on" },
        ));
        for part in all(reading).await?.iter().filter(|other| !other.retired && other.spec.spec.parent.as_ref() == Some(key)) {
            told.push(html! { "Venture " a href=(VENTURE.page(&part.key)) { (part.key) } ", which is a part of it and inherits nothing any more" });
        }
        Ok(End {
            does: "The venture and its roles end: no deployment can start for it, and nothing inherits from it.",
            uses: told,
            refused: None,
        })
    }
}
