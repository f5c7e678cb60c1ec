//! The pages `/settings/webhooks`: the receivers that events are delivered to, how far each is, and what fails.

mod actions;
mod form;
mod shown;
mod view;

use super::tabs::tabs_of;
use crate::http::auth::caller::Administrator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::catalogue::list::{ListQuery, items, json, pager};
use crate::pages::components::action::{Look, link};
use crate::pages::components::block::heading;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::search;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use maud::html;
use shown::{PATH, Shown};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/settings/webhooks").get(index).post(form::create))
        .service(resource("/settings/webhooks/new").get(form::new))
        .service(resource("/settings/webhooks/{key}").get(show))
        .service(resource("/settings/webhooks/{key}/edit").get(form::edit).post(form::change))
        .service(resource("/settings/webhooks/{key}/pause").get(actions::confirm_pause).post(actions::pause))
        .service(resource("/settings/webhooks/{key}/resume").post(actions::resume))
        .service(resource("/settings/webhooks/{key}/skip").get(actions::confirm_skip).post(actions::skip))
        .service(resource("/settings/webhooks/{key}/ping").post(actions::ping))
        .service(resource("/settings/webhooks/{key}/retire").get(actions::confirm_retire).post(actions::retire));
}

async fn index(_: Administrator, page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: ListQuery = page_context.query()?;
    let found = items(&mut snapshot, "webhook", &query).await?;
    let (mut rows, moment) = (vec![], snapshot.moment());
    for item in found.items {
        rows.push(Shown::of(item, &mut snapshot, moment).await?);
    }
    let allowed = page_context.may_change(&snapshot, Role::Administrator);
    let content = html! {
        (heading(&[], &html! { "Webhooks" }, &link("new-webhook", "/settings/webhooks/new", Look::Primary, "plus-lg", "Create webhook", &allowed)))
        (tabs_of(PATH))
        (search(&page_context, PATH, "Name or description"))
        (view::table(&rows, moment, !page_context.parameter("q").is_empty()))
        (pager(&page_context, rows.len(), found.next.as_deref()))
    };
    let json = Some(json(&page_context, "/api/v1/webhooks"));
    let page = Page { json, ..Page::new("Webhooks", Section::Settings, content) };
    page_context.answer(snapshot, page).await
}

async fn show(
    _: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let moment = snapshot.moment();
    let shown = Shown::find(&key, &mut snapshot, moment).await?;
    let allowed = page_context.may_change(&snapshot, Role::Administrator);
    let content = view::whole(&shown, moment, &allowed, &html! {});
    let title = format!("Webhook {key}");
    let page = Page { json: Some(format!("/api/v1/webhooks/{key}")), ..Page::new(&title, Section::Settings, content) };
    page_context.about("webhook", &key).answer(snapshot, page).await
}
