//! Dashboard.
use super::frame::{Page, Section, Visit};
use crate::error::Error;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use maud::html;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/").get(index));
}

async fn index(visit: Visit, reading: Reading) -> Result<HttpResponse, Error> {
    visit.answer(reading, Page::new("Dashboard", Section::Dashboard, html! { h1 { "Dashboard" } })).await
}
