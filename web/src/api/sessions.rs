//! Routes for the sessions of signed-in users: the caller's own or, for administrators, everyone's.

use crate::http::auth::caller::Viewer;
use crate::http::auth::principal::Principal;
use crate::http::error::Error;
use crate::http::request::answer::{Change, Shown};
use crate::http::request::backend::Backend;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::session::EndReason;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::SessionId;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_port::{AccountAction, Command, Context, Receipt};
use bootledger_projections::rows::accounts::{self, Listed, SessionView};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/sessions").get(index)).service(resource("/api/v1/sessions/{id}").delete(end));
}

/// Filters of the list, and the part of it to return.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// Only sessions of this user. Only auditors and administrators may name another user.
    #[param(value_type = Option<String>)]
    user: Option<UserName>,
    /// Whether to include sessions that have ended.
    all: Option<bool>,
    /// Maximum number of sessions, 1 to 1000; 100 by default.
    limit: Option<u32>,
    /// Only sessions after this one: the `next` of the previous page.
    #[param(value_type = Option<String>)]
    after: Option<SessionId>,
}

/// A session, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionAnswer {
    /// The ID of the session.
    id: SessionId,
    #[serde(flatten)]
    view: SessionView,
    /// When the session was last used, to the minute; null if the session has ended, and for past positions.
    last_seen: Option<Timestamp>,
    /// When the session expires, even if it is in use; null if the session has ended, and for past positions.
    expires: Option<Timestamp>,
}

impl From<Listed> for SessionAnswer {
    fn from(Listed { id, view, times }: Listed) -> Self {
        Self { id, view, last_seen: times.map(|(seen, _)| seen), expires: times.map(|(_, ends)| ends) }
    }
}

/// Lists live sessions, newest first: your own or, for auditors and administrators, everyone's.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(SessionQuery),
    responses((status = 200, body = Page<SessionAnswer>)))]
pub(crate) async fn index(
    viewer: Viewer,
    Parameters(query): Parameters<SessionQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let (limit, at) = (limit(query.limit)?, snapshot.at);
    let own = viewer.principal.user().map(|user| user.name.clone());
    let of = match (query.user, viewer.principal.may(Role::Auditor)) {
        (named, true) => named,
        (Some(named), false) if Some(&named) != own.as_ref() => {
            viewer.principal.require(Role::Auditor)?;
            Some(named)
        }
        // A token has no sessions.
        (_, false) if own.is_none() => return Ok(snapshot.answer(&Page::<SessionAnswer> { items: vec![], next: None })),
        (_, false) => own,
    };
    let live = !query.all.unwrap_or(false);
    let found = accounts::sessions(snapshot.connection(), of.as_ref(), live, at, query.after, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, |session| session.id.to_string()).map(SessionAnswer::from);
    Ok(snapshot.answer(&page))
}

/// Ends a session immediately: one of your own or, for administrators, anyone's.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = SessionId, Path, description = "The session")),
    responses((status = 200, body = SessionAnswer)))]
pub(crate) async fn end(caller: Viewer, mut backend: Backend, Path(id): Path<SessionId>) -> Result<HttpResponse, Error> {
    require_own(&mut backend, &caller.principal, id).await?;
    let change = Change::of(end_session(&mut backend, id, caller.context()).await?);
    match change.shown(&mut backend).await {
        Shown::Now(mut snapshot) => {
            let found = find(&mut snapshot, id).await?;
            let body = SessionAnswer::from(Listed { id, view: found, times: None });
            Ok(change.answer(snapshot, &body))
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}

async fn find(snapshot: &mut Snapshot<'_>, id: SessionId) -> Result<SessionView, Error> {
    let item = catalogue::find(snapshot.connection(), "session", &id.to_string(), At::Now).await?;
    let item = item.ok_or_else(|| Error::NotFound(format!("there is no session {id}")))?;
    Ok(serde_json::from_value(item.spec).map_err(bootledger_projections::Error::from)?)
}

/// Refuses a caller who may not end the session. Users may end their own sessions, and administrators all. A handler calls this
/// before it reads a body.
pub(crate) async fn require_own(backend: &mut Backend, principal: &Principal, id: SessionId) -> Result<(), Error> {
    if principal.may(Role::Administrator) {
        return Ok(());
    }
    let found = find(&mut backend.read_now().await?, id).await.ok();
    let own = found.zip(principal.user()).is_some_and(|(session, user)| session.session.user == user.name);
    // Others do not learn whose session it is, or whether it exists.
    if own { Ok(()) } else { principal.require(Role::Administrator) }
}

/// Ends a session. The caller calls [`require_own`] first.
pub(crate) async fn end_session(backend: &mut Backend, id: SessionId, context: Context) -> Result<Receipt, Error> {
    Ok(backend.execute(Command::Account(AccountAction::EndSession { session: id, reason: EndReason::Revoked }), context).await?)
}
