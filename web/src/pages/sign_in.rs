//! The pages `/sign-in` and `/sign-out`.

use super::form::{Fields, local, see_other};
use crate::http::access::{PASSWORD, SIGN_IN, SIGN_OUT};
use crate::http::application::Application;
use crate::http::auth::guard::with_target;
use crate::http::auth::principal::Principal;
use crate::http::auth::{Throttle, cookie, openid, sign_in, transport};
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::parameters::Parameters;
use crate::pages::application;
use crate::pages::components::field::Field;
use crate::pages::components::icon::icon;
use crate::pages::layout::lone;
use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, SET_COOKIE};
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::session::EndReason;
use bootledger_port::{AccountAction, Command};
use maud::{Markup, html};
use serde::Deserialize;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource(SIGN_IN).get(show).post(create))
        .service(resource(openid::BEGIN).get(leave))
        .service(resource(openid::CALLBACK).get(come_back))
        .service(resource(SIGN_OUT).post(end));
}

/// The page to open after the sign-in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Target {
    to: String,
}

async fn show(request: HttpRequest, application: Data<Application>, Parameters(target): Parameters<Target>) -> HttpResponse {
    answer(&request, StatusCode::OK, &view(label(&application), local(&target.to), "", &[]))
}

async fn create(
    request: HttpRequest,
    application: Data<Application>,
    throttle: Data<Throttle>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let (name, to) = (fields.text("user"), local(fields.text("to")));
    // A password may begin or end with a space.
    let password = fields.lines("password");
    let refused = |status, error: &Error| {
        let broken = [ProblemError::of_kind("password", error)];
        answer(&request, status, &view(label(&application), to, name, &broken))
    };
    match sign_in::with_password(&request, &application, &throttle, name, password).await {
        Ok(started) => {
            let mut response = see_other(&if started.one_time { with_target(PASSWORD, Some(to)) } else { to.to_owned() });
            response.headers_mut().append(SET_COOKIE, started.cookie);
            Ok(response)
        }
        Err(error @ Error::Unauthorized { .. }) => Ok(refused(StatusCode::UNAUTHORIZED, &error)),
        Err(error @ Error::TooMany { retry_after }) => {
            let mut response = refused(StatusCode::TOO_MANY_REQUESTS, &error);
            response.headers_mut().insert(RETRY_AFTER, retry_after.into());
            Ok(response)
        }
        Err(error) => Err(error),
    }
}

/// Redirects to the provider.
async fn leave(
    request: HttpRequest,
    application: Data<Application>,
    Parameters(target): Parameters<Target>,
) -> Result<HttpResponse, Error> {
    match openid::begin(&request, &application, &target.to).await {
        Ok((url, kept)) => {
            let mut response = see_other(&url);
            response.headers_mut().append(SET_COOKIE, kept);
            Ok(response)
        }
        Err(error) => turned_away(&request, &application, error),
    }
}

/// Handles the return from the provider.
async fn come_back(
    request: HttpRequest,
    application: Data<Application>,
    Parameters(returned): Parameters<openid::Returned>,
) -> Result<HttpResponse, Error> {
    match openid::finish(&request, &application, returned).await {
        Ok((to, cookies)) => {
            let mut response = see_other(&to);
            for cookie in cookies {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Err(error) => turned_away(&request, &application, error),
    }
}

/// The form again, with the result of the provider's sign-in.
fn turned_away(request: &HttpRequest, application: &Application, error: Error) -> Result<HttpResponse, Error> {
    let Error::Unauthorized { .. } = &error else { return Err(error) };
    let broken = [ProblemError::of_kind("", &error)];
    Ok(answer(request, StatusCode::UNAUTHORIZED, &view(label(application), "/", "", &broken)))
}

/// The provider's name, if there is a provider.
fn label(application: &Application) -> Option<&str> {
    application.provider.as_ref().map(|provider| provider.label())
}

async fn end(request: HttpRequest, mut backend: Backend, principal: Principal) -> Result<HttpResponse, Error> {
    let application = application::of(&request)?;
    if let Some(user) = principal.user() {
        let command = Command::Account(AccountAction::EndSession { session: user.session, reason: EndReason::SignedOut });
        let receipt = backend.execute(command, sign_in::context(&request, &user.name)).await?;
        backend.reach(receipt.position).await;
    }
    let mut response = see_other(SIGN_IN);
    if let Some(forget) = cookie::forget(transport::is_secure(&request, &application)) {
        response.headers_mut().append(SET_COOKIE, forget);
    }
    Ok(response)
}

fn answer(request: &HttpRequest, status: StatusCode, content: &Markup) -> HttpResponse {
    let page = lone("Sign in", Some(request), content);
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page.into_string())
}

fn view(provider: Option<&str>, to: &str, name: &str, errors: &[ProblemError]) -> Markup {
    let user = Field { name: "user", label: "User name", value: name, required: true, ..Field::default() };
    let password = Field { name: "password", label: "Password", required: true, ..Field::default() };
    html! {
        h1 { "Sign in to Bootledger" }
        @for error in errors {
            div.note.bad role="alert" tabindex="-1" id="refused" { p { (icon("exclamation-triangle-fill")) " " (sentence(&error.message)) } }
        }
        form.form method="post" action=(SIGN_IN) {
            input type="hidden" name="to" value=(to);
            (user.completed("text", "username"))
            (password.completed("password", "current-password"))
            button.primary type="submit" { "Sign in" }
        }
        @if let Some(provider) = provider {
            p { a.button href=(with_target(openid::BEGIN, Some(to))) { "Sign in through " (provider) } }
        }
        p.quiet {
            "If you have no account, or have lost your password, contact an administrator. Administrators create accounts and one-time passwords under Settings, Users, or reset a password on the server with "
            code { "bootledger user passwd NAME" } "."
        }
    }
}

/// The error message as a complete sentence.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).chain(['.']).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use scraper::{Html, Selector};

    #[test]
    fn the_form_keeps_the_name_and_never_the_password() {
        let message = "the user name or the password is wrong".to_owned();
        let refused = Error::Unauthorized { message, challenge: crate::http::error::Challenge::Bearer };
        let errors = [ProblemError::of_kind("password", &refused)];
        let html = view(Some("id.example"), "/devices?q=\"a\"", "<ada>", &errors).into_string();
        let page = Html::parse_fragment(&html);
        let value = |selector: &str| {
            let found = page.select(&Selector::parse(selector).expect("a selector")).next().expect("an element");
            found.attr("value").map(str::to_owned)
        };
        assert_eq!(value("#field-user").as_deref(), Some("<ada>"));
        assert_eq!(value("#field-password").as_deref(), Some(""));
        assert_eq!(value("input[name='to']").as_deref(), Some("/devices?q=\"a\""));
        assert!(html.contains("href=\"/sign-in/openid?to=") && html.contains("id.example"), "{html}");
        assert!(html.contains("role=\"alert\"") && html.contains("autocomplete=\"current-password\""), "{html}");
    }
}
