//! The page `/settings`: the user's own account and sessions; and the pages below it: users, tokens, all sessions,
//! scopes of secrets, and webhooks.

mod confirm;
mod password;
mod secret;
mod secrets;
mod sessions;
mod tabs;
mod tokens;
mod users;
mod webhooks;
mod workers;

use crate::http::access::PASSWORD;
use crate::http::application::Application;
use crate::http::auth::principal::{Principal, SignedIn};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block::{card, facts, heading, note};
use crate::pages::components::icon::icon;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::user::SignIn;
use bootledger_projections::rows::accounts::{self, Credentials};
use bootledger_projections::rows::at::At;
use maud::{Markup, html};
use tabs::tabs_of;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/settings").get(index));
    password::configure(config);
    users::configure(config);
    tokens::configure(config);
    sessions::configure(config);
    secrets::configure(config);
    webhooks::configure(config);
}

async fn index(application: Data<Application>, page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let own = match &page_context.caller.principal {
        Principal::User(user) => {
            let user = user.clone();
            let found = accounts::credentials(snapshot.connection(), &user.name).await?;
            let sessions = accounts::sessions(snapshot.connection(), Some(&user.name), true, At::Now, None, 100).await?;
            let list = sessions::table(&sessions, Some(user.session), &Ok(()), (At::Now, page_context.now), false);
            html! { (account(&user, found.as_ref())) (card("sessions", "Your sessions", &list)) }
        }
        Principal::Token(bearer) => note(
            Tone::Info,
            &html! { p { "You are using the access token " strong { (bearer.name) } ", which has no account. Users sign in at " a href="/sign-in" { "/sign-in" } "." } },
        ),
    };
    let content = html! {
        (heading(&[], &html! { "Settings" }, &html! {}))
        (tabs_of("/settings"))
        (own)
        (workers::table(&application.vitals.workers(), page_context.now))
    };
    page_context
        .answer(snapshot, Page { json: Some("/api/v1/sessions".to_owned()), ..Page::new("Settings", Section::Settings, content) })
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
                ("Sign-in", html! { @if has_password { "with a password" } @else { "through OpenID Connect" } }),
            ]))
            div.actions {
                @if has_password { a.button href=(PASSWORD) { (icon("key")) "Set a new password" } }
                @else { span.quiet { "Change the password at the provider." } }
            }
        },
    )
}
