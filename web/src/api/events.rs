//! The event log, as one page of JSON or as a live stream (`Accept: text/event-stream`).
//! It never tells of an event that the views do not show yet.

mod stream;

use crate::application::Application;
use crate::auth::caller::Viewer;
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::page::{Page, limit};
use crate::request::parameters::Parameters;
use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::log::{self, Stored};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::PgExecutor;
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/events").get(index));
}

/// Which events; what is left out does not matter.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Only events behind this position; 0, the beginning, by default.
    after: Option<i64>,
    /// At most this many, 1 to 1000; 100 by default. A stream has no end and takes none.
    limit: Option<u32>,
    /// Of this aggregate, such as `deployment/0192f0c0-…` or `site/dc1`, or of this type, such as `device`.
    aggregate: Option<String>,
    /// Of this type, such as `DeploymentStarted`.
    r#type: Option<String>,
}

/// Which events, in the words of the log.
#[derive(Clone, Debug, Default)]
struct Wanted {
    aggregate_type: Option<String>,
    aggregate_id: Option<String>,
    event_type: Option<String>,
}

/// An event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventAnswer {
    /// Its place in the log, from 1, without gaps.
    position: i64,
    /// When it was appended.
    recorded_at: Timestamp,
    /// The type of its aggregate.
    #[schema(example = "deployment")]
    aggregate_type: String,
    /// The key of its aggregate.
    aggregate_id: String,
    /// Its place in its aggregate's stream, from 1.
    sequence: i64,
    /// Its type.
    #[serde(rename = "type")]
    #[schema(example = "DeploymentStarted")]
    event_type: String,
    /// The version of its form.
    version: String,
    /// Who acted, such as `token ops`, `plugin dns`, `server 10.0.0.7`.
    actor: String,
    /// What ties it to everything else that its request led to.
    correlation_id: String,
    /// The position of the event that led to it.
    causation_id: Option<String>,
    /// What happened, as it is stored.
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
}

impl EventAnswer {
    /// The event as it is stored.
    ///
    /// # Errors
    /// Where its payload is no JSON.
    pub fn of(stored: Stored) -> Result<Self, Error> {
        let metadata = stored.read_metadata();
        Ok(Self {
            position: stored.position,
            recorded_at: Timestamp(stored.recorded_at),
            aggregate_type: stored.aggregate_type,
            aggregate_id: stored.aggregate_id,
            sequence: stored.sequence,
            event_type: stored.event_type,
            version: stored.event_version,
            actor: metadata.actor,
            correlation_id: metadata.correlation_id,
            causation_id: metadata.causation_id,
            payload: RawValue::from_string(stored.payload).map_err(|error| Error::Internal(error.into()))?,
        })
    }
}

impl Wanted {
    fn of(query: &EventQuery) -> Self {
        let (aggregate_type, aggregate_id) = match query.aggregate.as_deref().map(|text| text.split_once('/')) {
            Some(Some((kind, id))) => (Some(kind.to_owned()), Some(id.to_owned())),
            Some(None) => (query.aggregate.clone(), None),
            None => (None, None),
        };
        Self { aggregate_type, aggregate_id, event_type: query.r#type.clone() }
    }

    /// Up to `count` events behind `after` and not behind `last`.
    async fn read(&self, executor: impl PgExecutor<'_>, after: i64, last: i64, count: i64) -> Result<Vec<EventAnswer>, Error> {
        let filter = log::Filter {
            aggregate_type: self.aggregate_type.as_deref(),
            aggregate_id: self.aggregate_id.as_deref(),
            event_type: self.event_type.as_deref(),
        };
        let found = log::read_after(executor, after, count, filter).await?;
        found.into_iter().take_while(|stored| stored.position <= last).map(EventAnswer::of).collect()
    }
}

/// The events in the order of the log.
///
/// With `Accept: text/event-stream` the same, live: each event's `id` is its position, its `data` this JSON on one line; it has
/// no `event` field, so that a browser's `onmessage` gets them all. It goes on behind `Last-Event-ID` or `?after=`, and sends a comment every 15 seconds.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventQuery,
        ("Last-Event-ID" = Option<i64>, Header, description = "Only for a stream: the last position that was seen")),
    responses((status = 200, content((Page<EventAnswer> = "application/json"), (String = "text/event-stream")))))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<EventQuery>,
    application: Data<Application>,
    mut backend: Backend,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let wanted = Wanted::of(&query);
    let after = query.after.unwrap_or(0);
    if after < 0 {
        return Err(Error::rejected("after", "after_negative", "positions begin at 1; after=0 is everything"));
    }
    let accepts = |header: &str| request.headers().get(header).and_then(|value| value.to_str().ok());
    if accepts(ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/event-stream")) {
        return stream::answer(&application, backend, &request, wanted, after, query.limit.is_some());
    }
    let limit = limit(query.limit)?;
    let mut reading = backend.read().await?;
    let last = reading.position;
    let found = wanted.read(reading.connection(), after, last, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, |event| event.position.to_string());
    Ok(reading.answer(&page))
}
