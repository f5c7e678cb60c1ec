//! The page `/settings/password`: the user's own password. A user with a one-time password has to change it here
//! before anything else.

use crate::application::Application;
use crate::auth::guard::{PASSWORD, SIGN_OUT};
use crate::auth::password::{Hash, MOST, Password};
use crate::auth::principal::{Principal, SignedIn};
use crate::auth::{Attempt, Throttle, Turn, sign_in};
use crate::boot::client;
use crate::commands::{Command, NewPassword};
use crate::error::Error;
use crate::error::problem::ProblemError;
use crate::pages::form::{Fields, done, local};
use crate::pages::frame::{Page, Section, Visit, lone};
use crate::pages::kit::badge::Tone;
use crate::pages::kit::block::{heading, note};
use crate::pages::kit::field::{Field, summary};
use crate::request::backend::Backend;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::values::ids::PasswordId;
use bootledger_projections::accounts;
use maud::{Markup, html};
use std::time::Instant;
use uuid::Uuid;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource(PASSWORD).get(show).post(change));
}

fn person(principal: &Principal) -> Result<&SignedIn, Error> {
    let nobody = || Error::rejected("", "password_of_nobody", "a token has no password; sign in at /sign-in to change yours");
    principal.user().ok_or_else(nobody)
}

async fn show(request: HttpRequest, visit: Visit, application: Data<Application>) -> Result<HttpResponse, Error> {
    let user = person(&visit.caller.principal)?.clone();
    let to = visit.parameter("to").to_owned();
    Ok(answer(&request, visit, &application, &user, local(&to), &[]))
}

async fn change(
    request: HttpRequest,
    visit: Visit,
    application: Data<Application>,
    mut backend: Backend,
    throttle: Data<Throttle>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let user = person(&visit.caller.principal)?.clone();
    let to = local(fields.text("to")).to_owned();
    let [current, new, again] = ["current", "password", "again"].map(|name| fields.lines(name));
    if let Some(password) = accepted(&mut fields, &user, &current, &new, &again) {
        check(&request, &application, &throttle, &user, current, &mut fields).await?;
        if fields.broken().is_empty() {
            let id = PasswordId(Uuid::now_v7());
            let password = NewPassword { id, hash: password.hash().await?, one_time: false };
            let command = Command::SetPassword { user: user.name.clone(), password, keep: Some(user.session) };
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
    Ok(answer(&request, visit, &application, &user, &to, fields.broken()))
}

/// The new password, if it is acceptable.
fn accepted(fields: &mut Fields, user: &SignedIn, current: &str, new: &str, again: &str) -> Option<Password> {
    let chosen = match Password::chosen(new, user.name.as_str()) {
        Ok(chosen) => Some(chosen),
        Err(Error::Rejected { reasons, .. }) => {
            for reason in reasons {
                fields.refuse("password", &reason.rule, reason.message);
            }
            None
        }
        Err(_) => None,
    };
    if new == current && !new.is_empty() {
        fields.refuse("password", "password_same", "this is the old password; choose another");
    }
    if new != again {
        fields.refuse("again", "password_differs", "this is not the same as the new password; type both again");
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
        fields.refuse("current", error.name(), error.to_string());
        return Ok(());
    }
    let phc = found.and_then(|found| found.phc);
    let turn = Turn::Known(user.name.clone());
    if Password::typed(current).is_of_in_turn(phc.map(Hash::stored), turn).await? {
        throttle.succeeded(attempt);
    } else {
        fields.refuse("current", "password_wrong", "this is not your current password");
    }
    Ok(())
}

fn answer(
    request: &HttpRequest,
    visit: Visit,
    application: &Application,
    user: &SignedIn,
    to: &str,
    errors: &[ProblemError],
) -> HttpResponse {
    let form = form(user, to, errors);
    if user.one_time {
        let content = html! {
            h1 { "Choose a password" }
            (note(Tone::Info, &html! { p { "Somebody else has seen the password that you signed in with as " strong { (user.name) } ". Choose one that only you know." } }))
            (form)
            form method="post" action=(SIGN_OUT) { button.plain type="submit" { "Sign out" } }
        };
        let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        let page = lone("Choose a password", Some(request), &content);
        return HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page.into_string());
    }
    let content = html! {
        (heading(&[("Settings", "/settings")], &html! { "Change your password" }, &html! {}))
        (form)
    };
    let page = Page::new("Change your password", Section::Settings, content);
    let position = *application.position.borrow();
    if errors.is_empty() { visit.shown(position, page) } else { visit.refused(position, page) }
}

fn form(user: &SignedIn, to: &str, errors: &[ProblemError]) -> Markup {
    let field = |name, label, autocomplete, hint| {
        Field { name, label, hint, required: true, errors, ..Field::default() }.completed("password", autocomplete)
    };
    let hint = format!(
        "At least {} and at most {MOST} characters; some words in a row are easy to remember.",
        crate::auth::password::LEAST
    );
    html! {
        (summary(errors, &["current", "password", "again"]))
        form.form method="post" action=(PASSWORD) {
            input type="hidden" name="to" value=(to);
            // For password managers, which store passwords by user.
            input.visually-hidden type="text" name="user" value=(user.name) autocomplete="username" readonly tabindex="-1" aria-hidden="true";
            (field("current", "Current password", "current-password", ""))
            (field("password", "New password", "new-password", hint.as_str()))
            (field("again", "New password again", "new-password", ""))
            p.quiet { "Your other sessions will be ended." }
            button.primary type="submit" { "Change the password" }
        }
    }
}
