//! The answers to changes: what was changed, read from the views once they show the change.

use super::backend::Backend;
use super::snapshot::{Snapshot, name_position};
use crate::http::auth::caller::Caller;
use crate::http::error::Error;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION};
use bootledger_port::{Command, Receipt};
use serde::Serialize;
use utoipa::ToSchema;

/// The answer to a change that the views do not show in time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// The ID of the changed or created thing.
    pub id: String,
    /// The position at which the views show the change. Send it as `Bootledger-Min-Position` to wait for the change.
    pub position: i64,
}

/// A change that was made.
#[derive(Debug)]
pub struct Change {
    /// The receipt that the domain returned.
    pub receipt: Receipt,
    status: StatusCode,
    location: Option<String>,
}

/// The views after a change.
#[derive(Debug)]
pub enum Shown<'a> {
    /// The views show the change.
    Now(Snapshot<'a>),
    /// The change was made, and the views will show it later: the answer 202.
    Later(HttpResponse),
}

impl Change {
    /// Makes the change. The answer will have status 200.
    ///
    /// # Errors
    /// Returns the command's error, or [`Error::Busy`] if the caller's share is used up.
    pub async fn make(backend: &mut Backend, caller: &Caller, command: Command) -> Result<Self, Error> {
        let receipt = backend.execute(command, caller.context()).await?;
        Ok(Self::of(receipt))
    }

    /// Wraps the receipt of a change that was made in another way.
    pub fn of(receipt: Receipt) -> Self {
        Self { receipt, status: StatusCode::OK, location: None }
    }

    /// Turns the answer into one about something new: status 201 with a `Location`, which is `parent`, such as
    /// `/api/v1/devices/`, followed by the ID.
    #[must_use]
    pub fn created(self, parent: &str) -> Self {
        let location = Some(format!("{parent}{}", self.receipt.id));
        Self { status: StatusCode::CREATED, location, ..self }
    }

    /// Waits until the views show the change, and returns a snapshot of them. If that takes too long, returns the answer 202.
    pub async fn shown<'a>(&self, backend: &'a mut Backend) -> Shown<'a> {
        let reached = backend.reach(self.receipt.position).await;
        let position = backend.position();
        if reached {
            // The change is made, whether or not the views can be read.
            match backend.read_now().await {
                Ok(snapshot) => return Shown::Now(snapshot),
                Err(error) => tracing::warn!("a change was saved but cannot be read back: {error}"),
            }
        }
        let body = Accepted { id: self.receipt.id.clone(), position: self.receipt.position };
        let mut response = HttpResponse::Accepted().json(body);
        name_position(&mut response, position);
        Shown::Later(response)
    }

    /// The answer with the changed thing, as the views show it.
    pub fn answer(self, snapshot: Snapshot<'_>, body: &impl Serialize) -> HttpResponse {
        let mut response = snapshot.answer(body);
        *response.status_mut() = self.status;
        if let Some(Ok(location)) = self.location.as_deref().map(HeaderValue::from_str) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}
