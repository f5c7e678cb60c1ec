//! Runs the projector, which updates the views whenever the log has grown. Of all instances, the one that holds the
//! checkpoint's lock works.

use crate::feed::Feed;
use bootledger_projections::pool::Pool;
use bootledger_projections::project::{Step, step};
use bootledger_web::health::vitals::Pulse;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{Instrument, debug, error, info_span};

/// How soon the log is checked again without a notification.
const POLL: Duration = Duration::from_millis(500);

/// Runs until `stopping` holds true.
pub async fn run(pool: Pool, feed: Feed, pulse: Pulse, mut stopping: watch::Receiver<bool>) {
    let mut appended = feed.appended();
    let mut failing = false;
    while !*stopping.borrow() {
        let step = step(&pool).instrument(info_span!("project")).await;
        if step.is_ok() {
            failing = false;
            pulse.beat();
        }
        match step {
            Ok(Step::Advanced { from, to, events }) => {
                debug!(from, to, events, "the views moved");
                feed.saw_projected(to);
                continue;
            }
            Ok(Step::Idle(position)) => feed.saw_projected(position),
            Ok(Step::Busy) => {}
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "the views could not be moved; trying again");
                // The first failure is usually a lost connection. A new connection works at once.
                if !std::mem::replace(&mut failing, true) {
                    continue;
                }
            }
        }
        tokio::select! {
            _ = appended.changed() => {}
            () = tokio::time::sleep(POLL) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// Updates the views to the end of the log, for commands that run once. Another instance may be doing the work.
pub async fn catch_up(pool: impl Into<Pool>, feed: &Feed) -> anyhow::Result<i64> {
    let pool = pool.into();
    loop {
        match step(&pool).await? {
            Step::Advanced { to, .. } => feed.saw_projected(to),
            Step::Idle(position) => {
                feed.saw_projected(position);
                return Ok(position);
            }
            Step::Busy => {
                let end = bootledger_projections::log::last_position(&pool).await?;
                if feed.wait_for(end, Duration::from_secs(1)).await {
                    return Ok(end);
                }
            }
        }
    }
}
