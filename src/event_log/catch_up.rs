//! Updates the views to the end of the log, for programs that run once. The service's projector is in `workers`.

use crate::event_log::feed::Feed;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::projector::{Step, step};
use std::time::Duration;

/// Updates the views to the end of the log. Another instance may be doing the work.
///
/// # Errors
/// Returns an error if a statement fails, or if a row that the events change is damaged.
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
                let end = bootledger_projections::database::log::last_position(&pool).await?;
                if feed.wait_for(end, Duration::from_secs(1)).await {
                    return Ok(end);
                }
            }
        }
    }
}
