//! The route `/pxe/t/{token}/log`, which stores the end of an installer's log, for the operator who has to find out
//! why it failed.
//!
//! The body is read as it arrives, and only its end is kept. It is written to the store of files under its hash, and then an
//! event is appended to the log. This order ensures that an event never names a content that does not exist.

use super::mask::Masked;
use super::{LATER, Reporter, SOON, ok, refuse, refused, too_many};
use crate::images::store::Contents;
use crate::machines::pxe::refusal::store_failed;
use crate::machines::pxe::service::BootService;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::deployment::installer::MOST_LOGS;
use bootledger_port::{Command, DeploymentAction};
use bootledger_projections::rows::installations;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Maximum size of a body, in bytes.
pub(super) const LIMIT: u64 = 1024 * 1024;

/// How many bytes of its end are kept.
pub(super) const KEPT: usize = 64 * 1024;

/// Time limit for a body.
const TIME: Duration = Duration::from_mins(1);

/// How long the database may take to return the number of logs.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Time limit for the next bytes of a body.
const BETWEEN_BYTES: Duration = Duration::from_secs(10);

/// Handles `POST` and `PUT /pxe/t/{token}/log`.
pub(in crate::machines::pxe) async fn log(request: HttpRequest, service: Data<BootService>, body: Payload) -> HttpResponse {
    let reporter = match Reporter::of(&request, &service) {
        Ok(reporter) => reporter,
        Err(refusal) => return refusal.answer(&request),
    };
    let deployment = reporter.deployment;
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > LIMIT) {
        return too_large(&request);
    }
    if !service.table.paces.allow_log(deployment) {
        return too_many(&request, SOON, "this server sends logs too often; wait before the next one");
    }
    let Some(_place) = service.table.paces.receive() else {
        return refuse(&request, StatusCode::SERVICE_UNAVAILABLE, "too many logs are being received; send it again");
    };
    // This is queried first, so that logs that no event will name do not fill the store.
    let known = tokio::time::timeout(LOOK_UP, installations::logs(&service.application.agents, deployment));
    match known.await {
        Ok(Ok(Some((_, false)))) => {
            return refuse(&request, StatusCode::NOT_FOUND, "the deployment is not in progress; its logs are not kept");
        }
        Ok(Ok(Some((logs, true)))) if i64::from(logs) >= i64::from(MOST_LOGS) => {
            return too_many(&request, LATER, &format!("{MOST_LOGS} logs are already recorded, the limit for a deployment"));
        }
        Ok(Ok(_)) => {}
        unknown => {
            tracing::error!("an installer's log is refused because the database does not answer: {unknown:?}");
            return refuse(&request, StatusCode::SERVICE_UNAVAILABLE, "the database cannot be reached; send it again");
        }
    }
    let end = match tokio::time::timeout(TIME, end_of(body, &reporter.mask, BETWEEN_BYTES)).await {
        Ok(Ok(end)) => end,
        Ok(Err(Unread::TooLarge)) => return too_large(&request),
        Ok(Err(Unread::Aborted(sentence))) => return refuse(&request, StatusCode::BAD_REQUEST, &sentence),
        Ok(Err(Unread::TooSlow)) | Err(_) => {
            let sentence = "the log did not arrive in time: the limits are 10 s between two parts, and one minute in total";
            return refuse(&request, StatusCode::REQUEST_TIMEOUT, sentence);
        }
    };
    if end.is_empty() {
        return refuse(&request, StatusCode::BAD_REQUEST, "the body is empty; send the end of the log as the body");
    }
    let stored = match Contents::new(Arc::clone(&service.application.files)).store_bytes(Bytes::from(end)).await {
        Ok(stored) => stored,
        Err(error) => return store_failed(&request, &error),
    };
    let command =
        Command::Deployment(DeploymentAction::RecordInstallerLog { deployment, sha256: stored.sha256, size: stored.size });
    match service.application.commands.unguarded().execute(command, reporter.context(&request)).await {
        Ok(_) => ok(),
        Err(error) => refused(&request, deployment, &error),
    }
}

fn too_large(request: &HttpRequest) -> HttpResponse {
    let sentence = format!("a log has at most {LIMIT} bytes; send its end, such as that of: tail -c 65536");
    refuse(request, StatusCode::PAYLOAD_TOO_LARGE, &sentence)
}

/// Why a body was not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    TooSlow,
    Aborted(String),
}

/// The end of a body without the token. Never holds much more than is kept.
pub(super) async fn end_of<E: Display>(
    body: impl Stream<Item = Result<Bytes, E>>,
    mask: &Masked,
    between: Duration,
) -> Result<Vec<u8>, Unread> {
    let held = KEPT + mask.margin();
    let (mut end, mut size) = (Vec::new(), 0_u64);
    let mut body = pin!(body);
    while let Some(part) = tokio::time::timeout(between, body.next()).await.map_err(|_| Unread::TooSlow)? {
        let part = part.map_err(|error| Unread::Aborted(format!("the body ended early: {error}")))?;
        size += part.len() as u64;
        if size > LIMIT {
            return Err(Unread::TooLarge);
        }
        let part = &part[part.len().saturating_sub(held)..];
        // The text is cut rarely, so that many small parts do not each move the bytes that are held.
        if end.len() + part.len() > 2 * held {
            let over = (end.len() + part.len()).saturating_sub(held).min(end.len());
            end.drain(..over);
        }
        end.extend_from_slice(part);
    }
    end.drain(..end.len().saturating_sub(held));
    let mut clean = mask.bytes(&end);
    // A cut through a token leaves the rest of it at the beginning, which is outside the part that is kept, or
    // has been removed.
    clean.drain(..clean.len().saturating_sub(KEPT));
    Ok(clean)
}
