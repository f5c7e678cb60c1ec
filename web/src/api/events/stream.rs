//! The live stream of events (Server-Sent Events). The next batch is read only when the client has taken the last one, so that
//! a slow reader costs one batch of memory and no more.

use super::{EventAnswer, Wanted};
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::stream::{self, Watched};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::rules::Rule;
use bytes::Bytes;
use std::fmt::Write;
use std::time::Duration;

/// How often an idle stream sends a comment to keep the connection alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The number of events that a stream holds in memory.
const BATCH: usize = 100;
/// The header that a browser sends when it reconnects.
const LAST_EVENT_ID: &str = "last-event-id";

struct Stream {
    backend: Backend,
    watched: Watched,
    wanted: Wanted,
    /// The position after which the stream continues.
    after: i64,
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
        return Err(Error::rejected("limit", Rule::LimitOfStream, "a stream has no end; remove limit"));
    }
    let after = match request.headers().get(LAST_EVENT_ID) {
        None => after,
        Some(value) => {
            value.to_str().ok().and_then(|text| text.parse().ok()).filter(|position| *position >= 0).ok_or_else(|| {
                Error::bad_request(
                    "Last-Event-ID",
                    Rule::PositionMalformed,
                    "Last-Event-ID must be the id of the last event received",
                )
            })?
        }
    };
    let stream = Stream { backend, watched: Watched::new(request, application), wanted, after };
    // The first bytes are sent immediately, so that a client knows that it is connected.
    let begin = futures::stream::once(async { Ok::<_, Error>(Bytes::from_static(b": the events of Bootledger\n\n")) });
    let events = futures::stream::unfold(stream, |mut stream| async { stream.next().await.map(|part| (part, stream)) });
    Ok(stream::answer().streaming(futures::StreamExt::chain(begin, events)))
}

impl Stream {
    /// The next bytes. `None` ends the stream; a client then reconnects with the last event that it has seen.
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        loop {
            let last = self.watched.position().await?;
            if last > self.after {
                let (found, next) = match read(&mut self.backend, &self.wanted, self.after, last).await {
                    Ok(found) => found,
                    Err(error) => {
                        tracing::warn!("a stream of events ends because the log cannot be read: {error}");
                        return None;
                    }
                };
                self.after = next.unwrap_or(last);
                if !found.is_empty() {
                    return Some(written(&found));
                }
                continue;
            }
            if !self.watched.moved(KEEP_ALIVE).await? {
                return Some(Ok(Bytes::from_static(b": still here\n\n")));
            }
        }
    }
}

/// Reads the next events. The reading is dropped before they are sent, so that a slow client does not hold a connection.
async fn read(backend: &mut Backend, wanted: &Wanted, after: i64, last: i64) -> Result<(Vec<EventAnswer>, Option<i64>), Error> {
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
