//! Errors as pages: the same problem that programs get as JSON. Visitors who are signed in see them with the menu.

use crate::english::complete_sentence;
use crate::http::error::problem::Problem;
use crate::http::request::parameters::AT;
use crate::pages::components::{copy, field};
use crate::pages::layout::{PageContext, carried, lone, moment_of_failure};
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

/// The answer with the page.
pub(crate) fn answer(problem: &Problem, request: &HttpRequest) -> HttpResponse {
    // A moment that was refused is not carried on.
    let refused = problem.errors.iter().any(|error| error.field == AT);
    let moment = moment_of_failure(request).filter(|_| !refused);
    let content = html! {
        h1 tabindex="-1" { (problem.title) }
        @if problem.errors.is_empty() { p { (complete_sentence(&problem.detail)) } } @else { (field::problems(&problem.errors)) }
        @if let Some(id) = &problem.correlation_id { p.quiet { "If you contact support, quote " (copy::code(id, "correlation ID")) "." } }
        p { a href="/" { "Back to the dashboard" } }
        @if refused || moment.is_some() { p { a href=(in_the_present(request)) data-now="" { "Show this page in the present" } } }
    };
    let status =
        actix_web::http::StatusCode::from_u16(problem.status).unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR);
    // Someone who is signed in keeps the menu, and can go on from here.
    let with_menu = PageContext::failure(request, &problem.title, content.clone(), moment.as_deref());
    let page = with_menu.unwrap_or_else(|| lone(&problem.title, Some(request), &content)).into_string();
    let page = match moment {
        Some(at) => carried(&page, &at),
        None => page,
    };
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page)
}

/// The path and query of a request without the moment that it names.
fn in_the_present(request: &HttpRequest) -> String {
    let kept = form_urlencoded::parse(request.query_string().as_bytes()).filter(|(name, _)| name != AT);
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
    // A path with two slashes at its beginning would lead to another host.
    let path = format!("/{}", request.path().trim_start_matches('/'));
    if query.is_empty() { path } else { format!("{path}?{query}") }
}
