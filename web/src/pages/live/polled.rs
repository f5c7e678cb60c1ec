//! Live parts of a page that no event announces: they are rendered every second, and sent if they changed.

use super::{Region, beat, message, shared, write_partial};
use crate::http::error::Error;
use crate::http::stream;
use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_ENCODING;
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use std::time::Duration;
use tokio::sync::watch;

/// How often the part is rendered.
const EVERY: Duration = Duration::from_secs(1);
/// The maximum number of times: a page that is open for longer reconnects, and is authenticated again.
const MOST: u32 = 300;

/// Renders the part, and returns whether it may still change.
pub(crate) type Render = Box<dyn Fn() -> LocalBoxFuture<'static, Result<(Region, bool), Error>>>;

struct Stream {
    render: Render,
    stopping: watch::Receiver<bool>,
    sent: Option<u64>,
    rounds: u32,
    over: bool,
}

/// A stream of the part.
pub(crate) fn answer(stopping: watch::Receiver<bool>, render: Render) -> HttpResponse {
    let stream = Stream { render, stopping, sent: None, rounds: 0, over: false };
    let parts =
        futures::stream::unfold(stream, |mut stream| async { stream.next().await.map(|part| (Ok::<_, Error>(part), stream)) });
    stream::answer().insert_header((CONTENT_ENCODING, "identity")).streaming(Box::pin(parts))
}

impl Stream {
    async fn next(&mut self) -> Option<Bytes> {
        if self.rounds >= MOST || *self.stopping.borrow() {
            return None;
        }
        if self.rounds > 0 {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            }
        }
        self.rounds += 1;
        // A browser reconnects to a stream that ends; a part that will not change any more therefore only sends signs of life.
        if self.over {
            return Some(beat());
        }
        let (region, goes_on) = match (self.render)().await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!("a live page ends because it cannot be read: {error}");
                return None;
            }
        };
        self.over = !goes_on;
        let hash = shared::hash(&region.html.0);
        if self.sent.replace(hash) == Some(hash) {
            return Some(beat());
        }
        let mut text = String::new();
        write_partial(&mut text, &region);
        Some(message(i64::from(self.rounds), &text))
    }
}
