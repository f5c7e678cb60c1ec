//! The answers to changes: what was changed, read back once the views show it.

use super::backend::Backend;
use super::reading::{Reading, name_position};
use crate::auth::caller::Caller;
use crate::commands::{Command, Receipt};
use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION};
use serde::Serialize;
use utoipa::ToSchema;

/// What was changed, where the views take too long to show it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// The changed or new thing.
    pub id: String,
    /// The position that shows the change; name it in `Bootledger-Min-Position` to wait for it.
    pub position: i64,
}

/// A change that was made.
#[derive(Debug)]
pub struct Change {
    /// What the domain answered.
    pub receipt: Receipt,
    status: StatusCode,
    location: Option<String>,
}

impl Change {
    /// Makes the change; the answer will be 200.
    pub async fn make(backend: &mut Backend, caller: &Caller, command: Command) -> Result<Self, Error> {
        let receipt = backend.execute(command, caller.context()).await?;
        Ok(Self::of(receipt))
    }

    /// A change that was made in another way.
    pub fn of(receipt: Receipt) -> Self {
        Self { receipt, status: StatusCode::OK, location: None }
    }

    /// The same as something new: 201 with its place, such as `/api/v1/devices/`, to which the id is added.
    #[must_use]
    pub fn created(self, parent: &str) -> Self {
        let location = Some(format!("{parent}{}", self.receipt.id));
        Self { status: StatusCode::CREATED, location, ..self }
    }

    /// Waits until the views show the change. The reading, or, where that takes too long, the answer 202.
    pub async fn shown<'a>(&self, backend: &'a mut Backend) -> Result<Reading<'a>, HttpResponse> {
        let reached = backend.reach(self.receipt.position).await;
        let position = backend.position();
        if reached {
            // The change is made, whatever the reading says.
            match backend.read_now().await {
                Ok(reading) => return Ok(reading),
                Err(error) => tracing::warn!("a change was made but cannot be read back: {error}"),
            }
        }
        let body = Accepted { id: self.receipt.id.clone(), position: self.receipt.position };
        let mut response = HttpResponse::Accepted().json(body);
        name_position(&mut response, position);
        Err(response)
    }

    /// The answer with the thing as the views show it.
    pub fn answer(self, reading: Reading<'_>, body: &impl Serialize) -> HttpResponse {
        let mut response = reading.answer(body);
        *response.status_mut() = self.status;
        if let Some(Ok(location)) = self.location.as_deref().map(HeaderValue::from_str) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}
