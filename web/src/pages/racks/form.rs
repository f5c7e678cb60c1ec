//! Creating, changing and retiring a rack.

use super::show::find;
use crate::auth::caller::{Administrator, Caller};
use crate::auth::level::Level;
use crate::commands::{Command, Kind};
use crate::error::Error;
use crate::pages::form::{Fields, done};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::once;
use crate::pages::kit::block;
use crate::pages::kit::field::{Field, summary};
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, Entry};
use bootledger_projections::devices;
use maud::{Markup, html};

const FIELDS: [&str; 4] = ["key", "site", "units", "description"];

/// The values of the form, and the rack that it is for.
struct Form<'a> {
    fields: &'a Fields,
    rack: Option<&'a Name>,
    sites: Vec<(String, String)>,
}

async fn sites(reading: &mut Reading<'_>) -> Result<Vec<(String, String)>, Error> {
    let at = reading.at;
    let sites = catalogue::sites(reading.connection(), at).await?;
    Ok(sites.into_iter().map(|site| (site.key.to_string(), site.key.to_string())).collect())
}

/// Handles `GET /racks/new`.
pub(super) async fn ask_new(_: Administrator, visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Administrator);
    let fields =
        Fields::new(vec![("units".to_owned(), "42".to_owned()), ("site".to_owned(), visit.parameter("site").to_owned())]);
    let form = Form { fields: &fields, rack: None, sites: sites(&mut reading).await? };
    let content = match may {
        Ok(()) => content(&form),
        Err(reason) => html! { (block::heading(&[("Racks", "/racks")], &html! { "Define a rack" }, &html! {})) p { (reason) } },
    };
    visit.answer(reading, Page::new("Define a rack", Section::Racks, content)).await
}

/// Handles `GET /racks/{key}/edit`.
pub(super) async fn ask_change(
    _: Administrator,
    visit: Visit,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Administrator);
    let Entry { spec, .. } = find(&mut reading, &key).await?;
    let values =
        [("site", spec.site.to_string()), ("units", spec.units.to_string()), ("description", spec.description.to_string())];
    let fields = Fields::new(values.map(|(name, value)| (name.to_owned(), value)).to_vec());
    let form = Form { fields: &fields, rack: Some(&key), sites: sites(&mut reading).await? };
    let content = match may {
        Ok(()) => content(&form),
        Err(reason) => html! { (block::heading(&[("Racks", "/racks")], &html! { "Change a rack" }, &html! {})) p { (reason) } },
    };
    visit.answer(reading, Page::new("Change a rack", Section::Racks, content)).await
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
        None => ("/racks/new".to_owned(), "/racks".to_owned(), "Define a rack".to_owned()),
        Some(key) => (format!("/racks/{key}/edit"), format!("/racks/{key}"), format!("Change {key}")),
    };
    html! {
        (block::heading(&[("Racks", "/racks")], &html! { (title) }, &html! {}))
        (summary(errors, &FIELDS))
        @if form.sites.is_empty() {
            (block::empty("A rack stands in a site, and there is none yet.", &html! { a.button.primary href="/sites" { "Define a site first" } }))
        }
        form.form method="post" action=(action) {
            (once())
            @if form.rack.is_none() { (field("key", "Name", "Such as dc1-r01; it cannot be changed later.", true).text()) }
            div.pair {
                (field("site", "Site", "", true).select(Some("Choose one"), &form.sites))
                (field("units", "Height in units", "", true).text_with("number", &html! {}))
            }
            (field("description", "Description", "For people, such as where it stands.", false).text())
            div.actions {
                button.primary type="submit" { @if form.rack.is_none() { "Define" } @else { "Change" } }
                a.button href=(back) { "Back" }
            }
        }
    }
}

/// Handles `POST /racks/new`.
pub(super) async fn define_new(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let key = fields.required::<Name>("key", "The name");
    if let Some(key) = &key {
        let mut reading = backend.read().await?;
        let known = catalogue::rack(reading.connection(), key, At::Now).await?;
        if known.is_some_and(|rack| !rack.retired) {
            fields.refuse("key", "rack_exists", format!("there is a rack {key} already; change it on its own page"));
        }
    }
    save(&caller, visit, &mut backend, fields, key, true).await
}

/// Handles `POST /racks/{key}/edit`.
pub(super) async fn define(
    caller: Administrator,
    visit: Visit,
    Path(key): Path<Name>,
    mut backend: Backend,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    save(&caller, visit, &mut backend, fields, Some(key), false).await
}

async fn save(
    caller: &Caller,
    visit: Visit,
    backend: &mut Backend,
    mut fields: Fields,
    key: Option<Name>,
    new: bool,
) -> Result<HttpResponse, Error> {
    let site = fields.required::<Name>("site", "The site");
    let description = fields.read("description").unwrap_or_default();
    let units = fields.text("units").parse::<u16>().ok();
    if units.is_none() {
        fields.refuse("units", "malformed", "the height is a number of units, such as 42");
    }
    if let (Some(key), Some(site), Some(units), true) = (&key, site, units, fields.broken().is_empty()) {
        let command = Command::DefineRack(key.clone(), RackSpec { site, description, units });
        match backend.execute(command, fields.context(caller)).await {
            Ok(receipt) => return Ok(done(backend, &receipt, &format!("/racks/{key}")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut reading = backend.read().await?;
    let form = Form { fields: &fields, rack: key.as_ref().filter(|_| !new), sites: sites(&mut reading).await? };
    let title = if new { "Define a rack" } else { "Change a rack" };
    Ok(visit.refused(reading.position, Page::new(title, Section::Racks, content(&form))))
}

/// Handles `GET /racks/{key}/retire`: shows the confirmation page.
pub(super) async fn ask_retire(
    _: Administrator,
    visit: Visit,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let content = question(&mut reading, &key, &Fields::default()).await?;
    visit.answer(reading, Page::new("Retire a rack", Section::Racks, content)).await
}

async fn question(reading: &mut Reading<'_>, key: &Name, fields: &Fields) -> Result<Markup, Error> {
    let at = reading.at;
    let rack = find(reading, key).await?;
    let count = devices::counts_in(reading.connection(), std::slice::from_ref(key), at).await?;
    let count = count.first().map_or(0, |(_, count)| *count);
    let networks = catalogue::networks(reading.connection(), at).await?;
    let networks: Vec<Name> =
        networks.into_iter().filter(|network| network.spec.racks.contains(key)).map(|network| network.key).collect();
    Ok(asked(&rack, count, &networks, fields))
}

fn asked(rack: &Entry<RackSpec>, count: i64, networks: &[Name], fields: &Fields) -> Markup {
    let path = format!("/racks/{}", rack.key);
    html! {
        (block::heading(&[("Racks", "/racks"), (rack.key.as_str(), &path)], &html! { "Retire " (rack.key) "?" }, &html! {}))
        (summary(fields.broken(), &[]))
        div.card {
            p { "No device can be registered in it or moved to it any more. It can be defined again later." }
            ul {
                @if count > 0 { li { a href=(format!("/devices?rack={}&decommissioned=false", rack.key)) { (count) " devices in use" } " stand in it. They stay as they are." } }
                @else { li { "No device in use stands in it." } }
                @for network in networks { li { "The network " a href=(format!("/networks/{network}")) { (network) } " names it." } }
            }
            form.actions method="post" action=(format!("{path}/retire")) {
                (once())
                button.danger type="submit" { "Retire the rack" }
                a.button href=(path) { "Keep it" }
            }
        }
    }
}

/// Handles `POST /racks/{key}/retire`.
pub(super) async fn retire(
    caller: Administrator,
    visit: Visit,
    Path(key): Path<Name>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    match backend.execute(Command::Retire(Kind::Rack, key.clone()), fields.context(&caller)).await {
        Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("/racks/{key}")).await),
        Err(error) => fields.refused(error)?,
    }
    let mut reading = backend.read().await?;
    let content = question(&mut reading, &key, &fields).await?;
    Ok(visit.refused(reading.position, Page::new("Retire a rack", Section::Racks, content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retiring_says_what_stands_in_the_rack_and_which_networks_name_it() {
        let spec = serde_json::from_str(r#"{"site": "dc1", "units": 42}"#).expect("a rack");
        let rack = Entry { key: "r01".parse().expect("a name"), sequence: 1, retired: false, spec };
        let html = asked(&rack, 7, &["prod".parse().expect("a name")], &Fields::default()).into_string();
        assert!(html.contains("7 devices in use") && html.contains("href=\"/networks/prod\""), "{html}");
    }

    #[test]
    fn a_refused_definition_keeps_what_was_written() {
        let mut fields = Fields::new(vec![("key".to_owned(), "<r>".to_owned())]);
        fields.refuse("key", "malformed", "no name");
        let html = content(&Form { fields: &fields, rack: None, sites: vec![] }).into_string();
        assert!(html.contains("value=\"&lt;r&gt;\"") && html.contains("no name") && html.contains("there is none yet"), "{html}");
    }
}
