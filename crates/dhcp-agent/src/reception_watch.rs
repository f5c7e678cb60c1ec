//! Monitors whether the server receives its clients' requests, also between reloads. A single failed check proves little, since
//! a restart looks the same; two in a row count. A server that stays deaf although the machine is in order has to read its
//! configuration again, a few times.

use super::pause::back_off;
use super::reception::{Deaf, Reception, ReceptionCheck};
use super::server::Server;
use bootledger_aggregates::values::sha256::Sha256;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often a server is checked that receives requests.
const EVERY: Duration = Duration::from_secs(5);
/// How soon a server is checked again that seems to be deaf.
const SOON: Duration = Duration::from_secs(1);
/// How many consecutive checks must find the server deaf.
const STRIKES: u32 = 2;
/// How long a server may take to open its sockets after a reload.
const SETTLING: Duration = Duration::from_secs(5);
/// How often the server is checked during that time.
const GLANCE: Duration = Duration::from_millis(200);
/// How many times a deaf server has to read its configuration again.
const MOST_RELOADS: u32 = 5;
/// The minimum time before a different reason is reported, because each report is an event.
const ANOTHER_REASON: Duration = Duration::from_secs(10);
/// A server that became deaf more often than this within [`A_WHILE`] must pass more checks each time before it counts as
/// receiving again, for up to a minute: a link that flaps must not fill the log.
const FLAPS: u32 = 3;
const MOST_FLAPS: u32 = FLAPS + 12;
const A_WHILE: Duration = Duration::from_mins(10);

/// The state of the agent's checks.
#[derive(Debug)]
pub(crate) struct Watch {
    reception_check: ReceptionCheck,
    /// When the next check is due.
    next: Instant,
    /// How many consecutive checks have found the server deaf.
    strikes: u32,
    /// Why the server receives no requests, once that is certain.
    deaf: Option<String>,
    /// Why the state cannot be determined, as last logged.
    unknown: Option<String>,
    /// When the last change was reported.
    reported_at: Instant,
    /// How often the server became deaf, each time soon after the last time.
    flaps: u32,
    /// How many consecutive checks have found that a deaf server receives requests again.
    good: u32,
    reloads: u32,
    reload_at: Instant,
}

impl Watch {
    pub(crate) fn new(reception_check: ReceptionCheck) -> Self {
        let now = Instant::now();
        Self {
            reception_check,
            next: now,
            strikes: 0,
            deaf: None,
            unknown: None,
            reported_at: now,
            flaps: 0,
            good: 0,
            reloads: 0,
            reload_at: now,
        }
    }

    /// When the next check is due.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Why the server receives no requests, if that is certain.
    pub(crate) fn deaf(&self) -> Option<&str> {
        self.deaf.as_deref()
    }

    /// Whether the last check found the server deaf, which is not yet certain.
    pub(crate) fn doubts(&self) -> bool {
        self.strikes > 0 && self.deaf.is_none()
    }

    /// Checks the server. Returns whether there is a change to report: the server has become deaf, is deaf for a different
    /// reason, or receives requests again.
    pub(crate) async fn look(&mut self, server: &Server, revision: Sha256) -> bool {
        let closely = self.strikes > 0;
        let reception = server.reception(&mut self.reception_check, revision, closely).await;
        self.next = Instant::now() + EVERY;
        let deaf = match reception {
            Reception::Receives => {
                self.good += 1;
                return self.good > self.flaps.saturating_sub(FLAPS) && self.receives();
            }
            Reception::Unknown(reason) => {
                self.is_unknown(reason);
                return false;
            }
            Reception::Deaf(deaf) => deaf,
        };
        self.next = Instant::now() + SOON;
        self.strikes = self.strikes.saturating_add(1);
        if self.strikes < STRIKES {
            return false;
        }
        self.good = 0;
        // The change is reported first, since a reload may take long.
        if deaf.reload && self.deaf.is_some() {
            self.reload(server, revision).await;
        }
        self.believe(deaf, Instant::now())
    }

    /// Checks the server after a reload, until it receives requests or its time has passed. The error is why it receives none.
    pub(crate) async fn settle(&mut self, server: &Server, revision: Sha256) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            match server.reception(&mut self.reception_check, revision, true).await {
                Reception::Receives => {
                    self.next = Instant::now() + EVERY;
                    self.receives();
                    return Ok(());
                }
                Reception::Unknown(reason) => {
                    self.next = Instant::now() + EVERY;
                    // The server that was deaf was a different process.
                    self.receives();
                    self.is_unknown(reason);
                    return Ok(());
                }
                Reception::Deaf(deaf) => {
                    // If the machine is the cause, waiting longer changes nothing.
                    let limit = if deaf.reload { SETTLING } else { SOON };
                    if begun.elapsed() >= limit {
                        self.next = Instant::now() + SOON;
                        (self.strikes, self.good) = (STRIKES, 0);
                        let message = deaf.message.clone();
                        self.believe(deaf, Instant::now());
                        self.deaf = Some(message.clone());
                        return Err(message);
                    }
                }
            }
            sleep(GLANCE).await;
        }
    }

    fn receives(&mut self) -> bool {
        (self.strikes, self.reloads, self.good, self.unknown) = (0, 0, 0, None);
        self.deaf.take().is_some()
    }

    /// Logs an unknown state once. It does not count as deafness: a server that worked without this check continues to work.
    fn is_unknown(&mut self, reason: String) {
        if self.deaf.is_none() {
            self.strikes = 0;
        }
        if self.unknown.as_ref() != Some(&reason) {
            tracing::warn!(
                reason,
                "the agent cannot check whether the server receives client requests; it confirms the configuration without this check"
            );
            self.unknown = Some(reason);
        }
    }

    fn believe(&mut self, deaf: Deaf, now: Instant) -> bool {
        let was = self.deaf.as_ref();
        let since = now.saturating_duration_since(self.reported_at);
        if was.is_some_and(|was| *was == deaf.message || since < ANOTHER_REASON) {
            return false;
        }
        if was.is_none() {
            self.flaps = if since < A_WHILE { (self.flaps + 1).min(MOST_FLAPS) } else { 0 };
        }
        self.reported_at = now;
        self.deaf = Some(deaf.message);
        true
    }

    async fn reload(&mut self, server: &Server, revision: Sha256) {
        if self.reloads >= MOST_RELOADS || Instant::now() < self.reload_at {
            return;
        }
        self.reloads += 1;
        self.reload_at = Instant::now() + back_off(self.reloads);
        tracing::warn!(
            times = self.reloads,
            "the server receives no client requests although its interfaces are up; reloading its configuration"
        );
        match server.reload(Some(revision)).await {
            Ok(Ok(())) => {}
            Ok(Err(message)) => tracing::warn!(message, "the server could not read its configuration again"),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "cannot make the server reload its configuration");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use std::path::Path;

    fn watch() -> Watch {
        Watch::new(ReceptionCheck::new(Kind::Isc, Path::new("/none")))
    }

    fn deaf(message: &str) -> Deaf {
        Deaf { message: message.to_owned(), reload: false }
    }

    #[test]
    fn another_reason_is_news_after_a_while_and_the_same_one_never() {
        let (mut watch, now) = (watch(), Instant::now());
        assert!(watch.believe(deaf("down"), now));
        assert!(!watch.believe(deaf("down"), now) && !watch.believe(deaf("no address"), now));
        let later = now + ANOTHER_REASON;
        assert!(!watch.believe(deaf("down"), later) && watch.believe(deaf("no address"), later));
        assert!(!watch.believe(deaf("no address"), later + A_WHILE));
        assert!(watch.receives() && !watch.receives());
    }

    #[test]
    fn a_link_that_flaps_is_believed_ever_later_and_one_that_was_quiet_at_once() {
        let (mut watch, now) = (watch(), Instant::now());
        for flaps in 1..=40 {
            assert!(watch.believe(deaf("down"), now));
            assert_eq!(watch.flaps, flaps.min(MOST_FLAPS));
            watch.receives();
        }
        assert_eq!(u64::from(MOST_FLAPS - FLAPS) * EVERY.as_secs(), 60, "up to a minute");
        assert!(watch.believe(deaf("down"), now + A_WHILE));
        assert_eq!(watch.flaps, 0);
    }

    #[test]
    fn an_unknown_state_ends_a_doubt() {
        let mut watch = watch();
        watch.strikes = 1;
        assert!(watch.doubts());
        watch.is_unknown("no process".to_owned());
        assert!(!watch.doubts() && watch.deaf().is_none());
    }
}
