//! The page `/settings/tokens`: access tokens, for programs.

use super::confirm::{self, Confirmation};
use super::secret;
use super::tabs::tabs_of;
use crate::http::application::Application;
use crate::http::auth::caller::{Administrator, Auditor};
use crate::http::auth::token::Secret;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::catalogue::list::{ListQuery, items, json, pager};
use crate::pages::components::action::{Allowed, Look, link, once};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block::{empty, heading, not_of_the_past};
use crate::pages::components::copy;
use crate::pages::components::field::{Field, summary};
use crate::pages::components::time::{moment, since};
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::search;
use crate::wording::actors;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{Command, TokenAction};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Item, TokenView};
use bootledger_projections::rows::tokens::{self, Use};
use maud::{Markup, html};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/settings/tokens").get(index).post(create))
        .service(resource("/settings/tokens/new").get(new))
        .service(resource("/settings/tokens/{id}/revoke").get(confirm_revoke).post(revoke));
}

async fn index(_: Auditor, page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: ListQuery = page_context.query()?;
    let found = items(&mut snapshot, "token", &query).await?;
    let tokens = found.items.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<TokenId> = tokens.iter().filter_map(|(id, ..)| id.parse().ok()).collect();
    let uses = tokens::uses(snapshot.connection(), &ids).await.map_err(bootledger_projections::Error::from)?;
    let allowed = page_context.may_change(&snapshot, Role::Administrator);
    let content = html! {
        (heading(&[], &html! { "Access tokens" }, &link("new-token", "/settings/tokens/new", Look::Primary, "plus-lg", "Create token", &allowed)))
        (tabs_of("/settings/tokens"))
        (search(&page_context, "/settings/tokens", "Name or ID"))
        (table((&tokens, &uses), (snapshot.at, snapshot.moment()), &allowed, !page_context.parameter("q").is_empty()))
        (pager(&page_context, tokens.len(), found.next.as_deref()))
    };
    let json = Some(json(&page_context, "/api/v1/tokens"));
    let page = Page { json, ..Page::new("Access tokens", Section::Settings, content) };
    page_context.answer(snapshot, page).await
}

/// A token in the list: its ID, whether it is revoked, and its properties.
type Row = (String, bool, TokenView);

fn read(item: Item) -> Result<Row, Error> {
    let view = serde_json::from_value(item.spec).map_err(bootledger_projections::Error::from)?;
    Ok((item.key, item.retired, view))
}

fn scope_words(scope: &TokenScope) -> String {
    match scope {
        TokenScope::Viewer => "viewer".to_owned(),
        TokenScope::Auditor => "auditor".to_owned(),
        TokenScope::Operator => "operator".to_owned(),
        TokenScope::Administrator => "administrator".to_owned(),
        TokenScope::DhcpServer(server) => format!("confirmations of DHCP server {server}"),
        TokenScope::PuppetReports => "Puppet reports".to_owned(),
    }
}

fn table((tokens, uses): (&[Row], &[Use]), (at, now): (At, Timestamp), allowed: &Allowed, is_filtered: bool) -> Markup {
    if tokens.is_empty() && is_filtered {
        return empty("No results.", &html! { a.button href="/settings/tokens" { "Show all" } });
    }
    if tokens.is_empty() {
        return empty(
            "No access tokens. Programs need a token to use the API.",
            &html! { a href="/settings/tokens/new" { "Create token" } },
        );
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Access tokens" {
            table.cards {
                thead { tr { th scope="col" { "Name" } th scope="col" { "Scope" } th scope="col" { "State" } th scope="col" { "Created" } th scope="col" { "Creator" } th scope="col" { "Last used" } th scope="col" { "Expires" } th scope="col" { "ID" } th scope="col" { "Action" } } }
                tbody {
                    @for (id, revoked, token) in tokens {
                        @let last = uses.iter().find(|known| known.token.to_string() == *id);
                        @let over = token.expires.is_some_and(|end| end <= now);
                        tr {
                            th scope="row" { (token.name) }
                            td data-label="Scope" { (scope_words(&token.scope)) }
                            td data-label="State" { @if *revoked { (badge(Tone::Bad, "Revoked")) } @else if over { (badge(Tone::Neutral, "Expired")) } @else { (badge(Tone::Good, "Valid")) } }
                            td data-label="Created" { (moment(token.created_at)) }
                            td data-label="Creator" { @if let Some(creator) = last.and_then(|known| known.creator.as_deref()) { (actors::actor(creator)) } }
                            td data-label="Last used" { @if at != At::Now { (not_of_the_past()) } @else if let Some(used) = last.and_then(|known| known.used_at) { (since(used, now)) " ago" } @else { span.quiet { "never" } } }
                            td data-label="Expires" { @match token.expires { Some(end) => (moment(end)), None => "never" } }
                            td data-label="ID" { (copy::code(id, "token ID")) }
                            td data-label="Action" { @if !revoked { (link(&format!("revoke-{id}"), &format!("/settings/tokens/{id}/revoke"), Look::Small, "", "Revoke", allowed)) } }
                        }
                    }
                }
            }
        }
    }
}

async fn new(_: Administrator, page_context: PageContext, application: Data<Application>) -> Result<HttpResponse, Error> {
    let page = Page::new("Create token", Section::Settings, form(&Fields::default()));
    Ok(page_context.shown(*application.position.borrow(), page))
}

const SCOPES: [(&str, &str); 6] = [
    ("viewer", "Viewer: reads everything except for accounts"),
    ("auditor", "Auditor: also reads users, tokens and sessions, changes nothing"),
    ("operator", "Operator: reads what a viewer reads, registers, verifies, deploys, cancels"),
    ("administrator", "Administrator: also changes the catalogue, tokens and users"),
    ("puppet_reports", "Puppet reports: submits reports of Puppet runs, nothing else"),
    ("dhcp_server", "DHCP server: confirms the configurations of one DHCP server, nothing else"),
];
const DAYS: [(&str, &str); 4] = [("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("never", "Never")];

fn form(fields: &Fields) -> Markup {
    let errors = fields.broken();
    let field = |name, label, hint| Field { name, label, hint, value: fields.text(name), errors, ..Field::default() };
    let options =
        |all: &[(&str, &str)]| all.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect::<Vec<_>>();
    let days = if fields.text("days").is_empty() { "90" } else { fields.text("days") };
    html! {
        (heading(&[("Access tokens", "/settings/tokens")], &html! { "Create token" }, &html! {}))
        (summary(errors, &["name", "scope", "dhcp_server", "days"]))
        form.form method="post" action="/settings/tokens" {
            (once())
            (Field { required: true, ..field("name", "Name", "The owner of the token. Events show this name as the actor.") }.text())
            (Field { required: true, ..field("scope", "Scope", "") }.select(None, &options(&SCOPES)))
            (field("dhcp_server", "DHCP server", "Required for the scope DHCP server.").text())
            (Field { required: true, value: days, ..field("days", "Expires", "") }.select(None, &options(&DAYS)))
            button.primary type="submit" { "Create token" }
        }
    }
}

fn scope(fields: &mut Fields) -> Option<TokenScope> {
    match fields.text("scope") {
        "viewer" => Some(TokenScope::Viewer),
        "auditor" => Some(TokenScope::Auditor),
        "operator" => Some(TokenScope::Operator),
        "administrator" => Some(TokenScope::Administrator),
        "puppet_reports" => Some(TokenScope::PuppetReports),
        "dhcp_server" => fields.required::<Name>("dhcp_server", "The DHCP server's name").map(TokenScope::DhcpServer),
        _ => {
            fields.refuse("scope", Rule::ScopeUnknown, "choose a scope");
            None
        }
    }
}

async fn create(
    caller: Administrator,
    page_context: PageContext,
    application: Data<Application>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let name: Option<Text> = fields.required("name", "The name");
    let scope = scope(&mut fields);
    let expires = match fields.text("days") {
        "never" => None,
        days if DAYS.iter().any(|(known, _)| *known == days) => {
            days.parse::<i64>().ok().map(|days| (application.now)().plus_seconds(days * 86_400))
        }
        _ => {
            fields.refuse("days", Rule::DaysUnknown, "choose when the token expires");
            None
        }
    };
    if let (Some(name), Some(scope), []) = (name, scope, fields.broken()) {
        let made = Secret::random();
        let command =
            Command::Token(TokenAction::CreateToken { name: name.clone(), scope, expires, secret_sha256: made.sha256() });
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) => {
                let id: TokenId = receipt.id.parse().map_err(|error| Error::Internal(anyhow::Error::new(error)))?;
                if receipt.repeated && !is_own(&mut backend, receipt.position, id, made.sha256()).await? {
                    let content = html! {
                        (heading(&[("Access tokens", "/settings/tokens")], &html! { "Token " (name) }, &html! {}))
                        (secret::shown_before(
                            &html! { "The token " strong { (name) } " exists already." },
                            "If the secret is lost, revoke the token and create another.",
                            ("Back to access tokens", "/settings/tokens"),
                        ))
                    };
                    return Ok(page_context.shown(backend.position(), Page::new("Token exists", Section::Settings, content)));
                }
                let advice = "Programs send it in the Authorization header, after the word Bearer. If it is lost, revoke it and create another.";
                let what = html! { "The token " strong { (name) } " was created." };
                let back = ("Back to access tokens", "/settings/tokens");
                let show_once = secret::show_once(&mut backend, &receipt, &what, (&made.bearer(id), advice), back).await;
                let content = html! {
                    (heading(&[("Access tokens", "/settings/tokens")], &html! { "Token " (name) }, &html! {}))
                    (show_once)
                };
                return Ok(page_context.shown(receipt.position, Page::new("New token", Section::Settings, content)));
            }
            Err(error) => fields.refused(error)?,
        }
    }
    let page = Page::new("Create token", Section::Settings, form(&fields));
    Ok(page_context.refused(*application.position.borrow(), page))
}

/// Whether a token has the secret that was generated for this request, although the request's key was used before: the service
/// repeats a command if it does not know whether the database has stored it. A token that the views do not show yet may have
/// the secret of an earlier request with the same form.
async fn is_own(backend: &mut Backend, position: i64, id: TokenId, sha256: Sha256) -> Result<bool, Error> {
    backend.reach(position).await;
    let mut snapshot = backend.read_now().await?;
    let found = tokens::find(snapshot.connection(), id).await.map_err(bootledger_projections::Error::from)?;
    Ok(found.is_some_and(|found| found.sha256 == sha256))
}

/// The page before a token is revoked.
async fn confirm_revoke(
    _: Administrator,
    page_context: PageContext,
    Path(id): Path<TokenId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let at = snapshot.at;
    let item = catalogue::find(snapshot.connection(), "token", &id.to_string(), at).await?;
    let (_, revoked, token) = read(item.ok_or_else(|| Error::NotFound(format!("there is no token {id}")))?)?;
    let allowed = if revoked {
        Err("The token is already revoked.".to_owned())
    } else {
        page_context.may_change(&snapshot, Role::Administrator)
    };
    let title = format!("Revoke token {}", token.name);
    let content = confirm::view(&Confirmation {
        crumbs: &[("Access tokens", "/settings/tokens")],
        title: &title,
        effects: &[
            html! { "Every program that uses this token, with the scope " strong { (scope_words(&token.scope)) } ", is refused from then on." },
            html! { "A revoked token cannot be used again. A program that still needs one needs a new token." },
            html! { "Its events stay in the record." },
        ],
        path: &format!("/settings/tokens/{id}/revoke"),
        button: "Revoke token",
        fields: html! {},
        allowed: &allowed,
        back: "/settings/tokens",
    });
    page_context.answer(snapshot, Page::new(&title, Section::Settings, content)).await
}

async fn revoke(
    caller: Administrator,
    mut backend: Backend,
    Path(id): Path<TokenId>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let receipt = backend.execute(Command::Token(TokenAction::RevokeToken(id)), fields.context(&caller)).await?;
    Ok(done(&mut backend, &receipt, "/settings/tokens").await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::texts;

    #[test]
    fn a_token_of_the_past_has_the_state_that_it_had_and_no_last_use() {
        let at = |seconds| Timestamp::default().plus_seconds(seconds);
        let id = TokenId::default();
        let view = serde_json::json!({"name": "ops", "scope": "viewer", "expires": at(100), "created_at": at(0)});
        let row: Row = (id.to_string(), false, serde_json::from_value(view).expect("a token"));
        let used = Use { token: id, creator: None, used_at: Some(at(150)) };
        let cells = |moment| {
            let html = table((std::slice::from_ref(&row), std::slice::from_ref(&used)), moment, &Ok(()), false);
            ["State", "Last used"].map(|label| texts(&html, &format!("td[data-label='{label}']")).concat())
        };
        assert_eq!(cells((At::Now, at(210))), ["Expired", "1 min ago"]);
        assert_eq!(cells((At::Position(7), at(60))), ["Valid", "not available for the past"]);
    }
}
