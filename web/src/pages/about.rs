//! The page `/about`: the version, where to find help, and the software that the pages contain.

use super::components::block::{card, facts, heading};
use super::components::copy;
use super::layout::{Page, PageContext, Section};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use actix_web::HttpResponse;
use maud::html;

/// The software that pages contain: name, purpose, licence.
const PARTS: [(&str, &str, &str); 3] = [
    ("Inter", "the font", "SIL Open Font License 1.1"),
    ("htmx", "live updates", "0BSD"),
    ("Bootstrap Icons", "the icons", "MIT"),
];

/// Handles the request for the page.
pub(super) async fn show(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let snapshot = backend.read().await?;
    let version = env!("CARGO_PKG_VERSION");
    let content = html! {
        (heading(&[], &html! { "About Bootledger" }, &html! {}))
        (card("version", "Version", &facts(&[
            ("Version", copy::code(version, "version")),
            ("Events", html! { a href="/timeline" { (snapshot.position) } }),
            ("Licence", html! { "Apache-2.0 or MIT, at your choice" }),
        ])))
        (card("help", "Help", &html! {
            ul {
                li { a href="/help" { "The guide" } " for operators" }
                li { a href="/api/docs" { "Documentation of the API" } ", with every operation and every error" }
                li { a href="/settings" { "State of the workers" } ", if something does not continue" }
                li { a href="/metrics" { "Metrics" } " for Prometheus, and " a href="/readyz" { "readiness" } " for load balancers" }
                li { code { "bootledger --help" } ", which lists all commands" }
            }
        }))
        (card("parts", "Software in these pages", &html! {
            ul { @for (name, purpose, licence) in PARTS { li { (name) ", " (purpose) ": " (licence) } } }
        }))
    };
    page_context.answer(snapshot, Page::new("About", Section::Settings, content)).await
}
