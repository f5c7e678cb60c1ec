//! Errors as pages: the same problem that programs get as JSON.

use crate::english::complete_sentence;
use crate::http::error::problem::Problem;
use crate::pages::components::field;
use crate::pages::layout::lone;
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

/// The answer with the page.
pub(crate) fn answer(problem: &Problem, request: &HttpRequest) -> HttpResponse {
    let page = lone(
        &problem.title,
        Some(request),
        &html! {
            h1 { (problem.title) }
            @if problem.errors.is_empty() { p { (complete_sentence(&problem.detail)) } } @else { (field::problems(&problem.errors)) }
            @if let Some(id) = &problem.correlation_id { p.quiet { "If you contact support, quote " code { (id) } "." } }
            p { a href="/" { "Back to the dashboard" } }
        },
    );
    let status =
        actix_web::http::StatusCode::from_u16(problem.status).unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page.into_string())
}
