//! Pages of ventures (which own servers) and their roles (what servers do): a tree in which the nearest value takes precedence.

mod form;
mod lineage;
mod roles;
mod view;

use super::catalogue::described::{self, Described, End};
use super::catalogue::entry::{self, Parts};
use super::catalogue::form::{self as forms, Pairs, Target};
use super::catalogue::list;
use super::catalogue::page::{self, LivePage, May, NoQuery};
use super::catalogue::{Noun, VENTURE, history, settings};
use super::form::Fields;
use super::list::views::{Known, Views};
use super::live::Topic;
use crate::english::counted;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::images::device_settings::SettingSources;
use crate::pages::components::action::{self, Look};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::venture::VentureSpec;
use bootledger_port::{CatalogueAction, Command, Kind};
use bootledger_projections::questions::role_uses;
use bootledger_projections::rows::catalogue::{self, Entry, Item, VentureView};
use maud::{Markup, html};
use serde::Deserialize;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/ventures").get(index))
        .service(resource("/ventures/_new").get(described::new::<Ventures>).post(described::create::<Ventures>))
        .service(resource("/ventures/{key}").get(page::show::<Ventures>))
        .service(resource("/ventures/{key}/live/{since}").get(page::live::<Ventures>))
        .service(resource("/ventures/{key}/edit").get(described::edit::<Ventures>).post(described::change::<Ventures>))
        .service(resource("/ventures/{key}/retire").get(described::load::<Ventures>).post(described::retire::<Ventures>));
    roles::configure(config);
}

/// Maximum number of ventures in a tree.
const MOST: i64 = 10_000;

/// Every venture, retired or not, by name.
async fn all(snapshot: &mut Snapshot<'_>) -> Result<Vec<Entry<VentureView>>, Error> {
    let at = snapshot.at;
    let found = catalogue::list(snapshot.connection(), VENTURE.kind, at, None, MOST, None).await?;
    Ok(found.into_iter().map(Item::read).collect::<Result<_, _>>()?)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ListQuery {
    /// Only ventures with this text in their name, description or roles.
    q: Option<String>,
}

async fn index(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    if list::is_csv(&page_context) {
        return list::as_csv(&page_context, snapshot, &VENTURE, view::COLUMNS).await;
    }
    let query: ListQuery = page_context.query()?;
    let (ventures, at) = (all(&mut snapshot).await?, snapshot.at);
    let uses = role_uses::list(snapshot.connection(), None, at).await?;
    let views = Views::load(&page_context, &mut snapshot, "ventures", Known::filters(&[])).await?;
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let content = view::tree(&page_context, &ventures, &uses, (query.q.as_deref(), &views), &may);
    let json = Some(list::json(&page_context, "/api/v1/ventures"));
    let page = Page { json, ..Page::new("Ventures and roles", Section::Ventures, content) };
    page_context.answer(snapshot, page).await
}

/// Ventures as a kind that forms define.
struct Ventures;

impl LivePage for Ventures {
    type Query = NoQuery;

    fn topics(_: &Name) -> Vec<Topic> {
        // A venture inherits from other ventures, so their events change the page.
        ["venture", "device", "deployment"].map(Topic::Kind).to_vec()
    }

    async fn parts(
        snapshot: &mut Snapshot<'_>,
        _: &Application,
        key: &Name,
        _: &NoQuery,
        may: &May,
        _: Timestamp,
    ) -> Result<Parts, Error> {
        let at = snapshot.at;
        let entry = entry::find::<VentureView>(snapshot, &VENTURE, key.as_str()).await?;
        let ventures = all(snapshot).await?;
        let uses = role_uses::list(snapshot.connection(), Some(key), at).await?;
        let history = history::read(snapshot, "venture", key.as_str()).await?;
        let new_role = html! { @if !entry.retired { (action::link("new-role", &format!("{}/roles/_new", VENTURE.page(key)), Look::Usual, "plus-lg", "Create role", &may.change)) } };
        Ok(vec![
            entry::heading(&VENTURE, &entry, &may.change, &new_role),
            ("facts", view::facts(&entry, &ventures)),
            ("roles", view::roles(&entry, &ventures, &uses)),
            (
                "settings",
                settings::card(
                    &entry.spec.spec.settings,
                    "Boot settings of a venture apply to all servers of the venture and its sub-ventures unless a sub-venture, role or device overrides them.",
                ),
            ),
            ("puppet", view::puppet(None, &entry, &ventures)),
            ("history", history::card(&history)),
        ])
    }
}

impl Described for Ventures {
    type View = VentureView;
    type Spec = VentureSpec;
    const NOUN: Noun = VENTURE;
    const SECTION: Section = Section::Ventures;
    const KIND: Kind = Kind::Venture;

    fn usual(page_context: &PageContext) -> Pairs {
        vec![forms::pair("parent", page_context.parameter("parent"))]
    }

    fn pairs(view: &VentureView) -> Pairs {
        form::venture_pairs(&view.spec)
    }

    async fn form(snapshot: &mut Snapshot<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error> {
        let own = match target {
            Target::Existing { key, .. } => Some(key),
            Target::New => None,
        };
        let ventures = all(snapshot).await?;
        let parents = ventures.iter().filter(|venture| !venture.retired && Some(&venture.key) != own);
        let parents: Vec<(String, String)> = parents.map(|venture| (venture.key.to_string(), venture.key.to_string())).collect();
        let (images, known) = (forms::boot_images(snapshot).await?, SettingSources::read(snapshot).await?);
        Ok(form::venture(target, fields, &parents, &images, &known))
    }

    fn read(fields: &mut Fields) -> Option<VentureSpec> {
        form::read_venture(fields)
    }

    fn define(key: Name, spec: VentureSpec) -> Command {
        Command::Catalogue(CatalogueAction::DefineVenture(key, spec))
    }

    async fn end(snapshot: &mut Snapshot<'_>, entry: &Entry<VentureView>) -> Result<End, Error> {
        let (at, key) = (snapshot.at, &entry.key);
        let uses = role_uses::list(snapshot.connection(), Some(key), at).await?;
        let (devices, live) = uses.iter().fold((0, 0), |(devices, live), used| (devices + used.devices, live + used.live));
        let mut puppet_data = vec![];
        if !entry.spec.roles.is_empty() {
            puppet_data.push(html! { "Its roles, which are retired with it: " (view::names(entry.spec.roles.keys())) });
        }
        puppet_data.extend(
            (devices > 0).then(|| html! { a href=(format!("/devices?venture={key}")) { (counted(devices, "device", "devices")) } ", which Puppet no longer receives data about" }),
        );
        puppet_data.extend((live > 0).then(
            || html! { a href=(format!("/deployments?venture={key}&live=true")) { (counted(live, "live deployment", "live deployments")) } ", which continue" },
        ));
        for part in all(snapshot).await?.iter().filter(|other| !other.retired && other.spec.spec.parent.as_ref() == Some(key)) {
            puppet_data.push(html! { "Venture " a href=(VENTURE.page(&part.key)) { (part.key) } ", a sub-venture, which no longer inherits from it" });
        }
        Ok(End {
            does: "The venture and its roles are retired: deployments can no longer start for it, and sub-ventures no longer inherit from it.",
            uses: puppet_data,
            refused: None,
        })
    }
}
