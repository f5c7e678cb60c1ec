//! Updates the views whenever the log has grown. Of all instances, the one that holds the checkpoint's lock works.

use super::{BackgroundWork, Next};
use crate::event_log::feed::Feed;
use anyhow::Result;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::projector::{Step, step};
use std::time::Duration;
use tokio::sync::watch;
use tracing::debug;

/// The worker that updates the views.
pub struct Projector {
    pool: Pool,
    feed: Feed,
    appended: watch::Receiver<i64>,
}

impl Projector {
    /// Creates a projector of the log that this feed follows.
    pub fn new(pool: impl Into<Pool>, feed: Feed) -> Self {
        Self { pool: pool.into(), appended: feed.appended(), feed }
    }
}

impl BackgroundWork for Projector {
    const NAME: &'static str = "projector";
    const VITAL: Option<&'static str> = Some("the views cannot be updated");
    const PERIOD: Duration = Duration::from_millis(500);

    async fn pass(&mut self) -> Result<Next> {
        match step(&self.pool).await? {
            Step::Advanced { from, to, events } => {
                debug!(from, to, events, "the views were updated");
                self.feed.saw_projected(to);
                Ok(Next::Now)
            }
            Step::Idle(position) => {
                self.feed.saw_projected(position);
                Ok(Next::Later)
            }
            Step::Busy => Ok(Next::Later),
        }
    }

    async fn wake(&mut self) {
        drop(self.appended.changed().await);
    }
}
