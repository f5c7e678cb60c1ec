//! Routes for webhooks: the receivers that Bootledger delivers events to, and the progress of each delivery.

mod delivery;

use self::delivery::{DeliveryItem, Details};
use crate::api::catalogue::{CatalogueQuery, page_for};
use crate::confidential::Reader;
use crate::http::application::Application;
use crate::http::auth::caller::{Administrator, Caller, Viewer};
use crate::http::error::Error;
use crate::http::request::answer::{Change, Shown};
use crate::http::request::backend::Backend;
use crate::http::request::body::{Json, OptionalJson};
use crate::http::request::page::Page;
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::webhook::WebhookSpec;
use bootledger_port::{CatalogueAction, Command, Kind, Ping, WebhookAction};
use bootledger_projections::progress::webhooks;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Beginning, Entry, Item, Paused, WebhookView};
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

/// A webhook, with the progress of its deliveries.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookAnswer {
    /// The webhook's name, unique among webhooks.
    key: Name,
    /// The number of events of this webhook so far.
    sequence: i64,
    /// Whether the webhook is retired.
    retired: bool,
    /// The description, in the form that `PUT` accepts. Only administrators see the path and the query of the URL.
    spec: WebhookSpec,
    /// The position in the log that deliveries start from.
    begins: Beginning,
    /// When and why deliveries were paused; null while the webhook is not paused.
    paused: Option<Paused>,
    /// The progress of deliveries. Null for past positions, and for a retired webhook.
    delivery: Option<DeliveryItem>,
}

impl WebhookAnswer {
    async fn of(item: Item, application: &Application, snapshot: &mut Snapshot<'_>, caller: &Caller) -> Result<Self, Error> {
        let reader = Reader::of(&caller.principal);
        let details = if reader == Reader::Administrator { Details::Shown } else { Details::Hidden };
        let entry: Entry<WebhookView> = item.read()?;
        let delivery = if entry.retired || snapshot.at != At::Now {
            None
        } else {
            let (shown, now) = (snapshot.position, (application.now)());
            let delivery = webhooks::delivery(snapshot.connection(), &entry.key, &entry.spec, shown, now).await?;
            Some(DeliveryItem::of(delivery, entry.spec.paused.as_ref(), details))
        };
        let Entry { key, sequence, retired, spec: WebhookView { spec, begins, paused } } = entry;
        let spec = WebhookSpec { url: reader.url(spec.url), ..spec };
        Ok(Self { key, sequence, retired, spec, begins, paused, delivery })
    }

    async fn find(key: &Name, application: &Application, snapshot: &mut Snapshot<'_>, caller: &Caller) -> Result<Self, Error> {
        let at = snapshot.at;
        let item = catalogue::find(snapshot.connection(), "webhook", key.as_str(), at).await?;
        let item = item.ok_or_else(|| Error::NotFound(format!("there is no webhook {key}")))?;
        Self::of(item, application, snapshot, caller).await
    }
}

/// The position that a webhook's deliveries continue from.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPosition {
    /// Deliver the events after this position; 0 delivers all events.
    after: i64,
    /// The reason, for people to read. The event contains it.
    reason: Text,
}

/// An event to skip.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// The position of the event, which must be one of the failing ones.
    position: i64,
    /// The reason, for people to read. The event contains it.
    reason: Text,
}

/// The reason for pausing a webhook.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pause {
    /// The reason, for people to read; may be left out.
    reason: Text,
}

/// Lists webhooks by name, each with the progress of its deliveries, including retired ones.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", params(CatalogueQuery),
    responses((status = 200, body = Page<WebhookAnswer>)))]
pub(crate) async fn index(
    caller: Viewer,
    application: Data<Application>,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let page = page_for(Reader::of(&caller.principal), "webhook", &query, &mut snapshot).await?;
    let mut items = vec![];
    for item in page.items {
        items.push(WebhookAnswer::of(item, &application, &mut snapshot, &caller).await?);
    }
    Ok(snapshot.answer(&Page { items, next: page.next }))
}

/// Returns one webhook, with the progress of its deliveries and the events that it fails to deliver.
#[utoipa::path(get, path = "/api/v1/webhooks/{key}", tag = "webhooks", params(("key" = Name, Path, description = "Its name")),
    responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn show(
    caller: Viewer,
    application: Data<Application>,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let answer = WebhookAnswer::find(&key, &application, &mut snapshot, &caller).await?;
    Ok(snapshot.answer(&answer))
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
        Shown::Now(mut snapshot) => {
            let answer = WebhookAnswer::find(key, application, &mut snapshot, caller).await?;
            Ok(change.answer(snapshot, &answer))
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}

/// Creates or changes a webhook. A new or previously retired webhook delivers the events that happen from now on. A changed one
/// continues from its current position.
#[utoipa::path(put, path = "/api/v1/webhooks/{key}", tag = "webhooks", params(("key" = Name, Path, description = "Its name")),
    request_body = WebhookSpec, responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn define(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(spec): Json<WebhookSpec>,
) -> Result<HttpResponse, Error> {
    change(&key, &application, &mut backend, &caller, Command::Webhook(WebhookAction::DefineWebhook(key.clone(), Box::new(spec))))
        .await
}

/// Retires a webhook.
#[utoipa::path(delete, path = "/api/v1/webhooks/{key}", tag = "webhooks", params(("key" = Name, Path, description = "Its name")),
    responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn retire(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
) -> Result<HttpResponse, Error> {
    change(&key, &application, &mut backend, &caller, Command::Catalogue(CatalogueAction::Retire(Kind::Webhook, key.clone())))
        .await
}

/// Pauses deliveries until they are resumed. No event is lost.
#[utoipa::path(post, path = "/api/v1/webhooks/{key}/pause", tag = "webhooks", request_body = Option<Pause>,
    params(("key" = Name, Path, description = "Its name")), responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn pause(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
    OptionalJson(Pause { reason }): OptionalJson<Pause>,
) -> Result<HttpResponse, Error> {
    change(
        &key,
        &application,
        &mut backend,
        &caller,
        Command::Webhook(WebhookAction::PauseWebhook { webhook: key.clone(), reason }),
    )
    .await
}

/// Resumes deliveries from where they stopped. Failed deliveries are retried immediately.
#[utoipa::path(post, path = "/api/v1/webhooks/{key}/resume", tag = "webhooks",
    params(("key" = Name, Path, description = "Its name")), responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn resume(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
) -> Result<HttpResponse, Error> {
    change(&key, &application, &mut backend, &caller, Command::Webhook(WebhookAction::ResumeWebhook(key.clone()))).await
}

/// Delivers every event after a position, including events that were already delivered. With the last position of the log, it
/// skips all events until now.
#[utoipa::path(post, path = "/api/v1/webhooks/{key}/position", tag = "webhooks", request_body = NewPosition,
    params(("key" = Name, Path, description = "Its name")), responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn set_position(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(NewPosition { after, reason }): Json<NewPosition>,
) -> Result<HttpResponse, Error> {
    change(
        &key,
        &application,
        &mut backend,
        &caller,
        Command::Webhook(WebhookAction::SetWebhookPosition { webhook: key.clone(), after, reason }),
    )
    .await
}

/// Skips an event whose delivery fails, so that later events of the same aggregate are delivered.
#[utoipa::path(post, path = "/api/v1/webhooks/{key}/skip", tag = "webhooks", request_body = Skip,
    params(("key" = Name, Path, description = "Its name")), responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn skip(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(Skip { position, reason }): Json<Skip>,
) -> Result<HttpResponse, Error> {
    change(
        &key,
        &application,
        &mut backend,
        &caller,
        Command::Webhook(WebhookAction::SkipWebhookEvent { webhook: key.clone(), position, reason }),
    )
    .await
}

/// Sends the receiver a signed test message, which is not an event, once and immediately, and returns its response. This also
/// works while the webhook is paused.
#[utoipa::path(post, path = "/api/v1/webhooks/{key}/ping", tag = "webhooks",
    params(("key" = Name, Path, description = "Its name")), responses((status = 200, body = Ping)))]
pub(crate) async fn ping(caller: Administrator, mut backend: Backend, Path(key): Path<Name>) -> Result<HttpResponse, Error> {
    if caller.idempotency_key().is_some() {
        let message = "each request sends a ping; remove the idempotency key";
        return Err(Error::rejected("Idempotency-Key", Rule::IdempotencyKeyNotTaken, message));
    }
    let ping = backend.ping_webhook(&key).await?;
    Ok(backend.read_now().await?.answer(&ping))
}
