//! The header `Bootledger-Position`, and waiting until the views show a position.

use crate::http::application::Application;
use crate::http::error::Error;
use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, web};
use bootledger_aggregates::rules::Rule;
use std::time::Duration;

/// The header with the position that an answer shows.
pub const HEADER: HeaderName = HeaderName::from_static("bootledger-position");
/// The request header with the lowest position that the answer must show.
pub const LEAST_HEADER: &str = "Bootledger-Min-Position";
const LEAST: HeaderName = HeaderName::from_static("bootledger-min-position");
/// How long a request waits for a position.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Waits until the views show `position`. Returns whether they do, before the deadline and before the service stops.
pub async fn reach(application: &Application, position: i64, deadline: Duration) -> bool {
    let mut shown = application.position.clone();
    let mut stopping = application.stopping.clone();
    let reached = shown.wait_for(|shown| *shown >= position);
    let stopped = stopping.wait_for(|stopping| *stopping);
    tokio::select! {
        biased;
        result = reached => result.is_ok(),
        _ = stopped => false,
        () = tokio::time::sleep(deadline) => false,
    }
}

/// Waits for the position that the request requires.
pub(crate) async fn wait(request: &HttpRequest) -> Result<(), Error> {
    let Some(value) = request.headers().get(LEAST) else {
        return Ok(());
    };
    if request.headers().get_all(LEAST).count() > 1 {
        let message = format!("{LEAST_HEADER}: the header was sent twice; send it once");
        return Err(Error::bad_request(LEAST_HEADER, Rule::PositionMalformed, message));
    }
    let number = value.to_str().ok().and_then(|text| text.parse::<i64>().ok()).filter(|number| *number >= 0);
    let least = number.ok_or_else(|| {
        let message = format!("{LEAST_HEADER} must be a whole number, as in the Bootledger-Position of an earlier response");
        Error::bad_request(LEAST_HEADER, Rule::PositionMalformed, message)
    })?;
    let Some(application) = request.app_data::<web::Data<Application>>().cloned() else {
        return Ok(());
    };
    if reach(&application, least, DEADLINE).await {
        return Ok(());
    }
    let shown = *application.position.borrow();
    let seconds = DEADLINE.as_secs();
    let message = format!("the views are at position {shown} and did not reach {least} within {seconds} seconds; retry");
    Err(Error::unavailable(message, 1))
}
