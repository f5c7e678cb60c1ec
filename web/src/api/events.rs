//! Routes for the event log: one page as JSON, or a live stream (`Accept: text/event-stream`). They never return an event that
//! the views do not show yet.

mod stream;

use crate::http::application::Application;
use crate::http::auth::caller::Viewer;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::log::{self, Stored};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::PgExecutor;
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/events").get(index));
}

/// Filters of the events. A filter that is left out matches everything.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Only events after this position. The default is 0, the beginning of the log.
    after: Option<i64>,
    /// Maximum number of events, 1 to 1000; 100 by default. Not allowed for a stream, which has no end.
    limit: Option<u32>,
    /// Only events of this aggregate, such as `deployment/0192f0c0-…` or `site/dc1`, or of this aggregate type,
    /// such as `device`.
    aggregate: Option<String>,
    /// Only events of this type, such as `DeploymentStarted`.
    r#type: Option<String>,
}

/// The filters in the form that the log takes.
#[derive(Clone, Debug, Default)]
struct Wanted {
    aggregate_type: Option<String>,
    aggregate_id: Option<String>,
    event_type: Option<String>,
}

/// An event of the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventAnswer {
    /// The event's number in the log, from 1, without gaps.
    position: i64,
    /// When the event was appended to the log.
    recorded_at: Timestamp,
    /// The type of the event's aggregate, such as `deployment`.
    #[schema(example = "deployment")]
    aggregate_type: String,
    /// The key of the event's aggregate: a UUID or a name.
    aggregate_id: String,
    /// The event's number in the stream of its aggregate, from 1.
    sequence: i64,
    /// The event's type, such as `DeploymentStarted`.
    #[serde(rename = "type")]
    #[schema(example = "DeploymentStarted")]
    event_type: String,
    /// The version of the form of the payload.
    version: String,
    /// The actor, such as `token ops`, `plugin dns`, `server 10.0.0.7` or `command_line`.
    actor: String,
    /// Links the event to everything else that resulted from the same request.
    correlation_id: String,
    /// The position of the event that caused this event, if there is one.
    causation_id: Option<String>,
    /// The event's data, as it is stored.
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
}

impl EventAnswer {
    /// Converts a stored event to the API's form.
    ///
    /// # Errors
    /// Returns an error if the stored payload is not JSON.
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

    /// Reads up to `count` events after position `after`, up to and including position `last`.
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

/// Returns events in the order of the log.
///
/// With `Accept: text/event-stream`, returns a live stream of the same events: each event's `id` is its position, and its
/// `data` is this JSON on one line. It has no `event` field, so that a browser's `onmessage` receives every event. The stream
/// continues after `Last-Event-ID` or `?after=`, and sends a comment every 15 seconds.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventQuery,
        ("Last-Event-ID" = Option<i64>, Header, description = "Streams only: the position of the last event that the client received")),
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
        return Err(Error::rejected("after", Rule::AfterNegative, "positions start at 1; use after=0 for all events"));
    }
    let accepts = |header: &str| request.headers().get(header).and_then(|value| value.to_str().ok());
    if accepts(ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/event-stream")) {
        return stream::answer(&application, backend, &request, wanted, after, query.limit.is_some());
    }
    let limit = limit(query.limit)?;
    let mut snapshot = backend.read().await?;
    let last = snapshot.position;
    let found = wanted.read(snapshot.connection(), after, last, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, |event| event.position.to_string());
    Ok(snapshot.answer(&page))
}
