//! Route that compares an object at two moments: every field with its value then and later.

use crate::confidential::Reader;
use crate::event_filter::accounts;
use crate::http::application::Application;
use crate::http::auth::caller::{Caller, Viewer};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::parameters::Parameters;
use crate::http::request::snapshot::Snapshot;
use crate::wording::fields::compared;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::event::KINDS;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::shortened;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::log;
use bootledger_projections::rows::timeline;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/compare").get(show));
}

/// The object and the two moments.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct CompareQuery {
    /// The object, which is required: its type and key, such as `network/prod`. The type is that of the object's events.
    object: Option<String>,
    /// The first moment: a position, or an RFC 3339 time. By default, the moment before the object's last change.
    from: Option<String>,
    /// The second moment; the present by default.
    to: Option<String>,
    /// Whether to include fields that did not change; false by default.
    all: Option<bool>,
}

/// An object at two moments.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Comparison {
    /// The type of the object.
    pub(crate) kind: String,
    /// The key of the object.
    pub(crate) key: String,
    /// The first moment.
    pub(crate) from: ComparedMoment,
    /// The second moment.
    pub(crate) to: ComparedMoment,
    /// The fields, by path.
    pub(crate) fields: Vec<ComparedField>,
}

/// A moment of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ComparedMoment {
    /// The position of the last event that the state includes.
    pub(crate) position: i64,
    /// When that event was recorded; null before the first event.
    pub(crate) recorded_at: Option<Timestamp>,
    /// Whether the object existed.
    pub(crate) exists: bool,
    /// Whether the object was retired or decommissioned.
    pub(crate) retired: bool,
}

/// A field at both moments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ComparedField {
    /// The path of the field. It may change between versions.
    pub(crate) field: String,
    /// The label of the field. It may change between versions.
    pub(crate) label: String,
    /// The value at the first moment; null for none.
    pub(crate) from: Option<String>,
    /// The value at the second moment; null for none.
    pub(crate) to: Option<String>,
    /// Whether the values differ.
    pub(crate) changed: bool,
}

/// The type and key of an object; `None` if it has no such form or there is no such type.
pub(crate) fn object_of(text: &str) -> Option<(&str, &str)> {
    let (kind, key) = text.split_once('/')?;
    (KINDS.iter().any(|(known, _)| *known == kind) && !key.is_empty()).then_some((kind, key))
}

/// The position before the last change of an object up to a position; 0 if there is no such change.
pub(crate) async fn before_last_change(snapshot: &mut Snapshot<'_>, object: &str, position: i64) -> Result<i64, Error> {
    let Some((kind, key)) = object_of(object) else { return Ok(0) };
    let (last, _) = timeline::around(snapshot.connection(), kind, key, position + 1, position).await?;
    Ok(last.map_or(0, |last| last - 1))
}

/// Compares an object at two positions.
pub(crate) async fn compare(
    snapshot: &mut Snapshot<'_>,
    caller: &Caller,
    object: &str,
    (from, to): (i64, i64),
) -> Result<Comparison, Error> {
    let missing =
        || Error::NotFound(shortened(format!("there is no object {object:?}; write its type and key, such as network/prod")));
    let (kind, key) = object_of(object).ok_or_else(missing)?;
    accounts::require(&caller.principal, kind)?;
    let reader = Reader::of(&caller.principal);
    let (from, before) = moment(snapshot, kind, key, from).await?;
    let (to, after) = moment(snapshot, kind, key, to).await?;
    let (before, after) = (reader.state(kind, before), reader.state(kind, after));
    let fields = compared(kind, &before, &after).into_iter().map(|field| ComparedField {
        changed: field.is_change(),
        field: field.path,
        label: field.label,
        from: field.before,
        to: field.after,
    });
    Ok(Comparison { kind: kind.to_owned(), key: key.to_owned(), from, to, fields: fields.collect() })
}

async fn moment(snapshot: &mut Snapshot<'_>, kind: &str, key: &str, position: i64) -> Result<(ComparedMoment, Value), Error> {
    let recorded_at = log::recorded_at(snapshot.connection(), position).await?;
    let found = timeline::state(snapshot.connection(), kind, key, position).await?;
    let (exists, retired) = (found.is_some(), found.as_ref().is_some_and(|(_, retired)| *retired));
    let state = found.map_or(Value::Null, |(state, _)| state);
    Ok((ComparedMoment { position, recorded_at, exists, retired }, state))
}

/// Compares an object at two moments: the values of its fields at both, without secrets. Only auditors and administrators compare
/// users, tokens, sessions and scopes of secrets, and only administrators see the path and the query of a webhook's URL.
#[utoipa::path(get, path = "/api/v1/compare", tag = "events", params(CompareQuery), responses((status = 200, body = Comparison)))]
pub(crate) async fn show(
    Viewer(caller): Viewer,
    application: Data<Application>,
    Parameters(query): Parameters<CompareQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let now = (application.now)();
    let missing = || Error::bad_request("object", Rule::ParameterMalformed, "object: it is missing");
    let object = query.object.ok_or_else(missing)?;
    let mut snapshot = backend.read().await?;
    let to = match &query.to {
        Some(to) => snapshot.resolve("to", to, now).await?,
        None => snapshot.position,
    };
    let from = match &query.from {
        Some(from) => snapshot.resolve("from", from, now).await?,
        None => before_last_change(&mut snapshot, &object, to).await?,
    };
    let mut found = compare(&mut snapshot, &caller, &object, (from, to)).await?;
    if !found.from.exists && !found.to.exists {
        return Err(Error::NotFound(shortened(format!("{object:?} did not exist at these moments"))));
    }
    if !query.all.unwrap_or(false) {
        found.fields.retain(|field| field.changed);
    }
    Ok(snapshot.answer(&found))
}
