//! Waits for conditions with a deadline, so that no test sleeps for a guessed time.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

/// How often a condition is checked: short compared with a boot, and cheap beside the emulated processor.
const INTERVAL: Duration = Duration::from_millis(25);

/// Evaluates `condition` until it returns `Some`, or returns `None` once `limit` has passed. An error ends the wait
/// immediately.
pub(super) async fn until<T>(limit: Duration, mut condition: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = condition()? {
            return Ok(Some(found));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        sleep(INTERVAL).await;
    }
}
