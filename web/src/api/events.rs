//! Routes for the event log: one page as JSON, or a live stream (`Accept: text/event-stream`). They never return an event that
//! the views do not show yet.

mod stream;

use crate::confidential::Reader;
use crate::event_filter::{self, Entered, Resolved, accounts};
use crate::http::application::Application;
use crate::http::auth::caller::Viewer;
use crate::http::auth::principal::Principal;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use crate::http::request::snapshot::Snapshot;
use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use anyhow::anyhow;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::log::{self, Stored};
use bootledger_projections::database::pool::Connection;
use bootledger_projections::rows::timeline::{self, Filter, Order};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
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
    /// Only events about this object: a type such as `network`, `type/key`, or a name such as a host name, a serial number or
    /// a MAC, which it has or had. If nothing has or had the name, the request is refused, and the message suggests similar names.
    object: Option<String>,
    /// Only events of these types, separated by commas, such as `DeploymentStarted`; case does not matter.
    r#type: Option<String>,
    /// Only events that this actor caused, such as `user ada`, or `ada`. An unknown actor is refused.
    actor: Option<String>,
    /// Only events from this time on: RFC 3339, or a span before now such as `24h` or `7d`.
    from: Option<String>,
    /// Only events up to this time, including the day, minute or second that it names.
    to: Option<String>,
    /// Only events of the request with this correlation id.
    correlation: Option<String>,
    /// Only events about this device and its deployments.
    #[param(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// Only events about this deployment.
    #[param(value_type = Option<String>)]
    deployment: Option<DeploymentId>,
    /// Only events whose sentence on the timeline, or whose data, contains these words. A search reads at most 5000 events; if
    /// `next` is not null, continue with it, even if the page has no items.
    q: Option<String>,
}

/// The filters after they were looked up.
#[derive(Clone, Debug, Default)]
struct Wanted(Resolved);

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
    /// The event's data, as it is stored. Only administrators see the path and the query of a webhook's URL.
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
}

impl EventAnswer {
    /// Converts a stored event to the API's form, as the reader may see it.
    ///
    /// # Errors
    /// Returns an error if the stored payload is not JSON.
    pub fn of(stored: Stored, reader: Reader) -> Result<Self, Error> {
        let metadata = stored.read_metadata();
        let payload = reader.payload(&stored.aggregate_type, stored.payload);
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
            payload: RawValue::from_string(payload).map_err(|error| Error::Internal(error.into()))?,
        })
    }
}

impl Wanted {
    /// Looks up the filters, which find only events that the caller may read.
    async fn of(query: &EventQuery, principal: &Principal, snapshot: &mut Snapshot<'_>, now: Timestamp) -> Result<Self, Error> {
        let entered = Entered {
            actor: query.actor.clone(),
            object: query.object.clone(),
            event_type: query.r#type.clone(),
            from: query.from.clone(),
            to: query.to.clone(),
            correlation: query.correlation.clone(),
            device: query.device,
            deployment: query.deployment,
            text: query.q.clone(),
            reader: Reader::of(principal),
        };
        let position = snapshot.position;
        let mut resolved = match event_filter::resolve(&entered, principal, snapshot.connection(), position, now).await? {
            Ok(resolved) => resolved,
            Err(unknown) => {
                let first = unknown.into_iter().next();
                return Err(first.map_or_else(|| Error::Internal(anyhow!("a filter is refused without a reason")), Error::from));
            }
        };
        // `aggregate` is taken literally: a program may wait for an object that does not exist yet.
        if let Some(aggregate) = &query.aggregate {
            let (kind, key) = aggregate.split_once('/').map_or((aggregate.as_str(), None), |(kind, key)| (kind, Some(key)));
            accounts::require(principal, kind)?;
            if resolved.filter.aggregate_type.as_ref().is_some_and(|other| other != kind) {
                let message = "aggregate: it contradicts object; send one of them";
                return Err(Error::bad_request("aggregate", Rule::ParameterMalformed, message));
            }
            resolved.filter.aggregate_type = Some(kind.to_owned());
            resolved.filter.aggregate_id = key.map(str::to_owned);
        }
        // A stream goes on: only the end of the range limits it, and not what the log has at the moment.
        if query.to.is_none() {
            resolved.filter.before = None;
        }
        Ok(Self(resolved))
    }

    /// Reads up to `count` events after position `after`, up to and including position `last`. Returns where to continue, too,
    /// if there may be more.
    async fn read(
        &self,
        connection: &mut Connection,
        after: i64,
        last: i64,
        count: usize,
    ) -> Result<(Vec<EventAnswer>, Option<i64>), Error> {
        let Resolved { filter, words, reader, .. } = &self.0;
        let filter = Filter {
            after: Some(filter.after.unwrap_or(0).max(after)),
            before: Some(filter.before.unwrap_or(i64::MAX).min(last.saturating_add(1))),
            ..filter.clone()
        };
        let (positions, next) = if words.is_empty() {
            let wanted = i64::try_from(count).unwrap_or(i64::MAX).saturating_add(1);
            let mut positions = timeline::positions(&mut *connection, &filter, wanted).await?;
            let more = positions.len() > count;
            positions.truncate(count);
            let next = positions.last().copied().filter(|_| more);
            (positions, next)
        } else {
            let resolved = Resolved { filter, words: words.clone(), reader: *reader, ..Resolved::default() };
            let found = event_filter::find(&mut *connection, &resolved, Order::OldestFirst, count).await?;
            (found.lines.iter().map(|(line, _)| line.position).collect(), found.next)
        };
        let stored = log::read_at(&mut *connection, &positions).await?;
        Ok((stored.into_iter().map(|stored| EventAnswer::of(stored, *reader)).collect::<Result<_, Error>>()?, next))
    }
}

/// Returns events in the order of the log.
///
/// Events of users, tokens, sessions and the scopes of secrets are only for auditors and administrators. Other callers get the
/// log without them, so the positions that they see have gaps.
///
/// With `Accept: text/event-stream`, returns a live stream of the same events: each event's `id` is its position, and its
/// `data` is this JSON on one line. It has no `event` field, so that a browser's `onmessage` receives every event. The stream
/// continues after `Last-Event-ID` or `?after=`, and sends a comment every 15 seconds.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventQuery,
        ("Last-Event-ID" = Option<i64>, Header, description = "Streams only: the position of the last event that the client received")),
    responses((status = 200, content((Page<EventAnswer> = "application/json"), (String = "text/event-stream")))))]
pub(crate) async fn index(
    Viewer(caller): Viewer,
    Parameters(query): Parameters<EventQuery>,
    application: Data<Application>,
    mut backend: Backend,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let after = query.after.unwrap_or(0);
    if after < 0 {
        return Err(Error::rejected("after", Rule::AfterNegative, "positions start at 1; use after=0 for all events"));
    }
    let accepts = |header: &str| request.headers().get(header).and_then(|value| value.to_str().ok());
    if accepts(ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/event-stream")) {
        let mut snapshot = backend.read_now().await?;
        let wanted = Wanted::of(&query, &caller.principal, &mut snapshot, (application.now)()).await?;
        drop(snapshot);
        return stream::answer(&application, backend, &request, wanted, after, query.limit.is_some());
    }
    let limit = limit(query.limit)?;
    let mut snapshot = backend.read().await?;
    let wanted = Wanted::of(&query, &caller.principal, &mut snapshot, (application.now)()).await?;
    let last = snapshot.position;
    let (items, next) = wanted.read(snapshot.connection(), after, last, limit as usize).await?;
    Ok(snapshot.answer(&Page { items, next: next.map(|position| position.to_string()) }))
}
