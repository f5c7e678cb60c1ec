//! The page `/search`: one search for everything that has a name: host names, addresses, MAC addresses, serial numbers.

use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::pages::components::{badge, block};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_projections::rows::deployments::{self, Deployment};
use bootledger_projections::rows::devices::{self, Device};
use maud::{Markup, html};

/// How many results of each kind are shown.
const SHOWN: i64 = 20;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/search").get(index));
}

async fn index(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let q = page_context.parameter("q").trim().to_owned();
    let (mut found, mut started) = (vec![], vec![]);
    let at = snapshot.at;
    if !q.is_empty() {
        let filter = devices::Filter { q: Some(q.clone()), ..devices::Filter::default() };
        found = devices::list(snapshot.connection(), &filter, at, SHOWN).await?;
        let filter = deployments::Filter { q: Some(q.clone()), ..deployments::Filter::default() };
        started = deployments::list(snapshot.connection(), &filter, at, SHOWN).await?;
    }
    page_context.answer(snapshot, Page::new("Search", Section::Dashboard, view(&q, &found, &started))).await
}

fn view(q: &str, found: &[Device], started: &[Deployment]) -> Markup {
    let all = |path: &str| format!("{path}?q={}", form_urlencoded::byte_serialize(q.as_bytes()).collect::<String>());
    html! {
        (block::heading(&[], &html! { "Search" @if !q.is_empty() { ": " (q) } }, &html! {}))
        @if q.is_empty() { (block::empty("Enter any part of a host name, an address, a MAC or a serial number in the search field above.", &html! {})) }
        @else if found.is_empty() && started.is_empty() { (block::empty("No results.", &html! { a.button href="/devices" { "All devices" } })) }
        @if !found.is_empty() {
            (block::card("devices", "Devices", &html! {
                ul { @for device in found { li {
                    a href=(format!("/devices/{}", device.id)) { @if device.name.is_empty() { (device.id) } @else { (device.name) } }
                    " " span.quiet { @if let Some(serial) = &device.serial { "serial " (serial) ", " } (device.hostnames.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
                } } }
                p { a href=(all("/devices")) { "Show all devices that match" } }
            }))
        }
        @if !started.is_empty() {
            (block::card("deployments", "Deployments", &html! {
                ul { @for deployment in started { li {
                    a href=(format!("/deployments/{}", deployment.id)) { (deployment.hostname) } " "
                    (badge::deployment(deployment.status, deployment.overdue)) " " span.quiet { code { (deployment.ip) } }
                } } }
                p { a href=(all("/deployments")) { "Show all deployments that match" } }
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::deployment;

    #[test]
    fn results_are_linked_and_the_query_is_escaped() {
        let html = view("<b>&", &[], &[deployment()]).into_string();
        assert!(
            html.contains("&lt;b&gt;&amp;") && html.contains("/deployments?q=%3Cb%3E%26") && html.contains("h200.dc1.example"),
            "{html}"
        );
        assert!(view("x", &[], &[]).into_string().contains("class=\"empty\""));
    }
}
