//! The pages of a role.

use super::{all, form, lineage, view};
use crate::application::Application;
use crate::auth::caller::Administrator;
use crate::auth::level::Level;
use crate::commands::Command;
use crate::error::Error;
use crate::pages::catalogue::entry::{self, Parts};
use crate::pages::catalogue::form as forms;
use crate::pages::catalogue::retire::{self, Question};
use crate::pages::catalogue::{VENTURE, history, settings};
use crate::pages::form::{Fields, done};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::{self, Allowed, Look};
use crate::pages::kit::block;
use crate::pages::live::Topic;
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use crate::settings::Known;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::venture::RoleSpec;
use bootledger_projections::catalogue::{Entry, VentureView};
use bootledger_projections::role_uses::{self, RoleUse};
use futures::future::FutureExt;
use maud::{Markup, html};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/ventures/{key}/roles/_new").get(new).post(create))
        .service(resource("/ventures/{key}/roles/{role}").get(show))
        .service(resource("/ventures/{key}/roles/{role}/live/{since}").get(live))
        .service(resource("/ventures/{key}/roles/{role}/edit").get(edit).post(change))
        .service(resource("/ventures/{key}/roles/{role}/retire").get(ask).post(retire));
}

fn page_of(venture: &Name, role: &Name) -> String {
    format!("{}/roles/{role}", VENTURE.page(venture))
}

/// The venture and one of its roles.
async fn find(reading: &mut Reading<'_>, venture: &Name, role: &Name) -> Result<(Entry<VentureView>, RoleSpec), Error> {
    let entry = entry::find::<VentureView>(reading, &VENTURE, venture.as_str()).await?;
    let spec = entry.spec.roles.get(role).filter(|_| !entry.retired).cloned();
    let spec = spec.ok_or_else(|| Error::NotFound(format!("venture {venture} has no role {role} (any more)")))?;
    Ok((entry, spec))
}

/// The devices and deployments that have a role.
async fn used(reading: &mut Reading<'_>, venture: &Name, role: &Name) -> Result<RoleUse, Error> {
    let at = reading.at;
    let all = role_uses::list(reading.connection(), Some(venture), at).await?;
    let none = || RoleUse { venture: venture.clone(), role: role.clone(), devices: 0, live: 0 };
    Ok(all.into_iter().find(|used| used.role == *role).unwrap_or_else(none))
}

async fn parts(reading: &mut Reading<'_>, venture: &Name, role: &Name, may: &Allowed) -> Result<Parts, Error> {
    let (entry, spec) = find(reading, venture, role).await?;
    let (ventures, used) = (all(reading).await?, used(reading, venture, role).await?);
    let history = history::read(reading, "venture", venture.as_str()).await?;
    let (page, of) = (page_of(venture, role), VENTURE.page(venture));
    let heading = block::heading(
        &[(VENTURE.many, VENTURE.path), (venture.as_str(), &of)],
        &html! { (role) },
        &html! {
            (action::link("change", &format!("{page}/edit"), Look::Usual, "pencil", "Change", may))
            (action::link("retire", &format!("{page}/retire"), Look::Usual, "trash", "Retire", may))
        },
    );
    let lineage = lineage::of(&entry, &ventures);
    Ok(vec![
        ("heading", html! { div id="heading" { (heading) } }),
        ("facts", view::role_facts(role, &spec, &lineage, &used)),
        (
            "settings",
            settings::card(&spec.settings, "They count for every server of the role, unless a device sets another value."),
        ),
        ("puppet", view::puppet(Some((role, &spec)), &entry, &ventures)),
        ("history", history::titled(&format!("History of venture {venture}"), &history)),
    ])
}

async fn show(visit: Visit, Path((venture, role)): Path<(Name, Name)>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Administrator);
    let parts = parts(&mut reading, &venture, &role, &may).await?;
    let title = format!("Role {role} of {venture}");
    let page = Page {
        live: Some(entry::live_path(&page_of(&venture, &role), reading.position, &visit)),
        json: Some(format!("/api/v1/ventures/{venture}")),
        ..Page::new(&title, Section::Ventures, entry::shown(&parts))
    };
    visit.answer(reading, page).await
}

async fn live(
    visit: Visit,
    request: HttpRequest,
    application: Data<Application>,
    Path((venture, role, since)): Path<(Name, Name, i64)>,
) -> Result<HttpResponse, Error> {
    let may = visit.may(Level::Administrator);
    let topics = ["venture", "device", "deployment"].map(Topic::Kind).to_vec();
    entry::stream(&request, &application, since, topics, move |mut reading, _| {
        let (venture, role, may) = (venture.clone(), role.clone(), may.clone());
        async move { parts(&mut reading, &venture, &role, &may).await }.boxed_local()
    })
}

async fn new(_: Administrator, visit: Visit, Path(venture): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    entry::find::<VentureView>(&mut reading, &VENTURE, venture.as_str()).await?;
    let content = form::role(
        &venture,
        None,
        &Fields::default(),
        &forms::boot_images(&mut reading).await?,
        &Known::read(&mut reading).await?,
    );
    visit.answer(reading, Page::new("New role", Section::Ventures, content)).await
}

async fn create(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    Path(venture): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let entry = entry::find::<VentureView>(&mut backend.read_now().await?, &VENTURE, venture.as_str()).await?;
    let role = fields.required::<Name>(forms::NAME, "The name");
    if let Some(known) = role.as_ref().filter(|role| !entry.retired && entry.spec.roles.contains_key(role)) {
        let message = format!("venture {venture} has a role {known} already; change that one, or choose another name");
        fields.refuse(forms::NAME, "name_taken", message);
    }
    let spec = form::read_role(&mut fields);
    let command = role.clone().zip(spec).map(|(role, spec)| Command::DefineRole { venture: venture.clone(), role, spec });
    if let (Some(receipt), Some(role)) = (forms::execute(&mut backend, &caller, &mut fields, command).await?, role) {
        return Ok(done(&mut backend, &receipt, &page_of(&venture, &role)).await);
    }
    let mut reading = backend.read_now().await?;
    let content =
        form::role(&venture, None, &fields, &forms::boot_images(&mut reading).await?, &Known::read(&mut reading).await?);
    Ok(visit.refused(reading.position, Page::new("New role", Section::Ventures, content)))
}

async fn edit(
    _: Administrator,
    visit: Visit,
    Path((venture, role)): Path<(Name, Name)>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let (entry, spec) = find(&mut reading, &venture, &role).await?;
    let fields = Fields::new(form::role_pairs(&spec));
    let images = forms::boot_images(&mut reading).await?;
    let known = Known::read(&mut reading).await?;
    let content = form::role(&venture, Some((&role, entry.sequence)), &fields, &images, &known);
    visit.answer(reading, Page::new(&format!("Change role {role}"), Section::Ventures, content)).await
}

async fn change(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    Path((venture, role)): Path<(Name, Name)>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let (entry, _) = find(&mut backend.read_now().await?, &venture, &role).await?;
    forms::unchanged(&VENTURE, &entry, &mut fields);
    let command =
        form::read_role(&mut fields).map(|spec| Command::DefineRole { venture: venture.clone(), role: role.clone(), spec });
    if let Some(receipt) = forms::execute(&mut backend, &caller, &mut fields, command).await? {
        return Ok(done(&mut backend, &receipt, &page_of(&venture, &role)).await);
    }
    let mut reading = backend.read_now().await?;
    let images = forms::boot_images(&mut reading).await?;
    let known = Known::read(&mut reading).await?;
    let content = form::role(&venture, Some((&role, entry.sequence)), &fields, &images, &known);
    Ok(visit.refused(reading.position, Page::new(&format!("Change role {role}"), Section::Ventures, content)))
}

async fn question(
    reading: &mut Reading<'_>,
    venture: &Name,
    role: &Name,
    may: &Allowed,
    fields: &Fields,
) -> Result<Markup, Error> {
    find(reading, venture, role).await?;
    let used = used(reading, venture, role).await?;
    let mut told = vec![];
    if used.devices > 0 {
        told.push(html! { a href=(format!("/devices?venture={venture}&role={role}")) { (used.devices) " devices" } ", which Puppet is told nothing about any more" });
    }
    if used.live > 0 {
        told.push(html! { a href=(format!("/deployments?venture={venture}&role={role}&live=true")) { (used.live) " live deployments" } ", which go on" });
    }
    Ok(retire::view(&Question {
        noun: &VENTURE,
        what: &format!("role {role} of venture {venture}"),
        page: &page_of(venture, role),
        does: "No deployment can start with the role any more.",
        uses: told,
        allowed: may,
        errors: fields.broken(),
    }))
}

async fn ask(
    _: Administrator,
    visit: Visit,
    Path((venture, role)): Path<(Name, Name)>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Administrator);
    let content = question(&mut reading, &venture, &role, &may, &Fields::default()).await?;
    visit.answer(reading, Page::new(&format!("Retire role {role}"), Section::Ventures, content)).await
}

async fn retire(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    Path((venture, role)): Path<(Name, Name)>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Some(Command::RetireRole { venture: venture.clone(), role: role.clone() });
    if let Some(receipt) = forms::execute(&mut backend, &caller, &mut fields, command).await? {
        return Ok(done(&mut backend, &receipt, &VENTURE.page(venture)).await);
    }
    let mut reading = backend.read_now().await?;
    let content = question(&mut reading, &venture, &role, &Ok(()), &fields).await?;
    Ok(visit.refused(reading.position, Page::new(&format!("Retire role {role}"), Section::Ventures, content)))
}
