//! Webhooks: receivers that are told what happens, and how far each of them is.

use crate::api::catalogue::CatalogueQuery;
use crate::application::Application;
use crate::auth::caller::{Administrator, Caller, Viewer};
use crate::auth::level::Level;
use crate::commands::{Command, Kind, Ping};
use crate::error::Error;
use crate::request::answer::Change;
use crate::request::backend::Backend;
use crate::request::body::{Json, OptionalJson};
use crate::request::page::{Page, limit};
use crate::request::parameters::Parameters;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::webhook::WebhookSpec;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, Beginning, Entry, Item, Paused, WebhookView};
use bootledger_projections::webhooks::{self, Delivery, Details};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/webhooks").get(index))
        .service(resource("/api/v1/webhooks/{key}").get(show).put(define).delete(retire))
        .service(resource("/api/v1/webhooks/{key}/pause").post(pause))
        .service(resource("/api/v1/webhooks/{key}/resume").post(resume))
        .service(resource("/api/v1/webhooks/{key}/position").post(set_position))
        .service(resource("/api/v1/webhooks/{key}/skip").post(skip))
        .service(resource("/api/v1/webhooks/{key}/ping").post(ping));
}

/// A webhook.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookAnswer {
    /// Its key among those of its kind.
    key: Name,
    /// How many events it has had.
    sequence: i64,
    /// Whether it is out of use.
    retired: bool,
    /// Its description, as `PUT` takes it.
    spec: WebhookSpec,
    /// Where it begins.
    begins: Beginning,
    /// Since when it is told nothing; null where it is.
    paused: Option<Paused>,
    /// How far it is; only of now, and only while it is in use.
    delivery: Option<Delivery>,
}

impl WebhookAnswer {
    async fn of(item: Item, application: &Application, reading: &mut Reading<'_>, caller: &Caller) -> Result<Self, Error> {
        let details = if caller.principal.may(Level::Administrator) { Details::Shown } else { Details::Hidden };
        let entry: Entry<WebhookView> = item.read()?;
        let delivery = if entry.retired || reading.at != At::Now {
            None
        } else {
            let (shown, now) = (reading.position, (application.now)());
            Some(webhooks::delivery(reading.connection(), &entry.key, &entry.spec, shown, now, details).await?)
        };
        let Entry { key, sequence, retired, spec: WebhookView { spec, begins, paused } } = entry;
        Ok(Self { key, sequence, retired, spec, begins, paused, delivery })
    }

    async fn find(key: &Name, application: &Application, reading: &mut Reading<'_>, caller: &Caller) -> Result<Self, Error> {
        let at = reading.at;
        let item = catalogue::find(reading.connection(), "webhook", key.as_str(), at).await?;
        let item = item.ok_or_else(|| Error::NotFound(format!("there is no webhook {key}")))?;
        Self::of(item, application, reading, caller).await
    }
}

/// Where a webhook shall begin.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPosition {
    /// Behind this position; 0 is everything.
    after: i64,
    /// Why.
    reason: Text,
}

/// An event that a webhook shall not be told of.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// Its position: one that is among the failing ones.
    position: i64,
    /// Why.
    reason: Text,
}

/// Why a webhook is paused.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pause {
    /// For people; may be left out.
    reason: Text,
}

/// The webhooks by name, each with how far it is; retired ones are among them.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", params(CatalogueQuery),
    responses((status = 200, body = Page<WebhookAnswer>)))]
pub(crate) async fn index(
    caller: Viewer,
    application: Data<Application>,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let limit = limit(query.limit)?;
    let (at, after, q) = (reading.at, query.after.as_deref(), query.q.as_deref());
    let found = catalogue::list(reading.connection(), "webhook", at, after, i64::from(limit) + 1, q).await?;
    let page = Page::of(found, limit, |item| item.key.clone());
    let mut items = vec![];
    for item in page.items {
        items.push(WebhookAnswer::of(item, &application, &mut reading, &caller).await?);
    }
    Ok(reading.answer(&Page { items, next: page.next }))
}

/// One webhook, with how far it is and what it fails to take.
#[utoipa::path(get, path = "/api/v1/webhooks/{key}", tag = "webhooks", params(("key" = Name, Path, description = "Its name")),
    responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn show(
    caller: Viewer,
    application: Data<Application>,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let answer = WebhookAnswer::find(&key, &application, &mut reading, &caller).await?;
    Ok(reading.answer(&answer))
}

async fn change(
    key: &Name,
    application: &Application,
    backend: &mut Backend,
    caller: &Caller,
    command: Command,
) -> Result<HttpResponse, Error> {
    let change = Change::make(backend, caller, command).await?;
    match change.shown(backend).await {
        Ok(mut reading) => {
            let answer = WebhookAnswer::find(key, application, &mut reading, caller).await?;
            Ok(change.answer(reading, &answer))
        }
        Err(accepted) => Ok(accepted),
    }
}

/// Creates or changes a webhook. A new one, or one that was retired, begins with what happens from now on; a changed one goes
/// on from where it is.
#[utoipa::path(put, path = "/api/v1/webhooks/{key}", tag = "webhooks", params(("key" = Name, Path, description = "Its name")),
    request_body = WebhookSpec, responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn define(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(spec): Json<WebhookSpec>,
) -> Result<HttpResponse, Error> {
    change(&key, &application, &mut backend, &caller, Command::DefineWebhook(key.clone(), Box::new(spec))).await
}

/// Takes a webhook out of use.
#[utoipa::path(delete, path = "/api/v1/webhooks/{key}", tag = "webhooks", params(("key" = Name, Path, description = "Its name")),
    responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn retire(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
) -> Result<HttpResponse, Error> {
    change(&key, &application, &mut backend, &caller, Command::Retire(Kind::Webhook, key.clone())).await
}

/// Has it told nothing until it is resumed; nothing is lost.
#[utoipa::path(post, path = "/api/v1/webhooks/{key}/pause", tag = "webhooks", request_body = Option<Pause>,
    params(("key" = Name, Path, description = "Its name")), responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn pause(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
    OptionalJson(Pause { reason }): OptionalJson<Pause>,
) -> Result<HttpResponse, Error> {
    change(&key, &application, &mut backend, &caller, Command::PauseWebhook { webhook: key.clone(), reason }).await
}

/// Has it told again, from where it was; what it failed to take is tried at once.
#[utoipa::path(post, path = "/api/v1/webhooks/{key}/resume", tag = "webhooks",
    params(("key" = Name, Path, description = "Its name")), responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn resume(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
) -> Result<HttpResponse, Error> {
    change(&key, &application, &mut backend, &caller, Command::ResumeWebhook(key.clone())).await
}

/// Has it told everything behind a position, also what it was told before; or, with the last position, nothing of before.
#[utoipa::path(post, path = "/api/v1/webhooks/{key}/position", tag = "webhooks", request_body = NewPosition,
    params(("key" = Name, Path, description = "Its name")), responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn set_position(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(NewPosition { after, reason }): Json<NewPosition>,
) -> Result<HttpResponse, Error> {
    change(&key, &application, &mut backend, &caller, Command::SetWebhookPosition { webhook: key.clone(), after, reason }).await
}

/// Gives up an event that it fails to take, so that the later ones of the same aggregate go on.
#[utoipa::path(post, path = "/api/v1/webhooks/{key}/skip", tag = "webhooks", request_body = Skip,
    params(("key" = Name, Path, description = "Its name")), responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn skip(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(Skip { position, reason }): Json<Skip>,
) -> Result<HttpResponse, Error> {
    change(&key, &application, &mut backend, &caller, Command::SkipWebhookEvent { webhook: key.clone(), position, reason }).await
}

/// Sends the receiver a signed message that is no event, now and once, and tells what it answers. It may be paused.
#[utoipa::path(post, path = "/api/v1/webhooks/{key}/ping", tag = "webhooks",
    params(("key" = Name, Path, description = "Its name")), responses((status = 200, body = Ping)))]
pub(crate) async fn ping(caller: Administrator, mut backend: Backend, Path(key): Path<Name>) -> Result<HttpResponse, Error> {
    if caller.idempotency_key().is_some() {
        let message = "a ping is sent each time that it is asked for; leave the key out";
        return Err(Error::rejected("Idempotency-Key", "idempotency_key_not_taken", message));
    }
    let ping = backend.ping_webhook(&key).await?;
    Ok(backend.read_now().await?.answer(&ping))
}
