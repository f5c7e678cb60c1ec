//! One reading of the views: everything that a handler reads through it is of one position, which
//! the answer names. `?at=` moves it into the past.

use super::parameters::{AT, pairs};
use crate::application::Application;
use crate::edge::position;
use crate::error::Error;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use anyhow::anyhow;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::pool::{Connection, Transaction};
use bootledger_projections::{checkpoint, log};
use futures::future::{FutureExt, LocalBoxFuture};
use serde::Serialize;

/// The views as of one position, in one read-only transaction.
#[derive(Debug)]
pub struct Reading {
    transaction: Transaction,
    /// Which moment is asked about, for temporal questions.
    pub at: At,
    /// The position that the answer shows.
    pub position: i64,
}

impl Reading {
    /// The newest state.
    pub async fn now(application: &Application) -> Result<Self, Error> {
        let mut transaction = application.views.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let position = checkpoint::position(&mut *transaction).await?;
        Ok(Self { transaction, at: At::Now, position })
    }

    /// The state that `?at=` asks for: a position, or an RFC 3339 time.
    async fn of(application: &Application, at: Option<&str>) -> Result<Self, Error> {
        let mut reading = Self::now(application).await?;
        if let Some(text) = at {
            let position = reading.resolve(text, (application.now)()).await?;
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

    /// Where the questions are asked.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.transaction
    }

    /// The answer with this body, which names the position.
    pub fn answer(self, body: &impl Serialize) -> HttpResponse {
        let mut response = HttpResponse::Ok().json(body);
        name_position(&mut response, self.position);
        response
    }
}

/// Writes the position into an answer.
pub(crate) fn name_position(response: &mut HttpResponse, position: i64) {
    response.headers_mut().insert(position::HEADER, position.into());
}

impl FromRequest for Reading {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let application = request
                .app_data::<web::Data<Application>>()
                .ok_or_else(|| Error::Internal(anyhow!("the application is not part of this server")))?;
            let at = pairs(request.query_string())?.into_iter().find(|(name, _)| name == AT).map(|(_, value)| value);
            Self::of(application, at.as_deref()).await
        }
        .boxed_local()
    }
}
