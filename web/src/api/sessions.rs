//! Sessions of signed-in people: one's own, and, for administrators, all.

use crate::auth::caller::Viewer;
use crate::auth::level::Level;
use crate::auth::principal::Principal;
use crate::commands::{Command, Context, Receipt};
use crate::error::Error;
use crate::request::answer::Change;
use crate::request::backend::Backend;
use crate::request::page::{Page, limit};
use crate::request::parameters::Parameters;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::session::EndReason;
use bootledger_aggregates::values::ids::SessionId;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_projections::accounts::{self, Listed, SessionView};
use bootledger_projections::at::At;
use bootledger_projections::catalogue;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/sessions").get(index)).service(resource("/api/v1/sessions/{id}").delete(end));
}

/// Which sessions.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// Those of this user; others than your own only for administrators.
    #[param(value_type = Option<String>)]
    user: Option<UserName>,
    /// Also those that have ended.
    all: Option<bool>,
    /// How many, 1 to 1000; 100 where it is left out.
    limit: Option<u32>,
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<SessionId>,
}

/// A session, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionAnswer {
    /// Which.
    id: SessionId,
    #[serde(flatten)]
    view: SessionView,
    /// When it was used last, to the minute; null where it has ended.
    last_seen: Option<Timestamp>,
    /// When it ends, however much it is used; null where it has ended.
    expires: Option<Timestamp>,
}

impl From<Listed> for SessionAnswer {
    fn from(Listed { id, view, times }: Listed) -> Self {
        Self { id, view, last_seen: times.map(|(seen, _)| seen), expires: times.map(|(_, ends)| ends) }
    }
}

/// The live sessions, the newest first: your own, or, for administrators, everybody's.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(SessionQuery),
    responses((status = 200, body = Page<SessionAnswer>)))]
pub(crate) async fn index(
    viewer: Viewer,
    Parameters(query): Parameters<SessionQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let (limit, at) = (limit(query.limit)?, reading.at);
    let own = viewer.principal.user().map(|user| user.name.clone());
    let of = match (query.user, viewer.principal.may(Level::Administrator)) {
        (named, true) => named,
        (Some(named), false) if Some(&named) != own.as_ref() => {
            viewer.principal.require(Level::Administrator)?;
            Some(named)
        }
        // A token has no sessions.
        (_, false) if own.is_none() => return Ok(reading.answer(&Page::<SessionAnswer> { items: vec![], next: None })),
        (_, false) => own,
    };
    let live = !query.all.unwrap_or(false);
    let found = accounts::sessions(reading.connection(), of.as_ref(), live, at, query.after, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, |session| session.id.to_string()).map(SessionAnswer::from);
    Ok(reading.answer(&page))
}

/// Ends a session at once: one of your own, or, for administrators, anybody's.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = SessionId, Path, description = "The session")),
    responses((status = 200, body = SessionAnswer)))]
pub(crate) async fn end(caller: Viewer, mut backend: Backend, Path(id): Path<SessionId>) -> Result<HttpResponse, Error> {
    require_own(&mut backend, &caller.principal, id).await?;
    let change = Change::of(end_session(&mut backend, id, caller.context()).await?);
    match change.shown(&mut backend).await {
        Ok(mut reading) => {
            let found = find(&mut reading, id).await?;
            let body = SessionAnswer::from(Listed { id, view: found, times: None });
            Ok(change.answer(reading, &body))
        }
        Err(accepted) => Ok(accepted),
    }
}

async fn find(reading: &mut Reading<'_>, id: SessionId) -> Result<SessionView, Error> {
    let item = catalogue::find(reading.connection(), "session", &id.to_string(), At::Now).await?;
    let item = item.ok_or_else(|| Error::NotFound(format!("there is no session {id}")))?;
    Ok(serde_json::from_value(item.spec).map_err(bootledger_projections::Error::from)?)
}

/// Refuses whoever may not end a session: it is one of the caller's own, or the caller is an administrator. A handler calls
/// this before it reads a body.
pub(crate) async fn require_own(backend: &mut Backend, principal: &Principal, id: SessionId) -> Result<(), Error> {
    if principal.may(Level::Administrator) {
        return Ok(());
    }
    let found = find(&mut backend.read_now().await?, id).await.ok();
    let own = found.zip(principal.user()).is_some_and(|(session, user)| session.session.user == user.name);
    // Whose it is, or whether there is one, is nobody else's business.
    if own { Ok(()) } else { principal.require(Level::Administrator) }
}

/// Ends a session; [`require_own`] comes before it.
pub(crate) async fn end_session(backend: &mut Backend, id: SessionId, context: Context) -> Result<Receipt, Error> {
    Ok(backend.execute(Command::EndSession { session: id, reason: EndReason::Revoked }, context).await?)
}
