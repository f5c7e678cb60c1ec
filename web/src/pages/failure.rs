//! Errors as pages: the same problem that programs get as JSON.

use super::frame::lone;
use super::kit::field;
use crate::error::problem::Problem;
use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

/// Whether the answer is for a browser that shows pages.
pub(crate) fn wants_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // These paths never return a page: the API and machines always get JSON or text, regardless of their Accept header.
    let path = request.path();
    let machine = ["/api/v1", "/pxe", "/grub/", "/dhcp/", "/dns/", "/puppet/", "/boot/loaders"]
        .iter()
        .any(|prefix| path.starts_with(prefix));
    !machine && accept.contains("text/html")
}

/// The answer with the page.
pub(crate) fn answer(problem: &Problem, request: &HttpRequest) -> HttpResponse {
    let page = lone(
        &problem.title,
        Some(request),
        &html! {
            h1 { (problem.title) }
            @if problem.errors.is_empty() { p { (problem.detail) } } @else { (field::summary(&problem.errors, &[])) }
            @if let Some(id) = &problem.correlation_id { p.quiet { "When you ask for help, name " code { (id) } "." } }
            p { a href="/" { "To the dashboard" } }
        },
    );
    let status =
        actix_web::http::StatusCode::from_u16(problem.status).unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page.into_string())
}
