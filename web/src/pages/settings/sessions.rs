//! The page `/settings/sessions`: the signed-in users, their addresses, and ending a session.

use super::confirm::{self, Confirmation};
use super::tabs::tabs_of;
use crate::api::sessions::{end_session, require_own};
use crate::http::auth::caller::Auditor;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::action::{Allowed, Look, link};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block::{empty, heading, not_of_the_past, pager};
use crate::pages::components::time::{moment, since};
use crate::pages::form::{Fields, done, local};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::http::StatusCode;
use actix_web::web::{Payload, ServiceConfig, resource};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use bootledger_aggregates::session::Method;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::SessionId;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_projections::rows::accounts::{self, Listed, SessionView};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use maud::{Markup, html};
use serde::Deserialize;

/// How many sessions a page shows.
const SHOWN: usize = 100;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/settings/sessions").get(index))
        .service(resource("/settings/sessions/{id}/end").get(confirm_end).post(end));
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    user: Option<UserName>,
    all: Option<bool>,
    after: Option<SessionId>,
}

async fn index(_: Auditor, page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: Query = page_context.query()?;
    let (at, all) = (snapshot.at, query.all.unwrap_or(false));
    let limit = i64::try_from(SHOWN + 1).unwrap_or(i64::MAX);
    let mut found = accounts::sessions(snapshot.connection(), query.user.as_ref(), !all, at, query.after, limit).await?;
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let own = page_context.caller.principal.user().map(|user| user.session);
    let allowed = page_context.may_change(&snapshot, Role::Administrator);
    let first = query.after.map(|_| page_context.with("", None));
    let next = found.last().filter(|_| more).map(|last| page_context.with("after", Some(&last.id.to_string())));
    let content = html! {
        (heading(&[], &html! { "Sessions" }, &html! {
            @if all { a.button href=(page_context.with("all", None)) { "Live sessions only" } } @else { a.button href=(page_context.with("all", Some("true"))) { "Include ended sessions" } }
        }))
        (tabs_of("/settings/sessions"))
        @if let Some(user) = &query.user { p { "Sessions of user " strong { (user) } ". " a href=(page_context.with("user", None)) { "Sessions of all users" } } }
        (table(&found, own, &allowed, (at, snapshot.moment()), true))
        (pager(found.len(), first.as_deref(), next.as_deref()))
    };
    let page = Page { json: Some("/api/v1/sessions".to_owned()), ..Page::new("Sessions", Section::Settings, content) };
    page_context.answer(snapshot, page).await
}

/// The page before a session is revoked.
async fn confirm_end(page_context: PageContext, mut backend: Backend, Path(id): Path<SessionId>) -> Result<HttpResponse, Error> {
    require_own(&mut backend, &page_context.caller.principal, id).await?;
    let to = page_context.parameter("to").to_owned();
    let back = if to.is_empty() { "/settings" } else { local(&to) };
    let mut snapshot = backend.read().await?;
    let at = snapshot.at;
    let item = catalogue::find(snapshot.connection(), "session", &id.to_string(), at).await?;
    let item = item.ok_or_else(|| Error::NotFound(format!("there is no session {id}")))?;
    let view: SessionView = serde_json::from_value(item.spec).map_err(bootledger_projections::Error::from)?;
    let allowed = if view.ended.is_some() {
        Err("The session has ended already.".to_owned())
    } else {
        page_context.may_change(&snapshot, Role::Viewer)
    };
    let title = format!("Revoke the session of {}", view.session.user);
    let content = confirm::view(&Confirmation {
        crumbs: &[("Settings", "/settings")],
        title: &title,
        effects: &[
            html! { (browser(view.session.user_agent.as_str())) ", signed in since " (moment(view.started_at)) ", is signed out at its next request." },
            html! { "Pages that are open there stop updating. The user can sign in again." },
        ],
        path: &format!("/settings/sessions/{id}/end"),
        button: "Revoke session",
        fields: html! { input type="hidden" name="to" value=(back); },
        allowed: &allowed,
        back,
    });
    page_context.answer(snapshot, Page::new(&title, Section::Settings, content)).await
}

async fn end(
    request: HttpRequest,
    page_context: PageContext,
    mut backend: Backend,
    Path(id): Path<SessionId>,
    body: Payload,
) -> Result<HttpResponse, Error> {
    // The owner of the session is checked first: from anyone else, not a byte of the body is read.
    require_own(&mut backend, &page_context.caller.principal, id).await?;
    let fields = Fields::from_request(&request, &mut body.into_inner()).await?;
    let to = if fields.text("to").is_empty() { "/settings" } else { local(fields.text("to")) };
    let context = fields.context(&page_context.caller);
    let receipt = end_session(&mut backend, id, context).await?;
    let mut response = done(&mut backend, &receipt, to).await;
    *response.status_mut() = StatusCode::SEE_OTHER;
    Ok(response)
}

/// The common name of a browser with this `User-Agent`; otherwise the first word of the header.
fn browser(agent: &str) -> String {
    // Each browser also names those that it is compatible with, so the most specific names come first.
    const KNOWN: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("HeadlessChrome/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Version/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 5] =
        [("Android", "Android"), ("iPhone", "iPhone"), ("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux")];
    let version = |at: usize| agent[at..].split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let known = KNOWN
        .iter()
        .find_map(|(mark, name)| agent.find(mark).map(|at| format!("{name} {}", version(at + mark.len())).trim_end().to_owned()));
    let Some(known) = known else {
        return agent.split(['/', ' ']).next().filter(|word| !word.is_empty()).unwrap_or("unknown").to_owned();
    };
    match SYSTEMS.iter().find(|(mark, _)| agent.contains(mark)) {
        Some((_, system)) => format!("{known}, {system}"),
        None => known,
    }
}

/// The sessions in a table; `whose` is whether it shows the users.
pub(super) fn table(
    sessions: &[Listed],
    own: Option<SessionId>,
    allowed: &Allowed,
    (at, now): (At, Timestamp),
    whose: bool,
) -> Markup {
    if sessions.is_empty() {
        return empty("No browser sessions.", &html! {});
    }
    let back = if whose { "/settings/sessions" } else { "/settings" };
    html! {
        div.scroll tabindex="0" role="region" aria-label="Sessions" {
            table.cards {
                thead { tr {
                    @if whose { th scope="col" { "User" } }
                    th scope="col" { "Started" } th scope="col" { "Address" } th scope="col" { "Browser" } th scope="col" { "Last used" }
                    th scope="col" { "Expires" } th scope="col" { "Action" }
                } }
                tbody {
                    @for Listed { id, view, times } in sessions {
                        tr id=(format!("session-{id}")) {
                            @if whose { th scope="row" { a href=(format!("/settings/users/{}", view.session.user.in_url())) { (view.session.user) } } }
                            td data-label="Started" { (moment(view.started_at)) }
                            td data-label="Address" { div { @if let Some(client) = view.session.client { (client) } @else { span.quiet { "unknown" } } @if view.session.method == Method::OpenidConnect { " " span.quiet { "OpenID Connect" } } } }
                            td data-label="Browser" { span title=(view.session.user_agent) { (browser(view.session.user_agent.as_str())) } }
                            td data-label="Last used" { div { @if let Some((seen, _)) = times { (since(*seen, now)) " ago" } @else if at != At::Now { (not_of_the_past()) } } }
                            td data-label="Expires" {
                                @if let Some(ended) = &view.ended { (badge(Tone::Neutral, "Ended")) " " (moment(ended.at)) ": " (ended.reason) }
                                @else if let Some((_, ends)) = times { (moment(*ends)) }
                                @else if at != At::Now { (not_of_the_past()) }
                            }
                            td data-label="Action" {
                                @if own == Some(*id) { (badge(Tone::Good, "This session")) }
                                @else if view.ended.is_none() {
                                    (link(&format!("end-{id}"), &format!("/settings/sessions/{id}/end?to={back}"), Look::Small, "", "Revoke", allowed))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_shown_by_its_common_name() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
        let safari = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15";
        for (agent, name) in [
            (chrome.to_owned(), "Chrome 156, Linux"),
            (format!("{chrome} Edg/156.0.1"), "Edge 156, Linux"),
            (safari.to_owned(), "Safari 18, macOS"),
            ("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(), "Firefox 140, Windows"),
            ("curl/8.5.0".to_owned(), "curl"),
            ("Ünknown Firefox/".to_owned(), "Firefox"),
            (String::new(), "unknown"),
        ] {
            assert_eq!(browser(&agent), name, "{agent}");
        }
    }
}
