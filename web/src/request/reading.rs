//! A reading of the views: everything that a handler reads through it is from one position, which the answer names. `?at=`
//! selects a past position.
//!
//! A reading holds a connection to the database. Only [`super::backend::Backend::read`] creates one, and that backend cannot do
//! anything else until the reading is dropped.

use super::parameters::AT;
use super::share::Permit;
use crate::edge::position;
use crate::error::Error;
use actix_web::HttpResponse;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::pool::{Connection, Pool, Transaction};
use bootledger_projections::{checkpoint, log};
use serde::Serialize;
use std::marker::PhantomData;

/// The views as of one position, in one read-only transaction.
#[derive(Debug)]
pub struct Reading<'backend> {
    transaction: Transaction,
    /// The moment to read, for temporal queries.
    pub at: At,
    /// The position that the answer shows.
    pub position: i64,
    _permit: Permit,
    _backend: PhantomData<&'backend mut ()>,
}

impl Reading<'_> {
    /// Begins a reading at the position or RFC 3339 time that `at` names, or of the newest state.
    pub(super) async fn begin(views: &Pool, permit: Permit, at: Option<&str>, now: fn() -> Timestamp) -> Result<Self, Error> {
        let mut transaction = views.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let position = checkpoint::position(&mut *transaction).await?;
        let mut reading = Self { transaction, at: At::Now, position, _permit: permit, _backend: PhantomData };
        if let Some(text) = at {
            let position = reading.resolve(text, now()).await?;
            reading.at = At::Position(position);
            reading.position = position;
        }
        Ok(reading)
    }

    async fn resolve(&mut self, text: &str, now: Timestamp) -> Result<i64, Error> {
        let shown = self.position;
        if let Ok(position) = text.parse::<i64>() {
            return match position {
                ..0 => Err(Error::rejected(AT, "at_negative", "positions begin at 1; 0 is the empty log")),
                _ if position > shown => {
                    let message = format!(
                        "position {position} is not shown yet; the last one is {shown}. The header {} waits for one",
                        position::LEAST_HEADER
                    );
                    Err(Error::rejected(AT, "at_in_future", message))
                }
                _ => Ok(position),
            };
        }
        let time: Timestamp = text.parse().map_err(|_| {
            let message = format!("{text:?} is neither a position nor an RFC 3339 time such as 2026-01-31T14:03:07Z");
            Error::bad_request(AT, "at_malformed", message)
        })?;
        if time > now {
            return Err(Error::rejected(AT, "at_in_future", format!("{time} has not come yet; it is {now}")));
        }
        Ok(log::position_at(self.connection(), time).await?.min(shown))
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
