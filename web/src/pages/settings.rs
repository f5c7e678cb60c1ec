//! The page `/settings`: the user's own account and sessions; and the pages below it: users, tokens, all sessions, and
//! scopes of secrets.

mod password;
mod secret;
mod secrets;
mod sessions;
mod tokens;
mod users;

use super::frame::{Page, Section, Visit};
use super::kit::badge::{Tone, badge};
use super::kit::block::{card, facts, heading, note, tabs};
use super::kit::icon::icon;
use crate::auth::guard::PASSWORD;
use crate::auth::principal::{Principal, SignedIn};
use crate::error::Error;
use crate::request::backend::Backend;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::user::SignIn;
use bootledger_projections::accounts::{self, Credentials};
use bootledger_projections::at::At;
use maud::{Markup, html};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/settings").get(index));
    password::configure(config);
    users::configure(config);
    tokens::configure(config);
    sessions::configure(config);
    secrets::configure(config);
}

/// The tabs of all settings; `current` is this page's path.
fn tabs_of(current: &str) -> Markup {
    let all = [
        ("Your account", "/settings"),
        ("Users", "/settings/users"),
        ("Tokens", "/settings/tokens"),
        ("Sessions", "/settings/sessions"),
        ("Secrets", "/settings/secrets"),
    ];
    let all: Vec<(&str, String, bool)> = all.into_iter().map(|(name, path)| (name, path.to_owned(), path == current)).collect();
    tabs("Settings", &all)
}

async fn index(visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let own = match &visit.caller.principal {
        Principal::User(user) => {
            let user = user.clone();
            let found = accounts::credentials(reading.connection(), &user.name).await?;
            let sessions = accounts::sessions(reading.connection(), Some(&user.name), true, At::Now, None, 100).await?;
            let list = sessions::table(&sessions, Some(user.session), &Ok(()), visit.now, false);
            html! { (account(&user, found.as_ref())) (card("sessions", "Your sessions", &list)) }
        }
        Principal::Token(bearer) => note(
            Tone::Info,
            &html! { p { "You came with the access token " strong { (bearer.name) } ", which has no account. People sign in at " a href="/sign-in" { "/sign-in" } "." } },
        ),
    };
    let content = html! {
        (heading(&[], &html! { "Settings" }, &html! {}))
        (tabs_of("/settings"))
        (own)
    };
    visit
        .answer(reading, Page { json: Some("/api/v1/sessions".to_owned()), ..Page::new("Settings", Section::Settings, content) })
        .await
}

fn account(user: &SignedIn, found: Option<&Credentials>) -> Markup {
    let has_password = found.is_some_and(|found| matches!(found.user.sign_in, SignIn::Password { .. }));
    card(
        "account",
        "Your account",
        &html! {
            (facts(&[
                ("User name", html! { (user.name) }),
                ("Name", html! { @if user.display_name.is_empty() { span.quiet { "none" } } @else { (user.display_name) } }),
                ("Role", html! { (badge(Tone::Neutral, user.role.as_str())) }),
                ("Signs in", html! { @if has_password { "with a password" } @else { "through OpenID Connect" } }),
            ]))
            div.actions {
                @if has_password { a.button href=(PASSWORD) { (icon("key")) "Change your password" } }
                @else { span.quiet { "The password is changed at the provider." } }
            }
        },
    )
}
