//! Keeps the views moving: a step whenever the log has grown, by whichever instance holds the checkpoint.

use crate::feed::Feed;
use bootledger_projections::pool::Pool;
use bootledger_projections::project::{Step, step};
use bootledger_web::health::vitals::Pulse;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{Instrument, debug, error, info_span};

/// How soon the log is looked at again without a notice.
const POLL: Duration = Duration::from_millis(500);

/// Runs until `stopping`.
pub async fn run(pool: Pool, feed: Feed, pulse: Pulse, mut stopping: watch::Receiver<bool>) {
    let mut appended = feed.appended();
    while !*stopping.borrow() {
        let step = step(&pool).instrument(info_span!("project")).await;
        if step.is_ok() {
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
            Err(error) => error!(error = &error as &dyn std::error::Error, "the views could not be moved; trying again"),
        }
        tokio::select! {
            _ = appended.changed() => {}
            () = tokio::time::sleep(POLL) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// Moves the views to the end of the log, for programs that run once. Another instance may be doing it.
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
