//! Decides when packets are sent again to a silent client, and when the client is abandoned. Does no I/O: callers pass in the
//! time.

use std::time::Duration;
use tokio::time::Instant;

/// How long to wait for the first response; each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest of these waits, unless the client requested longer ones.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// How soon packets are sent again to a client that seems to have missed them.
const SUSPICION: Duration = Duration::from_millis(100);
/// How long to wait for a client that has never responded, since the source address of a request can be forged. The first
/// packet is repeated as often as [`Patience::new`] specifies; a client that has missed it repeats its request.
const UNKNOWN_LIMIT: Duration = Duration::from_secs(10);
/// How long a client that has responded before may be silent, in addition to twice its requested timeout.
const SILENCE_LIMIT: Duration = Duration::from_secs(20);
/// How long a whole transfer may take.
const TRANSFER_LIMIT: Duration = Duration::from_mins(30);

/// The timers of one transfer.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    timeout: Option<Duration>,
    wait: Duration,
    again: Instant,
    silent_at: Instant,
    end: Instant,
    /// How often packets may still be repeated to a client that has never responded; `None` once it has.
    unproven: Option<u32>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Wait until the next deadline.
    Nothing,
    /// Send the packets in transit again.
    Resend,
    /// Abandon the client.
    GiveUp,
}

impl Patience {
    /// Starts with the first packet, to a client that requested this timeout, if any. Until the client has responded, the
    /// packet is repeated at most `repeats` times.
    pub(super) fn new(timeout: Option<Duration>, repeats: u32, now: Instant) -> Self {
        let (again, silent_at, end) = (now + FIRST_WAIT, now + UNKNOWN_LIMIT, now + TRANSFER_LIMIT);
        Self { timeout, wait: FIRST_WAIT, again, silent_at, end, unproven: Some(repeats) }
    }

    /// Records that the client has acknowledged new blocks, and more were sent.
    pub(super) fn progress(&mut self, now: Instant) {
        self.unproven = None;
        self.wait = self.timeout.unwrap_or(FIRST_WAIT);
        self.again = now + self.wait;
        self.silent_at = now + SILENCE_LIMIT + 2 * self.timeout.unwrap_or_default();
    }

    /// Records that the client may have missed a packet.
    pub(super) fn suspect(&mut self, now: Instant) {
        self.again = self.again.min(now + SUSPICION);
    }

    /// Records that the packets in transit were sent again.
    pub(super) fn resent(&mut self, now: Instant) {
        self.unproven = self.unproven.map(|repeats| repeats.saturating_sub(1));
        self.wait = (self.wait * 2).min(LONGEST_WAIT.max(self.timeout.unwrap_or_default()));
        self.again = now + self.wait;
    }

    /// When to check again.
    pub(super) fn deadline(&self) -> Instant {
        let end = self.silent_at.min(self.end);
        if self.unproven == Some(0) { end } else { self.again.min(end) }
    }

    /// What to do at this time.
    pub(super) fn due(&self, now: Instant) -> Due {
        match now {
            _ if now >= self.silent_at.min(self.end) => Due::GiveUp,
            _ if now >= self.again && self.unproven != Some(0) => Due::Resend,
            _ => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which packets are repeated, and at which the client is abandoned.
    fn simulate(patience: &mut Patience, begun: Instant) -> (Vec<u64>, u64) {
        let mut again = vec![];
        loop {
            let now = patience.deadline();
            match patience.due(now) {
                Due::Resend => {
                    again.push((now - begun).as_secs());
                    patience.resent(now);
                }
                Due::GiveUp => return (again, (now - begun).as_secs()),
                Due::Nothing => panic!("nothing is due at the deadline"),
            }
        }
    }

    #[test]
    fn a_client_that_never_answers_is_abandoned_after_some_retries() {
        let now = Instant::now();
        for timeout in [None, Some(Duration::from_secs(255))] {
            for (repeats, expected) in [(0, vec![]), (1, vec![1]), (2, vec![1, 3])] {
                assert_eq!(simulate(&mut Patience::new(timeout, repeats, now), now), (expected, 10), "{timeout:?}");
            }
        }
    }

    #[test]
    fn a_client_that_falls_silent_is_waited_for_longer() {
        let now = Instant::now();
        let mut patience = Patience::new(None, 1, now);
        patience.progress(now);
        assert_eq!(simulate(&mut patience, now), (vec![1, 3, 7, 15], 20));
        let mut patience = Patience::new(Some(Duration::from_secs(10)), 1, now);
        patience.progress(now);
        assert_eq!(simulate(&mut patience, now), (vec![10, 20, 30], 40));
    }

    #[test]
    fn a_packet_that_seems_lost_is_sent_again_soon_and_once() {
        let now = Instant::now();
        let mut patience = Patience::new(None, 1, now);
        patience.progress(now);
        patience.suspect(now);
        assert_eq!(patience.deadline(), now + SUSPICION);
        assert_eq!(patience.due(now), Due::Nothing);
        // The client makes progress before that: it was only a duplicate acknowledgement.
        patience.progress(now);
        assert_eq!(patience.deadline(), now + FIRST_WAIT);
    }

    #[test]
    fn every_transfer_ends() {
        let now = Instant::now();
        let mut patience = Patience::new(None, 1, now);
        let late = now + TRANSFER_LIMIT;
        patience.progress(late - Duration::from_millis(1));
        assert_eq!(patience.due(late), Due::GiveUp);
    }
}
