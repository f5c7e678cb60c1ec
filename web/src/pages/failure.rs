//! Errors as pages: the same problem that programs get as JSON. Visitors who are signed in see them with the menu.

use crate::english::complete_sentence;
use crate::http::error::problem::Problem;
use crate::pages::components::{copy, field};
use crate::pages::layout::{PageContext, lone};
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

/// The answer with the page.
pub(crate) fn answer(problem: &Problem, request: &HttpRequest) -> HttpResponse {
    let content = html! {
        h1 tabindex="-1" { (problem.title) }
        @if problem.errors.is_empty() { p { (complete_sentence(&problem.detail)) } } @else { (field::problems(&problem.errors)) }
        @if let Some(id) = &problem.correlation_id { p.quiet { "If you contact support, quote " (copy::code(id, "correlation ID")) "." } }
        p { a href="/" { "Back to the dashboard" } }
    };
    let status =
        actix_web::http::StatusCode::from_u16(problem.status).unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR);
    // Someone who is signed in keeps the menu, and can go on from here.
    if let Some(answer) = PageContext::failure(request, status, &problem.title, content.clone()) {
        return answer;
    }
    let page = lone(&problem.title, Some(request), &content);
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page.into_string())
}
