//! The page `/settings/secrets`: the management controllers that each secret may be sent to. The secrets themselves
//! are never shown.

use super::tabs::tabs_of;
use crate::http::auth::caller::{Administrator, Auditor, Caller};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::catalogue::list::{ListQuery, items, json, pager};
use crate::pages::components::action::{Allowed, Look, link, once, post};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block::{empty, heading, not_of_the_past, note};
use crate::pages::components::field::{Field, summary};
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::search;
use crate::wording;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::device::event::ManagementProtocol;
use bootledger_aggregates::secret::SecretSpec;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ParseError;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Command, Kind};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry, Item};
use bootledger_projections::rows::secrets::{self, Reference};
use ipnet::IpNet;
use maud::{Markup, html};
use std::collections::BTreeSet;
use std::str::FromStr;

const FIELDS: [&str; 8] = ["name", "description", "networks", "redfish", "ipmi", "ports", "sites", "plain_http"];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/settings/secrets").get(index).post(create))
        .service(resource("/settings/secrets/new").get(new))
        .service(resource("/settings/secrets/{name}/edit").get(edit).post(change))
        .service(resource("/settings/secrets/{name}/retire").post(retire));
}

async fn index(_: Auditor, page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: ListQuery = page_context.query()?;
    let at = snapshot.at;
    let found = items(&mut snapshot, "secret", &query).await?;
    let scopes = found.items.into_iter().map(Item::read).collect::<Result<Vec<Entry<SecretSpec>>, _>>()?;
    // What uses a secret is known only of now.
    let used = if at == At::Now { Some(secrets::in_use(snapshot.connection()).await?) } else { None };
    let mut without = vec![];
    for reference in used.iter().flatten().filter(|reference| reference.is_of_devices()) {
        let scope = catalogue::secret(snapshot.connection(), &reference.secret, at).await?;
        if scope.is_none_or(|scope| scope.retired) {
            without.push(reference.clone());
        }
    }
    let allowed = page_context.may_change(&snapshot, Role::Administrator);
    let content = html! {
        (heading(&[], &html! { "Secrets" }, &link("new-secret", "/settings/secrets/new", Look::Primary, "plus-lg", "Create scope", &allowed)))
        (tabs_of("/settings/secrets"))
        p.quiet { "The scope of a secret lists the management controllers to which Bootledger may send it. A secret without a scope is never sent. Secrets are files in the secrets folder or environment variables." }
        (unscoped(&without))
        (search(&page_context, "/settings/secrets", "Name, network or site"))
        (table(&scopes, used.as_deref(), &allowed, !page_context.parameter("q").is_empty()))
        (pager(&page_context, scopes.len(), found.next.as_deref()))
    };
    let json = Some(json(&page_context, "/api/v1/secrets"));
    let page = Page { json, ..Page::new("Secrets", Section::Settings, content) };
    page_context.answer(snapshot, page).await
}

/// Secrets that devices name and that are sent to no controller.
fn unscoped(without: &[Reference]) -> Markup {
    html! {
        @if !without.is_empty() {
            (note(Tone::Warn, &html! {
                p { "These secrets have no scope, so the controllers of their devices are not contacted:" }
                ul {
                    @for Reference { secret, used_by } in without {
                        li { a href=(format!("/settings/secrets/new?name={secret}")) { (secret) } " (" (used_by) ")" }
                    }
                }
            }))
        }
    }
}

fn joined<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}

fn table(scopes: &[Entry<SecretSpec>], used: Option<&[Reference]>, allowed: &Allowed, is_filtered: bool) -> Markup {
    if scopes.is_empty() && is_filtered {
        return empty("No results.", &html! { a.button href="/settings/secrets" { "Show all" } });
    }
    if scopes.is_empty() {
        return empty("There are no scopes yet.", &html! { a.button.primary href="/settings/secrets/new" { "Create scope" } });
    }
    let users = |used: &[Reference], name: &Name| {
        joined(used.iter().filter(|reference| reference.secret == *name).map(|reference| &reference.used_by))
    };
    html! {
        div.scroll tabindex="0" role="region" aria-label="Secrets" {
            table.cards {
                thead { tr { th scope="col" { "Secret" } th scope="col" { "Networks" } th scope="col" { "Protocols" } th scope="col" { "Ports" } th scope="col" { "Sites" } th scope="col" { "Used by" } th scope="col" { "State" } th scope="col" { "Action" } } }
                tbody {
                    @for Entry { key, spec, retired, .. } in scopes {
                        tr {
                            th scope="row" { a href=(format!("/settings/secrets/{key}/edit")) { (key) } @if !spec.description.is_empty() { " " span.quiet { (spec.description) } } }
                            td data-label="Networks" { (joined(&spec.networks)) }
                            td data-label="Protocols" { (joined(spec.protocols.iter().map(|protocol| wording::devices::protocol(*protocol)))) @if spec.plain_http { ", also without TLS" } }
                            td data-label="Ports" { @if spec.ports.is_empty() { "usual" } @else { (joined(&spec.ports)) } }
                            td data-label="Sites" { (joined(&spec.sites)) }
                            td data-label="Used by" { @match used { Some(used) => (users(used, key)), None => (not_of_the_past()) } }
                            td data-label="State" { @if *retired { (badge(Tone::Neutral, "Retired")) } @else { (badge(Tone::Good, "In use")) } }
                            td data-label="Action" { @if !retired { (post(&format!("retire-{key}"), &format!("/settings/secrets/{key}/retire"), Look::Small, "", "Retire", allowed, &html! {})) } }
                        }
                    }
                }
            }
        }
    }
}

async fn new(_: Administrator, page_context: PageContext, backend: Backend) -> Result<HttpResponse, Error> {
    let fields = Fields::new(vec![
        ("name".to_owned(), page_context.parameter("name").to_owned()),
        ("redfish".to_owned(), "true".to_owned()),
    ]);
    let page = Page::new("Create the scope of a secret", Section::Settings, form(&fields, None));
    Ok(page_context.shown(backend.position(), page))
}

async fn edit(
    _: Administrator,
    page_context: PageContext,
    Path(name): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let at = snapshot.at;
    let scope = catalogue::secret(snapshot.connection(), &name, at).await?;
    let SecretSpec { description, networks, protocols, ports, sites, plain_http } =
        scope.ok_or_else(|| Error::NotFound(format!("the secret {name} has no scope")))?.spec;
    let ticked = |is: bool| if is { "true".to_owned() } else { String::new() };
    let fields = [
        ("description", description.to_string()),
        ("networks", joined(networks)),
        ("redfish", ticked(protocols.contains(&ManagementProtocol::Redfish))),
        ("ipmi", ticked(protocols.contains(&ManagementProtocol::Ipmi))),
        ("ports", joined(ports)),
        ("sites", joined(sites)),
        ("plain_http", ticked(plain_http)),
    ];
    let fields = Fields::new(fields.map(|(name, value)| (name.to_owned(), value)).to_vec());
    let page = Page::new("Edit the scope of a secret", Section::Settings, form(&fields, Some(&name)));
    page_context.answer(snapshot, page).await
}

fn form(fields: &Fields, name: Option<&Name>) -> Markup {
    let errors = fields.broken();
    let field = |name, label, hint| Field { name, label, hint, value: fields.text(name), errors, ..Field::default() };
    let (action, title) = match name {
        None => ("/settings/secrets".to_owned(), html! { "Create the scope of a secret" }),
        Some(name) => (format!("/settings/secrets/{name}/edit"), html! { "Scope of " (name) }),
    };
    html! {
        (heading(&[("Secrets", "/settings/secrets")], &title, &html! {}))
        (summary(errors, &FIELDS))
        form.form method="post" action=(action) {
            (once())
            @if name.is_none() { (Field { required: true, ..field("name", "Secret", "The name of the secret, never the secret itself. The secret is a file of this name in the secrets folder, or an environment variable.") }.text()) }
            (field("description", "Description", "For information only.").text())
            (Field { required: true, ..field("networks", "Networks", "Networks of the controllers, such as 10.20.12.0/24, separated by commas.") }.text())
            (field("redfish", "Redfish", "Bootledger may send it by Redfish.").check())
            (field("ipmi", "IPMI", "Bootledger may send it by IPMI.").check())
            (field("ports", "Ports", "Separated by commas. Defaults to 443 for Redfish (80 without TLS) and 623 for IPMI.").text())
            (Field { required: true, ..field("sites", "Sites", "The sites of the devices, separated by commas.") }.text())
            (field("plain_http", "Without TLS", "Bootledger may send it by Redfish without TLS, readable on the network.").check())
            div.actions {
                button.primary type="submit" { @if name.is_none() { "Create" } @else { "Save" } }
                a.button href="/settings/secrets" { "Back" }
            }
        }
    }
}

/// A value of a list in a form.
struct Listed<T>(T);

impl<T: FromStr> FromStr for Listed<T> {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            |_| ParseError::new(format!("{text:?} is not valid. Networks have the form 10.20.12.0/24, and ports are 1 to 65535"));
        text.parse().map(Self).map_err(wrong)
    }
}

fn read(fields: &mut Fields) -> SecretSpec {
    let protocols = [("redfish", ManagementProtocol::Redfish), ("ipmi", ManagementProtocol::Ipmi)];
    let protocols = protocols.into_iter().filter(|(name, _)| fields.ticked(name)).map(|(_, protocol)| protocol).collect();
    SecretSpec {
        description: fields.read("description").unwrap_or_default(),
        networks: fields.read_list::<Listed<IpNet>>("networks").into_iter().map(|listed| listed.0).collect(),
        protocols,
        ports: fields.read_list::<Listed<u16>>("ports").into_iter().map(|listed| listed.0).collect(),
        sites: fields.read_list::<Name>("sites").into_iter().collect::<BTreeSet<Name>>(),
        plain_http: fields.ticked("plain_http"),
    }
}

async fn create(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let name = fields.required::<Name>("name", "The name of the secret");
    save(&caller, page_context, &mut backend, fields, name, true).await
}

async fn change(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(name): Path<Name>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    save(&caller, page_context, &mut backend, fields, Some(name), false).await
}

async fn save(
    caller: &Caller,
    page_context: PageContext,
    backend: &mut Backend,
    mut fields: Fields,
    name: Option<Name>,
    new: bool,
) -> Result<HttpResponse, Error> {
    let spec = read(&mut fields);
    if let (Some(name), []) = (&name, fields.broken()) {
        let command = Command::Catalogue(CatalogueAction::DefineSecret(name.clone(), Box::new(spec)));
        match backend.execute(command, fields.context(caller)).await {
            Ok(receipt) => return Ok(done(backend, &receipt, "/settings/secrets").await),
            Err(error) => fields.refused(error)?,
        }
    }
    let page = Page::new("Scope of a secret", Section::Settings, form(&fields, name.as_ref().filter(|_| !new)));
    Ok(page_context.refused(backend.position(), page))
}

async fn retire(
    caller: Administrator,
    mut backend: Backend,
    Path(name): Path<Name>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Command::Catalogue(CatalogueAction::Retire(Kind::Secret, name));
    let receipt = backend.execute(command, fields.context(&caller)).await?;
    Ok(done(&mut backend, &receipt, "/settings/secrets").await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_a_scope_and_says_what_is_wrong() {
        let pairs = [("networks", "10.0.9.0/24, 10.0.8.0/24"), ("ipmi", "true"), ("ports", "623"), ("sites", "dc1")];
        let mut fields = Fields::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        let spec = read(&mut fields);
        assert!(fields.broken().is_empty());
        assert_eq!((spec.networks.len(), spec.protocols.len(), spec.ports.len(), spec.plain_http), (2, 1, 1, false));
        let wrong = [("networks", "10.0.9.0/33"), ("ports", "http")];
        let mut fields = Fields::new(wrong.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        read(&mut fields);
        assert_eq!(fields.broken().len(), 2);
    }

    #[test]
    fn secrets_of_devices_without_a_scope_are_listed_with_a_link_to_set_it() {
        let reference = Reference { secret: "bmc-dc1".parse().expect("a name"), used_by: "12 devices".to_owned() };
        let html = unscoped(&[reference]).into_string();
        assert!(html.contains("/settings/secrets/new?name=bmc-dc1") && html.contains("12 devices"), "{html}");
        assert!(unscoped(&[]).into_string().is_empty());
    }
}
