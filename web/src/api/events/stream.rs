//! The live stream of events (Server-Sent Events). The next batch is read only when the client has taken the last one, so that
//! a slow reader costs one batch of memory and no more.

use super::{EventAnswer, Wanted};
use crate::application::Application;
use crate::auth::level::Level;
use crate::auth::principal::Principal;
use crate::error::Error;
use crate::request::backend::Backend;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use std::fmt::Write;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often an idle stream sends a comment to keep the connection alive, and checks that its token is still valid.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The number of events that a stream holds in memory.
const BATCH: i64 = 100;
/// The header that a browser sends when it reconnects.
const LAST_EVENT_ID: &str = "last-event-id";

struct Stream {
    backend: Backend,
    request: HttpRequest,
    shown: watch::Receiver<i64>,
    stopping: watch::Receiver<bool>,
    wanted: Wanted,
    /// The position after which the stream continues.
    after: i64,
    admitted: Instant,
}

/// Starts a stream after `Last-Event-ID`, or after `after` if the header is missing.
pub(super) fn answer(
    application: &Application,
    backend: Backend,
    request: &HttpRequest,
    wanted: Wanted,
    after: i64,
    limited: bool,
) -> Result<HttpResponse, Error> {
    if limited {
        return Err(Error::rejected("limit", "limit_of_stream", "a stream has no end; leave limit out"));
    }
    let after = match request.headers().get(LAST_EVENT_ID) {
        None => after,
        Some(value) => {
            value.to_str().ok().and_then(|text| text.parse().ok()).filter(|position| *position >= 0).ok_or_else(|| {
                Error::bad_request(
                    "Last-Event-ID",
                    "position_malformed",
                    "Last-Event-ID is the id of the last event that was seen",
                )
            })?
        }
    };
    let stream = Stream {
        backend,
        request: request.clone(),
        shown: application.position.clone(),
        stopping: application.stopping.clone(),
        wanted,
        after,
        admitted: Instant::now(),
    };
    // The first bytes are sent immediately, so that a client knows that it is connected.
    let begin = futures::stream::once(async { Ok::<_, Error>(Bytes::from_static(b": the events of Bootledger\n\n")) });
    let events = futures::stream::unfold(stream, |mut stream| async { stream.next().await.map(|part| (part, stream)) });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(futures::StreamExt::chain(begin, events)))
}

impl Stream {
    /// The next bytes. `None` ends the stream; a client then reconnects with the last event that it has seen.
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        loop {
            if *self.stopping.borrow() || !self.still_admitted().await {
                return None;
            }
            let last = *self.shown.borrow_and_update();
            if last > self.after {
                let found = match read(&mut self.backend, &self.wanted, self.after, last).await {
                    Ok(found) => found,
                    Err(error) => {
                        tracing::warn!("a stream of events ends, since the log cannot be read: {error}");
                        return None;
                    }
                };
                let full = i64::try_from(found.len()).is_ok_and(|count| count == BATCH);
                self.after = if full { found.last().map_or(last, |event| event.position) } else { last };
                if !found.is_empty() {
                    return Some(written(&found));
                }
                continue;
            }
            tokio::select! {
                moved = self.shown.changed() => moved.ok()?,
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(Ok(Bytes::from_static(b": still here\n\n"))),
            }
        }
    }

    /// Whether the token is still valid. This is checked repeatedly, because a stream may live for weeks.
    async fn still_admitted(&mut self) -> bool {
        if self.admitted.elapsed() < KEEP_ALIVE {
            return true;
        }
        self.admitted = Instant::now();
        let asked = Principal::ask_again(&self.request).await;
        asked.is_ok_and(|principal| principal.require(Level::Viewer).is_ok())
    }
}

/// Reads the next events. The reading is dropped before they are sent, so that a slow client does not hold a connection.
async fn read(backend: &mut Backend, wanted: &Wanted, after: i64, last: i64) -> Result<Vec<EventAnswer>, Error> {
    wanted.read(backend.read_now().await?.connection(), after, last, BATCH).await
}

fn written(events: &[EventAnswer]) -> Result<Bytes, Error> {
    let mut text = String::new();
    for event in events {
        let data = serde_json::to_string(event).map_err(|error| Error::Internal(error.into()))?;
        // The payload keeps the form in which it was stored, including line breaks between tokens; a field of a
        // stream has none.
        let data = data.replace(['\r', '\n'], " ");
        let failed = |error: std::fmt::Error| Error::Internal(error.into());
        write!(text, "id: {}\ndata: {data}\n\n", event.position).map_err(failed)?;
    }
    Ok(Bytes::from(text))
}
