//! Detects whether established connections still work.
//!
//! A connection whose packets are dropped looks like one whose response takes long. Only a check from outside (the service's
//! canary) distinguishes them: an established connection does not respond while a new one does. Then all waits that began
//! before that moment end at once with an error, instead of at their limits, and no connection that was established before it
//! is used again.

use sqlx::Error;
use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The moments at which connections were found to be lost. Cheap to clone; all clones share them.
#[derive(Clone, Debug)]
pub struct Liveness(watch::Sender<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Connections that were established before this moment are lost.
    lost: Option<Instant>,
    /// Connections that were last used before this moment may be closed.
    doubted: Option<Instant>,
}

impl State {
    /// Whether connections established just before this moment are lost.
    fn has_lost(&self, moment: Instant) -> bool {
        self.lost.is_some_and(|lost| moment < lost)
    }
}

impl Default for Liveness {
    fn default() -> Self {
        Self(watch::Sender::new(State::default()))
    }
}

impl Liveness {
    /// Marks all connections that are established now as lost.
    pub fn lose(&self) {
        self.lose_before(Instant::now());
    }

    /// Marks all connections that were established before this moment as lost.
    pub fn lose_before(&self, moment: Instant) {
        self.0.send_modify(|state| state.lost = state.lost.max(Some(moment)));
    }

    /// Records that the other side closed a connection. Others may be closed too, so they are tested before they are used.
    pub fn doubt(&self) {
        self.0.send_modify(|state| state.doubted = Some(Instant::now()));
    }

    /// Whether a connection of this age is lost.
    pub(super) fn has_lost(&self, age: Duration) -> bool {
        self.0.borrow().lost.is_some_and(|lost| lost.elapsed() <= age)
    }

    /// Whether a connection that was idle for this long may be closed.
    pub(super) fn doubts(&self, idle: Duration) -> bool {
        self.0.borrow().doubted.is_some_and(|doubted| doubted.elapsed() <= idle)
    }

    /// A bound that ends waits that begin now.
    pub fn bound(&self) -> Bound {
        Bound { state: self.0.subscribe(), since: Instant::now() }
    }
}

/// Ends waits on connections that were established before the bound was created.
#[derive(Clone, Debug)]
pub struct Bound {
    state: watch::Receiver<State>,
    since: Instant,
}

impl Bound {
    /// When the bound was created.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Whether connections established when the bound was created are not lost.
    pub fn holds(&self) -> bool {
        !self.state.borrow().has_lost(self.since)
    }

    /// Runs work until it is done, the limit has passed, or connections are lost.
    ///
    /// # Errors
    /// Returns the error of the work, and an I/O error if the limit passes or connections are lost.
    pub async fn within<T, E: From<Error>>(&self, limit: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        tokio::select! {
            biased;
            outcome = work => outcome,
            () = self.broken() => Err(lost().into()),
            () = tokio::time::sleep(limit) => Err(late(limit).into()),
        }
    }

    /// Returns when connections established before the bound are lost.
    pub async fn broken(&self) {
        let mut state = self.state.clone();
        if state.wait_for(|state| state.has_lost(self.since)).await.is_err() {
            pending::<()>().await;
        }
    }
}

/// The error of a wait on a lost connection.
pub fn lost() -> Error {
    Error::Io(io::Error::new(ErrorKind::ConnectionAborted, "the connection to the database was lost"))
}

/// The error of a wait that exceeded its limit.
pub fn late(limit: Duration) -> Error {
    Error::Io(io::Error::new(ErrorKind::TimedOut, format!("the database did not answer within {} ms", limit.as_millis())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn waits_that_began_before_a_loss_end_and_later_ones_continue() {
        let liveness = Liveness::default();
        let before = liveness.bound();
        let waiting = tokio::spawn({
            let before = before.clone();
            async move { before.within(LONG, pending::<Result<(), Error>>()).await }
        });
        liveness.lose();
        assert!(waiting.await.expect("the task ends").is_err());
        assert!(!before.holds());
        assert!(before.within(LONG, pending::<Result<(), Error>>()).await.is_err(), "and so does one that begins too late");
        let after = liveness.bound();
        assert!(after.within(LONG, async { Ok::<_, Error>(()) }).await.is_ok());
        liveness.lose_before(after.since());
        assert!(after.holds(), "what is lost was established before it");
        let late = after.within(Duration::from_millis(1), pending::<Result<(), Error>>()).await;
        assert!(late.is_err_and(|error| error.to_string().contains("within 1 ms")));
    }

    #[test]
    fn connections_from_before_a_loss_are_not_reused() {
        let liveness = Liveness::default();
        assert!(!liveness.has_lost(LONG) && !liveness.doubts(LONG));
        liveness.lose();
        liveness.doubt();
        assert!(liveness.has_lost(LONG) && liveness.doubts(LONG));
        assert!(!liveness.has_lost(Duration::ZERO) && !liveness.doubts(Duration::ZERO), "made, or used, after it");
    }
}
