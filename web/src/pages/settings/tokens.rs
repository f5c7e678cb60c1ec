//! The page `/settings/tokens`: access tokens, for programs.

use super::{secret, tabs_of};
use crate::application::Application;
use crate::auth::caller::Administrator;
use crate::auth::level::Level;
use crate::auth::token::Secret;
use crate::commands::Command;
use crate::error::Error;
use crate::pages::form::{Fields, done};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::{Allowed, Look, link, post};
use crate::pages::kit::badge::{Tone, badge};
use crate::pages::kit::block::{empty, heading, pager};
use crate::pages::kit::field::{Field, summary};
use crate::pages::kit::list::filters;
use crate::pages::kit::time::moment;
use crate::request::backend::Backend;
use crate::request::path::Path;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::token::Scope;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::catalogue::{self, Item, TokenView};
use maud::{Markup, html};
use serde::Deserialize;

/// How many tokens a page shows.
const SHOWN: usize = 100;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/settings/tokens").get(index).post(create))
        .service(resource("/settings/tokens/new").get(new))
        .service(resource("/settings/tokens/{id}/revoke").post(revoke));
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    q: Option<String>,
    after: Option<String>,
}

async fn index(_: Administrator, visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let query: Query = visit.query()?;
    let (at, limit) = (reading.at, i64::try_from(SHOWN + 1).unwrap_or(i64::MAX));
    let mut found = catalogue::list(reading.connection(), "token", at, query.after.as_deref(), limit, query.q.as_deref()).await?;
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let next = found.last().filter(|_| more).map(|last| visit.with("after", Some(&last.key)));
    let tokens = found.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let allowed = visit.may_change(&reading, Level::Administrator);
    let first = query.after.as_ref().map(|_| visit.with("", None));
    let content = html! {
        (heading(&[], &html! { "Access tokens" }, &link("new-token", "/settings/tokens/new", Look::Primary, "plus-lg", "Make a token", &allowed)))
        (tabs_of("/settings/tokens"))
        (filters(&visit, "/settings/tokens", "Name or id", &[], &html! {}))
        (table(&tokens, visit.now, &allowed))
        (pager(tokens.len(), first.as_deref(), next.as_deref()))
    };
    let page = Page { json: Some("/api/v1/tokens".to_owned()), ..Page::new("Access tokens", Section::Settings, content) };
    visit.answer(reading, page).await
}

/// A token in the list: its ID, whether it is revoked, and its properties.
type Row = (String, bool, TokenView);

fn read(item: Item) -> Result<Row, Error> {
    let view = serde_json::from_value(item.spec).map_err(bootledger_projections::Error::from)?;
    Ok((item.key, item.retired, view))
}

fn scope_words(scope: &Scope) -> String {
    match scope {
        Scope::Viewer => "viewer".to_owned(),
        Scope::Operator => "operator".to_owned(),
        Scope::Administrator => "administrator".to_owned(),
        Scope::DhcpServer(server) => format!("only for the DHCP server {server}"),
        Scope::PuppetReports => "only for Puppet's reports".to_owned(),
    }
}

fn table(tokens: &[Row], now: Timestamp, allowed: &Allowed) -> Markup {
    if tokens.is_empty() {
        return empty(
            "There is no such token. Programs need one to use the API.",
            &html! { a href="/settings/tokens/new" { "Make a token" } },
        );
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Access tokens" {
            table.cards {
                thead { tr { th scope="col" { "Name" } th scope="col" { "May" } th scope="col" { "State" } th scope="col" { "Made" } th scope="col" { "Ends" } th scope="col" { "Id" } th scope="col" { "Action" } } }
                tbody {
                    @for (id, revoked, token) in tokens {
                        @let over = token.expires.is_some_and(|end| end <= now);
                        tr {
                            th scope="row" { (token.name) }
                            td data-label="May" { (scope_words(&token.scope)) }
                            td data-label="State" { @if *revoked { (badge(Tone::Bad, "Revoked")) } @else if over { (badge(Tone::Neutral, "Over")) } @else { (badge(Tone::Good, "Valid")) } }
                            td data-label="Made" { (moment(token.created_at)) }
                            td data-label="Ends" { @match token.expires { Some(end) => (moment(end)), None => "never" } }
                            td data-label="Id" { code { (id) } }
                            td data-label="Action" { @if !revoked { (post(&format!("revoke-{id}"), &format!("/settings/tokens/{id}/revoke"), Look::Small, "", "Revoke", allowed, &html! {})) } }
                        }
                    }
                }
            }
        }
    }
}

async fn new(_: Administrator, visit: Visit, application: Data<Application>) -> Result<HttpResponse, Error> {
    let page = Page::new("Make a token", Section::Settings, form(&Fields::default()));
    Ok(visit.shown(*application.position.borrow(), page))
}

const SCOPES: [(&str, &str); 5] = [
    ("viewer", "Viewer: reads everything"),
    ("operator", "Operator: also registers, verifies, deploys, cancels"),
    ("administrator", "Administrator: also changes the catalogue, tokens and users"),
    ("puppet_reports", "Only hands in Puppet's reports"),
    ("dhcp_server", "Only confirms the configurations of one DHCP server"),
];
const DAYS: [(&str, &str); 4] = [("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("never", "Never")];

fn form(fields: &Fields) -> Markup {
    let errors = fields.broken();
    let field = |name, label, hint| Field { name, label, hint, value: fields.text(name), errors, ..Field::default() };
    let options =
        |all: &[(&str, &str)]| all.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect::<Vec<_>>();
    let days = if fields.text("days").is_empty() { "90" } else { fields.text("days") };
    html! {
        (heading(&[("Access tokens", "/settings/tokens")], &html! { "Make a token" }, &html! {}))
        (summary(errors, &["name", "scope", "dhcp_server", "days"]))
        form.form method="post" action="/settings/tokens" {
            (Field { required: true, ..field("name", "Name", "Whose it is; events name the actor by it.") }.text())
            (Field { required: true, ..field("scope", "What its bearer may do", "") }.select(None, &options(&SCOPES)))
            (field("dhcp_server", "DHCP server", "For a token that is only for one.").text())
            (Field { required: true, value: days, ..field("days", "It ends", "") }.select(None, &options(&DAYS)))
            button.primary type="submit" { "Make the token" }
        }
    }
}

fn scope(fields: &mut Fields) -> Option<Scope> {
    match fields.text("scope") {
        "viewer" => Some(Scope::Viewer),
        "operator" => Some(Scope::Operator),
        "administrator" => Some(Scope::Administrator),
        "puppet_reports" => Some(Scope::PuppetReports),
        "dhcp_server" => fields.required::<Name>("dhcp_server", "The DHCP server's name").map(Scope::DhcpServer),
        _ => {
            fields.refuse("scope", "scope_unknown", "choose what its bearer may do");
            None
        }
    }
}

async fn create(
    caller: Administrator,
    visit: Visit,
    application: Data<Application>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let name: Option<Text> = fields.required("name", "A name");
    let scope = scope(&mut fields);
    let expires = match fields.text("days") {
        "never" => None,
        days if DAYS.iter().any(|(known, _)| *known == days) => {
            days.parse::<i64>().ok().map(|days| (application.now)().plus_seconds(days * 86_400))
        }
        _ => {
            fields.refuse("days", "days_unknown", "choose when it ends");
            None
        }
    };
    if let (Some(name), Some(scope), []) = (name, scope, fields.broken()) {
        let made = Secret::random();
        let command = Command::CreateToken { name: name.clone(), scope, expires, secret_sha256: made.sha256() };
        match backend.execute(command, caller.context()).await {
            Ok(receipt) => {
                let id: TokenId = receipt.id.parse().map_err(|error| Error::Internal(anyhow::Error::new(error)))?;
                let advice = "Programs send it in the header Authorization, behind the word Bearer. If it is lost, revoke it and make another.";
                let what = html! { "The token " strong { (name) } " was made." };
                let back = ("To the tokens", "/settings/tokens");
                let told = secret::told(&mut backend, &receipt, &what, (&made.bearer(id), advice), back).await;
                let content = html! {
                    (heading(&[("Access tokens", "/settings/tokens")], &html! { "Token " (name) }, &html! {}))
                    (told)
                };
                return Ok(visit.shown(receipt.position, Page::new("New token", Section::Settings, content)));
            }
            Err(error) => fields.refused(error)?,
        }
    }
    let page = Page::new("Make a token", Section::Settings, form(&fields));
    Ok(visit.refused(*application.position.borrow(), page))
}

async fn revoke(
    caller: Administrator,
    mut backend: Backend,
    Path(id): Path<TokenId>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let receipt = backend.execute(Command::RevokeToken(id), fields.context(&caller)).await?;
    Ok(done(&mut backend, &receipt, "/settings/tokens").await)
}
