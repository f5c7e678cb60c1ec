//! Creating, changing and retiring a rack.

use super::show::find;
use crate::english::counted;
use crate::http::auth::caller::{Administrator, Caller};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::catalogue::form::NAME;
use crate::pages::components::action::once;
use crate::pages::components::block;
use crate::pages::components::field::{Field, summary};
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Command, Kind};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::devices;
use maud::{Markup, html};

const FIELDS: [&str; 4] = [NAME, "site", "units", "description"];

/// The values of the form, and the rack that it is for.
struct Form<'a> {
    fields: &'a Fields,
    rack: Option<&'a Name>,
    sites: Vec<(String, String)>,
}

async fn sites(snapshot: &mut Snapshot<'_>) -> Result<Vec<(String, String)>, Error> {
    let at = snapshot.at;
    let sites = catalogue::sites(snapshot.connection(), at).await?;
    Ok(sites.into_iter().map(|site| (site.key.to_string(), site.key.to_string())).collect())
}

/// Handles `GET /racks/new`.
pub(super) async fn new_form(_: Administrator, page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let fields =
        Fields::new(vec![("units".to_owned(), "42".to_owned()), ("site".to_owned(), page_context.parameter("site").to_owned())]);
    let form = Form { fields: &fields, rack: None, sites: sites(&mut snapshot).await? };
    let content = match may {
        Ok(()) => content(&form),
        Err(reason) => html! { (block::heading(&[("Racks", "/racks")], &html! { "Create rack" }, &html! {})) p { (reason) } },
    };
    page_context.answer(snapshot, Page::new("Create rack", Section::Racks, content)).await
}

/// Handles `GET /racks/{key}/edit`.
pub(super) async fn edit_form(
    _: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let Entry { spec, .. } = find(&mut snapshot, &key).await?;
    let values =
        [("site", spec.site.to_string()), ("units", spec.units.to_string()), ("description", spec.description.to_string())];
    let fields = Fields::new(values.map(|(name, value)| (name.to_owned(), value)).to_vec());
    let form = Form { fields: &fields, rack: Some(&key), sites: sites(&mut snapshot).await? };
    let content = match may {
        Ok(()) => content(&form),
        Err(reason) => html! { (block::heading(&[("Racks", "/racks")], &html! { "Edit rack" }, &html! {})) p { (reason) } },
    };
    page_context.answer(snapshot, Page::new("Edit rack", Section::Racks, content)).await
}

fn content(form: &Form<'_>) -> Markup {
    let errors = form.fields.broken();
    let field = |name: &'static str, label: &'static str, hint: &'static str, required: bool| Field {
        name,
        label,
        value: form.fields.text(name),
        hint,
        required,
        errors,
    };
    let (action, back, title) = match form.rack {
        None => ("/racks/new".to_owned(), "/racks".to_owned(), "Create rack".to_owned()),
        Some(key) => (format!("/racks/{key}/edit"), format!("/racks/{key}"), format!("Edit {key}")),
    };
    html! {
        (block::heading(&[("Racks", "/racks")], &html! { (title) }, &html! {}))
        (summary(errors, &FIELDS))
        @if form.sites.is_empty() {
            (block::empty("A rack belongs to a site, and no site exists yet.", &html! { a.button.primary href="/sites" { "Create a site first" } }))
        }
        form.form method="post" action=(action) {
            (once())
            @if form.rack.is_none() { (field(NAME, "Name", "Such as dc1-r01. It cannot be changed later.", true).text()) }
            div.pair {
                (field("site", "Site", "", true).select(Some("Choose one"), &form.sites))
                (field("units", "Height in units", "", true).text_with("number", &html! {}))
            }
            (field("description", "Description", "Such as its location.", false).text())
            div.actions {
                button.primary type="submit" { @if form.rack.is_none() { "Create" } @else { "Save" } }
                a.button href=(back) { "Back" }
            }
        }
    }
}

/// Handles `POST /racks/new`.
pub(super) async fn define_new(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let key = fields.required::<Name>(NAME, "The name");
    if let Some(key) = &key {
        let mut snapshot = backend.read().await?;
        let known = catalogue::rack(snapshot.connection(), key, At::Now).await?;
        if known.is_some_and(|rack| !rack.retired) {
            fields.refuse(NAME, Rule::RackExists, format!("a rack {key} already exists; edit it on its own page"));
        }
    }
    save(&caller, page_context, &mut backend, fields, key, true).await
}

/// Handles `POST /racks/{key}/edit`.
pub(super) async fn define(
    caller: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    save(&caller, page_context, &mut backend, fields, Some(key), false).await
}

async fn save(
    caller: &Caller,
    page_context: PageContext,
    backend: &mut Backend,
    mut fields: Fields,
    key: Option<Name>,
    new: bool,
) -> Result<HttpResponse, Error> {
    let site = fields.required::<Name>("site", "The site");
    let description = fields.read("description").unwrap_or_default();
    let units = fields.text("units").parse::<u16>().ok();
    if units.is_none() {
        fields.refuse("units", Rule::Malformed, "the height must be a number of rack units, such as 42");
    }
    if let (Some(key), Some(site), Some(units), true) = (&key, site, units, fields.broken().is_empty()) {
        let command = Command::Catalogue(CatalogueAction::DefineRack(key.clone(), RackSpec { site, description, units }));
        match backend.execute(command, fields.context(caller)).await {
            Ok(receipt) => return Ok(done(backend, &receipt, &format!("/racks/{key}")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut snapshot = backend.read().await?;
    let form = Form { fields: &fields, rack: key.as_ref().filter(|_| !new), sites: sites(&mut snapshot).await? };
    let title = if new { "Create rack" } else { "Edit rack" };
    Ok(page_context.refused(snapshot.position, Page::new(title, Section::Racks, content(&form))))
}

/// Handles `GET /racks/{key}/retire`: shows the confirmation page.
pub(super) async fn confirm_retire(
    _: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let content = question(&mut snapshot, &key, &Fields::default()).await?;
    page_context.answer(snapshot, Page::new("Retire rack", Section::Racks, content)).await
}

async fn question(snapshot: &mut Snapshot<'_>, key: &Name, fields: &Fields) -> Result<Markup, Error> {
    let at = snapshot.at;
    let rack = find(snapshot, key).await?;
    let count = devices::counts_in(snapshot.connection(), std::slice::from_ref(key), at).await?;
    let count = count.first().map_or(0, |(_, count)| *count);
    let networks = catalogue::networks(snapshot.connection(), at).await?;
    let networks: Vec<Name> =
        networks.into_iter().filter(|network| network.spec.racks.contains(key)).map(|network| network.key).collect();
    Ok(confirmation(&rack, count, &networks, fields))
}

fn confirmation(rack: &Entry<RackSpec>, count: i64, networks: &[Name], fields: &Fields) -> Markup {
    let path = format!("/racks/{}", rack.key);
    html! {
        (block::heading(&[("Racks", "/racks"), (rack.key.as_str(), &path)], &html! { "Retire rack " (rack.key) }, &html! {}))
        (summary(fields.broken(), &[]))
        div.card {
            p { "Devices can no longer be registered in it or moved to it. It can be restored later." }
            ul {
                @if count > 0 { li { a href=(format!("/devices?rack={}&decommissioned=false", rack.key)) { (counted(count, "device in use is", "devices in use are")) " in the rack" } ". Devices are not changed." } }
                @else { li { "It contains no devices in use." } }
                @for network in networks { li { "The network " a href=(format!("/networks/{network}")) { (network) } " lists this rack." } }
            }
            form.actions method="post" action=(format!("{path}/retire")) {
                (once())
                button.danger type="submit" { "Retire rack" }
                a.button href=(path) { "Back" }
            }
        }
    }
}

/// Handles `POST /racks/{key}/retire`.
pub(super) async fn retire(
    caller: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    match backend.execute(Command::Catalogue(CatalogueAction::Retire(Kind::Rack, key.clone())), fields.context(&caller)).await {
        Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("/racks/{key}")).await),
        Err(error) => fields.refused(error)?,
    }
    let mut snapshot = backend.read().await?;
    let content = question(&mut snapshot, &key, &fields).await?;
    Ok(page_context.refused(snapshot.position, Page::new("Retire rack", Section::Racks, content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_confirmation_of_retiring_lists_the_racks_devices_and_networks() {
        let spec = serde_json::from_str(r#"{"site": "dc1", "units": 42}"#).expect("a rack");
        let rack = Entry { key: "r01".parse().expect("a name"), sequence: 1, retired: false, spec };
        let html = confirmation(&rack, 7, &["prod".parse().expect("a name")], &Fields::default()).into_string();
        assert!(html.contains("decommissioned=false\">7 ") && html.contains("href=\"/networks/prod\""), "{html}");
    }

    #[test]
    fn a_refused_definition_keeps_what_was_written() {
        let mut fields = Fields::new(vec![(NAME.to_owned(), "<r>".to_owned())]);
        fields.refuse(NAME, Rule::Malformed, "no name");
        let html = content(&Form { fields: &fields, rack: None, sites: vec![] }).into_string();
        assert!(html.contains("value=\"&lt;r&gt;\"") && html.contains("No name") && html.contains("href=\"/sites\""), "{html}");
    }
}
