//! Streams of server-sent events: their answer, and when they go on or end.

use crate::http::application::Application;
use crate::http::auth::principal::Principal;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bootledger_aggregates::user::Role;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often a stream checks that its reader may still read, because it may be open for weeks.
const ADMISSION: Duration = Duration::from_secs(15);

/// The answer with a stream.
pub(crate) fn answer() -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"));
    answer
}

/// What a stream watches while it is open: the views, the end of the service, and the rights of its reader.
pub(crate) struct Watched {
    request: HttpRequest,
    shown: watch::Receiver<i64>,
    stopping: watch::Receiver<bool>,
    /// The reader's role when the stream began.
    role: Option<Role>,
    admitted: Instant,
}

impl Watched {
    /// Begins to watch for the reader who sent a request.
    pub(crate) fn new(request: &HttpRequest, application: &Application) -> Self {
        let (shown, stopping) = (application.position.clone(), application.stopping.clone());
        let role = Principal::of_request(request).ok().and_then(|principal| principal.level());
        Self { request: request.clone(), shown, stopping, role, admitted: Instant::now() }
    }

    /// The position that the views show. `None` if the service stops, or if the reader may no longer read.
    pub(crate) async fn position(&mut self) -> Option<i64> {
        if *self.stopping.borrow() || !self.still_admitted().await {
            return None;
        }
        Some(*self.shown.borrow_and_update())
    }

    /// Waits until the views move, at most this long. Returns whether they have moved; `None` if the service stops.
    pub(crate) async fn moved(&mut self, within: Duration) -> Option<bool> {
        tokio::select! {
            moved = self.shown.changed() => moved.ok().map(|()| true),
            _ = self.stopping.wait_for(|stopping| *stopping) => None,
            () = tokio::time::sleep(within) => Some(false),
        }
    }

    async fn still_admitted(&mut self) -> bool {
        if self.admitted.elapsed() < ADMISSION {
            return true;
        }
        self.admitted = Instant::now();
        let requested = Principal::revalidate(&self.request).await;
        // What a stream contains depends on the role, so that it ends when the role changes, and the reader connects again.
        requested.is_ok_and(|principal| principal.require(Role::Viewer).is_ok() && principal.level() == self.role)
    }
}
