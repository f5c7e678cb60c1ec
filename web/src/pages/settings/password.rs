//! The page `/settings/password`: the user's own password. A user with a one-time password has to change it here
//! before anything else.

use crate::http::access::{PASSWORD, SIGN_OUT};
use crate::http::application::Application;
use crate::http::auth::password::{MOST, Password};
use crate::http::auth::principal::{Principal, SignedIn};
use crate::http::auth::{Attempt, Throttle, Turn, sign_in};
use crate::http::client;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::pages::components::badge::Tone;
use crate::pages::components::block::{heading, note};
use crate::pages::components::field::{Field, summary};
use crate::pages::form::{Fields, done, local};
use crate::pages::layout::{Page, PageContext, Section, lone};
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ids::PasswordId;
use bootledger_port::password::Hash;
use bootledger_port::{AccountAction, Command, NewPassword};
use bootledger_projections::rows::accounts;
use maud::{Markup, html};
use std::time::Instant;
use uuid::Uuid;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource(PASSWORD).get(show).post(change));
}

fn person(principal: &Principal) -> Result<&SignedIn, Error> {
    let no_password = || {
        Error::rejected(
            "",
            Rule::PasswordOfNobody,
            "an access token has no password; sign in at /sign-in to change your password",
        )
    };
    principal.user().ok_or_else(no_password)
}

async fn show(request: HttpRequest, page_context: PageContext, application: Data<Application>) -> Result<HttpResponse, Error> {
    let user = person(&page_context.caller.principal)?.clone();
    let to = page_context.parameter("to").to_owned();
    Ok(answer(&request, page_context, &application, &user, local(&to), &[]))
}

async fn change(
    request: HttpRequest,
    page_context: PageContext,
    application: Data<Application>,
    mut backend: Backend,
    throttle: Data<Throttle>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let user = person(&page_context.caller.principal)?.clone();
    let to = local(fields.text("to")).to_owned();
    let [current, new, again] = ["current", "password", "again"].map(|name| fields.lines(name));
    if let Some(password) = accepted(&mut fields, &user, &current, &new, &again) {
        check(&request, &application, &throttle, &user, current, &mut fields).await?;
        if fields.broken().is_empty() {
            let id = PasswordId(Uuid::now_v7());
            let password = NewPassword { id, hash: password.hash().await?, one_time: false };
            let command =
                Command::Account(AccountAction::SetPassword { user: user.name.clone(), password, keep: Some(user.session) });
            let context = sign_in::context(&request, &user.name);
            match backend.execute(command, context).await {
                Ok(receipt) => {
                    let next = if to == "/" && !user.one_time { "/settings" } else { to.as_str() };
                    return Ok(done(&mut backend, &receipt, next).await);
                }
                Err(error) => fields.refused(error)?,
            }
        }
    }
    Ok(answer(&request, page_context, &application, &user, &to, fields.broken()))
}

/// The new password, if it is acceptable.
fn accepted(fields: &mut Fields, user: &SignedIn, current: &str, new: &str, again: &str) -> Option<Password> {
    let chosen = match Password::chosen(new, user.name.as_str()) {
        Ok(chosen) => Some(chosen),
        Err(Error::Rejected { reasons, .. }) => {
            for reason in reasons {
                fields.add("password", reason);
            }
            None
        }
        Err(_) => None,
    };
    if new == current && !new.is_empty() {
        fields.refuse("password", Rule::PasswordSame, "the new password equals the old one; choose another");
    }
    if new != again {
        fields.refuse("again", Rule::PasswordDiffers, "the two passwords differ; enter both again");
    }
    chosen.filter(|_| fields.broken().is_empty())
}

/// Checks the old password, so that a stranger who finds an unattended browser cannot take over the account.
async fn check(
    request: &HttpRequest,
    application: &Application,
    throttle: &Throttle,
    user: &SignedIn,
    current: String,
    fields: &mut Fields,
) -> Result<(), Error> {
    let client = client::any_address(request, &application.trusted_proxies).ok();
    let found = {
        let mut connection = application.views.acquire().await?;
        accounts::credentials(&mut connection, &user.name).await?
    };
    // A session is a proof as well, so that no one elsewhere can use up the attempts of a signed-in user.
    let unlocked = found.as_ref().and_then(|found| found.user.unlocked);
    let attempt = Attempt { name: user.name.as_str(), client, known: true, unlocked };
    if let Err(slowed) = throttle.begin(attempt, Instant::now()) {
        let error = Error::from(slowed);
        fields.add("current", ProblemError::of_kind("current", &error));
        return Ok(());
    }
    let phc = found.and_then(|found| found.phc);
    let turn = Turn::KnownUser(user.name.clone());
    if Password::typed(current).is_of_in_turn(phc.map(Hash::stored), turn).await? {
        throttle.succeeded(attempt);
    } else {
        fields.refuse("current", Rule::PasswordWrong, "the current password is wrong; enter it again");
    }
    Ok(())
}

fn answer(
    request: &HttpRequest,
    page_context: PageContext,
    application: &Application,
    user: &SignedIn,
    to: &str,
    errors: &[ProblemError],
) -> HttpResponse {
    let form = form(user, to, errors);
    if user.one_time {
        let content = html! {
            h1 { "Choose a password" }
            (note(Tone::Info, &html! { p { "An administrator created the password that you used to sign in as " strong { (user.name) } ". Choose one that only you know." } }))
            (form)
            form method="post" action=(SIGN_OUT) { button.plain type="submit" { "Sign out" } }
        };
        let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        let page = lone("Choose a password", Some(request), &content);
        return HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page.into_string());
    }
    let content = html! {
        (heading(&[("Settings", "/settings")], &html! { "Set a new password" }, &html! {}))
        (form)
    };
    let page = Page::new("Set a new password", Section::Settings, content);
    let position = *application.position.borrow();
    if errors.is_empty() { page_context.shown(position, page) } else { page_context.refused(position, page) }
}

fn form(user: &SignedIn, to: &str, errors: &[ProblemError]) -> Markup {
    let field = |name, label, autocomplete, hint| {
        Field { name, label, hint, required: true, errors, ..Field::default() }.completed("password", autocomplete)
    };
    let hint = format!(
        "At least {} and at most {MOST} characters. A phrase of several words is easy to remember.",
        crate::http::auth::password::LEAST
    );
    html! {
        (summary(errors, &["current", "password", "again"]))
        form.form method="post" action=(PASSWORD) {
            input type="hidden" name="to" value=(to);
            // For password managers, which store passwords by user.
            input.visually-hidden type="text" name="user" value=(user.name) autocomplete="username" readonly tabindex="-1" aria-hidden="true";
            (field("current", "Current password", "current-password", ""))
            (field("password", "New password", "new-password", hint.as_str()))
            (field("again", "Repeat the new password", "new-password", ""))
            p.quiet { "Setting the password ends your other sessions." }
            button.primary type="submit" { "Set password" }
        }
    }
}
