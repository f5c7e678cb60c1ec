//! A snapshot of the views: everything that a handler reads through it is from one position, which the answer names. `?at=`
//! selects a past position.
//!
//! A snapshot holds a connection to the database. Only [`super::backend::Backend::read`] creates one, and that backend cannot do
//! anything else until the snapshot is dropped.

use super::parameters::AT;
use crate::http::edge::position;
use crate::http::error::Error;
use crate::http::share::{FilePermit, Permit};
use actix_web::HttpResponse;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::log;
use bootledger_projections::database::pool::{Connection, Pool, Transaction};
use bootledger_projections::projector::checkpoint;
use bootledger_projections::rows::at::At;
use serde::Serialize;
use std::marker::PhantomData;

/// The views as of one position, in one read-only transaction.
#[derive(Debug)]
pub struct Snapshot<'backend> {
    transaction: Transaction,
    /// The moment to read, for temporal queries.
    pub at: At,
    /// The position that the answer shows.
    pub position: i64,
    /// When the event at the past position was recorded; `None` for the present, and before the first event.
    pub(crate) recorded_at: Option<Timestamp>,
    /// The time of the request.
    now: Timestamp,
    permit: Permit,
    _backend: PhantomData<&'backend mut ()>,
}

impl Snapshot<'_> {
    /// Begins a snapshot at the position or RFC 3339 time that `at` names, or of the newest state.
    pub(super) async fn begin(views: &Pool, permit: Permit, at: Option<&str>, now: fn() -> Timestamp) -> Result<Self, Error> {
        let mut transaction = views.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let (position, now) = (checkpoint::position(&mut *transaction).await?, now());
        let mut snapshot = Self { transaction, at: At::Now, position, recorded_at: None, now, permit, _backend: PhantomData };
        if let Some(text) = at {
            let position = snapshot.resolve(AT, text, now).await?;
            snapshot.at = At::Position(position);
            snapshot.position = position;
            snapshot.recorded_at = log::recorded_at(snapshot.connection(), position).await?;
        }
        Ok(snapshot)
    }

    /// The position that a parameter names: a position, or an RFC 3339 time.
    ///
    /// # Errors
    /// Returns an error that names the parameter if there is no such position yet, or if it is neither.
    pub(crate) async fn resolve(&mut self, parameter: &str, text: &str, now: Timestamp) -> Result<i64, Error> {
        let shown = self.position;
        if let Ok(position) = text.parse::<i64>() {
            return match position {
                ..0 => Err(Error::rejected(parameter, Rule::AtNegative, "positions start at 1; 0 is the empty log")),
                _ if position > shown => {
                    let message = format!(
                        "position {position} is not available yet; the last one is {shown}. Use the header {} to wait for a position",
                        position::LEAST_HEADER
                    );
                    Err(Error::rejected(parameter, Rule::AtInFuture, message))
                }
                _ => Ok(position),
            };
        }
        let time: Timestamp = text.parse().map_err(|_| {
            let message = format!("{text:?} is neither a position nor an RFC 3339 time such as 2026-01-31T14:03:07Z");
            Error::bad_request(parameter, Rule::AtMalformed, message)
        })?;
        if time > now {
            return Err(Error::rejected(parameter, Rule::AtInFuture, format!("{time} has not come yet; it is {now}")));
        }
        Ok(log::position_at(self.connection(), time).await?.min(shown))
    }

    /// Takes a part of the caller's share for a file that the caller downloads.
    ///
    /// # Errors
    /// Returns an error if the caller, or all callers together, download too many files.
    pub(crate) fn file_permit(&self) -> Result<FilePermit, Error> {
        self.permit.file()
    }

    /// The time that the snapshot shows, to which durations are measured: now, or when the event at the past position was
    /// recorded.
    pub fn moment(&self) -> Timestamp {
        self.recorded_at.unwrap_or(self.now)
    }

    /// The connection to run queries on.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.transaction
    }

    /// The answer with this body. Its header names the position.
    pub fn answer(self, body: &impl Serialize) -> HttpResponse {
        let mut response = HttpResponse::Ok().json(body);
        name_position(&mut response, self.position);
        response
    }
}

/// Adds the position to the headers of an answer.
pub(crate) fn name_position(response: &mut HttpResponse, position: i64) {
    response.headers_mut().insert(position::HEADER, position.into());
}
