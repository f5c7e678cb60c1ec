//! The pages of a role.

use super::{all, form, lineage, view};
use crate::english::counted;
use crate::http::application::Application;
use crate::http::auth::caller::Administrator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::images::device_settings::SettingSources;
use crate::pages::catalogue::entry::{self, Parts};
use crate::pages::catalogue::retire::{self, Question};
use crate::pages::catalogue::{VENTURE, form as forms, history, settings};
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::block;
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::live::Topic;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::venture::RoleSpec;
use bootledger_port::{CatalogueAction, Command};
use bootledger_projections::questions::role_uses::{self, RoleUse};
use bootledger_projections::rows::catalogue::{Entry, VentureView};
use futures::future::FutureExt;
use maud::{Markup, html};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/ventures/{key}/roles/_new").get(new).post(create))
        .service(resource("/ventures/{key}/roles/{role}").get(show))
        .service(resource("/ventures/{key}/roles/{role}/live/{since}").get(live))
        .service(resource("/ventures/{key}/roles/{role}/edit").get(edit).post(change))
        .service(resource("/ventures/{key}/roles/{role}/retire").get(load).post(retire));
}

fn page_of(venture: &Name, role: &Name) -> String {
    format!("{}/roles/{role}", VENTURE.page(venture))
}

/// The venture and one of its roles.
async fn find(snapshot: &mut Snapshot<'_>, venture: &Name, role: &Name) -> Result<(Entry<VentureView>, RoleSpec), Error> {
    let entry = entry::find::<VentureView>(snapshot, &VENTURE, venture.as_str()).await?;
    let spec = entry.spec.roles.get(role).filter(|_| !entry.retired).cloned();
    let spec = spec.ok_or_else(|| Error::NotFound(format!("venture {venture} has no role {role}")))?;
    Ok((entry, spec))
}

/// The devices and deployments that have a role.
async fn used(snapshot: &mut Snapshot<'_>, venture: &Name, role: &Name) -> Result<RoleUse, Error> {
    let at = snapshot.at;
    let all = role_uses::list(snapshot.connection(), Some(venture), at).await?;
    let none = || RoleUse { venture: venture.clone(), role: role.clone(), devices: 0, live: 0 };
    Ok(all.into_iter().find(|used| used.role == *role).unwrap_or_else(none))
}

async fn parts(snapshot: &mut Snapshot<'_>, venture: &Name, role: &Name, may: &Allowed) -> Result<Parts, Error> {
    let (entry, spec) = find(snapshot, venture, role).await?;
    let (ventures, used) = (all(snapshot).await?, used(snapshot, venture, role).await?);
    let history = history::read(snapshot, "venture", venture.as_str()).await?;
    let (page, of) = (page_of(venture, role), VENTURE.page(venture));
    let heading = block::heading(
        &[(VENTURE.many, VENTURE.path), (venture.as_str(), &of)],
        &html! { (role) },
        &html! {
            (action::link("change", &format!("{page}/edit"), Look::Usual, "pencil", "Edit", may))
            (action::link("retire", &format!("{page}/retire"), Look::Usual, "trash", "Retire", may))
        },
    );
    let lineage = lineage::of(&entry, &ventures);
    Ok(vec![
        ("heading", html! { div id="heading" { (heading) } }),
        ("facts", view::role_facts(role, &spec, &lineage, &used)),
        (
            "settings",
            settings::card(
                &spec.settings,
                "Boot settings of a role apply to all servers with the role unless a device overrides them.",
            ),
        ),
        ("puppet", view::puppet(Some((role, &spec)), &entry, &ventures)),
        ("history", history::titled(&format!("History of venture {venture}"), &history)),
    ])
}

async fn show(
    page_context: PageContext,
    Path((venture, role)): Path<(Name, Name)>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let parts = parts(&mut snapshot, &venture, &role, &may).await?;
    let title = format!("Role {role} of {venture}");
    let page = Page {
        live: Some(entry::live_path(&page_of(&venture, &role), snapshot.position, &page_context)),
        json: Some(format!("/api/v1/ventures/{venture}")),
        ..Page::new(&title, Section::Ventures, entry::shown(&parts))
    };
    page_context.about("venture", &venture).answer(snapshot, page).await
}

async fn live(
    page_context: PageContext,
    request: HttpRequest,
    application: Data<Application>,
    Path((venture, role, since)): Path<(Name, Name, i64)>,
) -> Result<HttpResponse, Error> {
    let may = page_context.may(Role::Administrator);
    let topics = ["venture", "device", "deployment"].map(Topic::Kind).to_vec();
    entry::stream(&request, &application, since, topics, move |mut snapshot, _| {
        let (venture, role, may) = (venture.clone(), role.clone(), may.clone());
        async move { parts(&mut snapshot, &venture, &role, &may).await }.boxed_local()
    })
}

async fn new(
    _: Administrator,
    page_context: PageContext,
    Path(venture): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    entry::find::<VentureView>(&mut snapshot, &VENTURE, venture.as_str()).await?;
    let content = form::role(
        &venture,
        None,
        &Fields::default(),
        &forms::boot_images(&mut snapshot).await?,
        &SettingSources::read(&mut snapshot).await?,
    );
    page_context.answer(snapshot, Page::new("Create role", Section::Ventures, content)).await
}

async fn create(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(venture): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let entry = entry::find::<VentureView>(&mut backend.read_now().await?, &VENTURE, venture.as_str()).await?;
    let role = fields.required::<Name>(forms::NAME, "The name");
    if let Some(known) = role.as_ref().filter(|role| !entry.retired && entry.spec.roles.contains_key(role)) {
        let message = format!("venture {venture} already has a role {known}; edit it, or choose another name");
        fields.refuse(forms::NAME, Rule::NameTaken, message);
    }
    let spec = form::read_role(&mut fields);
    let command = role
        .clone()
        .zip(spec)
        .map(|(role, spec)| Command::Catalogue(CatalogueAction::DefineRole { venture: venture.clone(), role, spec }));
    if let (Some(receipt), Some(role)) = (forms::execute(&mut backend, &caller, &mut fields, command).await?, role) {
        return Ok(done(&mut backend, &receipt, &page_of(&venture, &role)).await);
    }
    let mut snapshot = backend.read_now().await?;
    let content = form::role(
        &venture,
        None,
        &fields,
        &forms::boot_images(&mut snapshot).await?,
        &SettingSources::read(&mut snapshot).await?,
    );
    Ok(page_context.refused(snapshot.position, Page::new("Create role", Section::Ventures, content)))
}

async fn edit(
    _: Administrator,
    page_context: PageContext,
    Path((venture, role)): Path<(Name, Name)>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let (entry, spec) = find(&mut snapshot, &venture, &role).await?;
    let fields = Fields::new(form::role_pairs(&spec));
    let images = forms::boot_images(&mut snapshot).await?;
    let known = SettingSources::read(&mut snapshot).await?;
    let content = form::role(&venture, Some((&role, entry.sequence)), &fields, &images, &known);
    page_context.answer(snapshot, Page::new(&format!("Edit role {role}"), Section::Ventures, content)).await
}

async fn change(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path((venture, role)): Path<(Name, Name)>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let (entry, _) = find(&mut backend.read_now().await?, &venture, &role).await?;
    forms::unchanged(&VENTURE, &entry, &mut fields);
    let command = form::read_role(&mut fields)
        .map(|spec| Command::Catalogue(CatalogueAction::DefineRole { venture: venture.clone(), role: role.clone(), spec }));
    if let Some(receipt) = forms::execute(&mut backend, &caller, &mut fields, command).await? {
        return Ok(done(&mut backend, &receipt, &page_of(&venture, &role)).await);
    }
    let mut snapshot = backend.read_now().await?;
    let images = forms::boot_images(&mut snapshot).await?;
    let known = SettingSources::read(&mut snapshot).await?;
    let content = form::role(&venture, Some((&role, entry.sequence)), &fields, &images, &known);
    Ok(page_context.refused(snapshot.position, Page::new(&format!("Edit role {role}"), Section::Ventures, content)))
}

async fn question(
    snapshot: &mut Snapshot<'_>,
    venture: &Name,
    role: &Name,
    may: &Allowed,
    fields: &Fields,
) -> Result<Markup, Error> {
    find(snapshot, venture, role).await?;
    let used = used(snapshot, venture, role).await?;
    let mut puppet_data = vec![];
    if used.devices > 0 {
        puppet_data.push(html! { a href=(format!("/devices?venture={venture}&role={role}")) { (counted(used.devices, "device", "devices")) } ", which Puppet no longer receives data about" });
    }
    if used.live > 0 {
        puppet_data.push(html! { a href=(format!("/deployments?venture={venture}&role={role}&live=true")) { (counted(used.live, "live deployment", "live deployments")) } ", which continue" });
    }
    Ok(retire::view(&Question {
        noun: &VENTURE,
        what: &format!("role {role} of venture {venture}"),
        page: &page_of(venture, role),
        does: "Deployments can no longer start with this role.",
        uses: puppet_data,
        allowed: may,
        errors: fields.broken(),
    }))
}

async fn load(
    _: Administrator,
    page_context: PageContext,
    Path((venture, role)): Path<(Name, Name)>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let content = question(&mut snapshot, &venture, &role, &may, &Fields::default()).await?;
    page_context.answer(snapshot, Page::new(&format!("Retire role {role}"), Section::Ventures, content)).await
}

async fn retire(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path((venture, role)): Path<(Name, Name)>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Some(Command::Catalogue(CatalogueAction::RetireRole { venture: venture.clone(), role: role.clone() }));
    if let Some(receipt) = forms::execute(&mut backend, &caller, &mut fields, command).await? {
        return Ok(done(&mut backend, &receipt, &VENTURE.page(venture)).await);
    }
    let mut snapshot = backend.read_now().await?;
    let content = question(&mut snapshot, &venture, &role, &Ok(()), &fields).await?;
    Ok(page_context.refused(snapshot.position, Page::new(&format!("Retire role {role}"), Section::Ventures, content)))
}
