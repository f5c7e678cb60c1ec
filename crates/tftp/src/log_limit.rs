//! Limits log lines of one kind: some at once, and then one at intervals. Requests with forged addresses must not fill the
//! disk.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The number of lines that may be written at once.
const BURST: u32 = 20;
/// The interval of further lines.
const EVERY: Duration = Duration::from_secs(10);

/// The log lines of one kind.
#[derive(Debug, Default)]
pub(super) struct LogLimit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The time at which the lines so far no longer count.
    made_up_at: Option<Instant>,
    left_out: u64,
}

impl LogLimit {
    /// Whether a line may be written now. If so, returns how many were left out before it.
    pub(super) fn allow(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made_up_at = state.made_up_at.unwrap_or(now).max(now) + EVERY;
        if made_up_at > now + EVERY * BURST {
            state.left_out += 1;
            return None;
        }
        state.made_up_at = Some(made_up_at);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_written_and_then_a_line_now_and_again() {
        let (limit, now) = (LogLimit::default(), Instant::now());
        assert!((0..BURST).all(|_| limit.allow(now) == Some(0)));
        assert!((0..7).all(|_| limit.allow(now).is_none()));
        assert_eq!((limit.allow(now + EVERY), limit.allow(now + EVERY)), (Some(7), None));
        assert!((0..BURST).all(|_| limit.allow(now + EVERY * 100).is_some()), "after a while it is as at first");
    }
}
