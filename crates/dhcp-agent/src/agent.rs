//! The agent's step: fetch, check, replace, load, listen, confirm. Repeating it keeps a server current.

mod load;
mod report;

use super::disk::{Disk, Loaded};
use super::pause::back_off;
use super::reception::ReceptionCheck;
use super::reception_watch::Watch;
use super::server::Server;
use super::service::{Fetched, Place, Report, Service};
use super::{Arguments, command};
use anyhow::{Error, Result};
use bootledger_aggregates::values::sha256::Sha256;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The minimum pause after a successful step, however fast the service responds.
const BETWEEN_STEPS: Duration = Duration::from_millis(200);

/// The pause after a reload. Changes that arrive during the pause are loaded together.
const BETWEEN_RELOADS: Duration = Duration::from_millis(500);

/// The agent of one DHCP server.
#[derive(Debug)]
pub(crate) struct Agent {
    service: Arc<Service>,
    disk: Disk,
    server: Server,
    watch: Watch,
    wait: Duration,
    /// The configuration that the server runs, if known.
    loaded: Option<Loaded>,
    /// The configuration that the server failed to use.
    failed: Option<Failure>,
    /// Why the service has no configuration for the server, if it has none, as the service reported.
    withheld: Option<String>,
    /// The report that the service has not received yet.
    unsent: Option<Report>,
    /// How many consecutive requests to the service have failed.
    misses: u32,
    /// How long to wait for further changes.
    settled: Duration,
}

/// A configuration that the server failed to use. It is retried at increasing intervals, since the cause may have been the
/// machine. A newer configuration is tried at once.
#[derive(Debug)]
struct Failure {
    revision: Sha256,
    bytes: Vec<u8>,
    times: u32,
    message: String,
    again: Instant,
}

/// The result of a step.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The server has loaded this configuration, and the agent has confirmed it.
    Loaded { revision: Sha256, position: i64 },
    /// The server runs the same bytes as before, and the agent has confirmed that they are still current.
    Confirmed { revision: Sha256, position: i64 },
    /// Nothing has changed.
    Unchanged,
    /// The server runs the right configuration but receives no requests of clients. The agent reports that and confirms
    /// nothing.
    Deaf { message: String },
    /// The server receives its clients' requests again. The agent confirms the configuration next.
    Receives,
    /// The server failed to use this configuration and keeps the previous one. The agent reports that.
    Failed { revision: Sha256, message: String },
    /// The service cannot write the site's configuration for this kind of server, which keeps the previous one. The agent
    /// reports that.
    Withheld { message: String },
    /// The service could not be reached, or the agent's own files could not be used. A pending report is kept.
    Away { error: Error },
}

impl Agent {
    /// Creates the agent of a server, and determines which configuration the server runs. Fails if a path or the token cannot
    /// be used.
    pub(crate) async fn new(arguments: &Arguments) -> Result<Self> {
        let disk = Disk::new(&arguments.config)?;
        let loaded = disk.loaded()?;
        Ok(Self {
            service: Arc::new(Service::new(arguments, super::token(arguments).await?)?),
            server: Server::new(arguments)?,
            watch: Watch::new(ReceptionCheck::new(arguments.kind, &arguments.config)),
            wait: Duration::from_secs(if arguments.once { 0 } else { arguments.wait }),
            disk,
            loaded,
            failed: None,
            withheld: None,
            unsent: None,
            misses: 0,
            settled: Duration::ZERO,
        })
    }

    /// Waits for changes and applies them.
    pub(crate) async fn step(&mut self) -> Outcome {
        self.settled = Duration::ZERO;
        match self.try_step().await {
            Ok(outcome) => outcome,
            Err(error) => self.missed(error),
        }
    }

    /// Fails only if the agent's own files cannot be read or written.
    async fn try_step(&mut self) -> Result<Outcome> {
        if self.unsent.is_some()
            && let Err(outcome) = self.deliver_report().await?
        {
            return Ok(outcome);
        }
        // If another program changed the server's file, the server will not run the right configuration after its next restart.
        if self.loaded.is_some() && self.disk.loaded()?.map(|loaded| loaded.revision) != self.loaded.map(|loaded| loaded.revision)
        {
            self.loaded = None;
        }
        // The same applies to a server that was upgraded and needs a different form of the file; and reservations can be
        // changed one by one only after all of them are known.
        if let Some(loaded) = self.loaded
            && (self.server.needs_all(loaded.revision) || self.server.is_otherwise(self.disk.configuration()).await)
        {
            self.loaded = None;
        }
        let now = Instant::now();
        let (have, confirmed, wait) = match (&self.failed, &self.loaded) {
            (Some(failure), _) => (Some(failure.revision), None, self.wait.min(failure.again.saturating_duration_since(now))),
            (None, Some(loaded)) => {
                let settled = loaded.confirmed.is_some() || self.watch.deaf().is_some();
                let wait = if settled { self.wait } else { Duration::ZERO };
                (Some(loaded.revision), loaded.confirmed, wait)
            }
            (None, None) => (None, None, self.wait),
        };
        let service = Arc::clone(&self.service);
        let mut fetch = pin!(service.fetch(have, confirmed, wait));
        let fetched = loop {
            tokio::select! {
                biased;
                fetched = &mut fetch => break fetched,
                () = sleep_until(self.watch.next()), if self.loaded.is_some() && self.failed.is_none() => {
                    if let Some(outcome) = self.listen().await? {
                        return Ok(outcome);
                    }
                }
            }
        };
        let fetched = match fetched {
            Ok(Ok(fetched)) => fetched,
            Ok(Err(message)) => return self.withhold(message).await,
            Err(error) => return Ok(self.missed(error)),
        };
        self.misses = 0;
        // Only a confirmation clears a reported failure, even a confirmation of the same bytes as before.
        if self.withheld.take().is_some() {
            self.loaded = self.loaded.map(|loaded| Loaded { confirmed: None, ..loaded });
        }
        match (fetched, self.failed.take()) {
            (Fetched::Same(place), Some(failure)) => {
                if Instant::now() < failure.again {
                    self.failed = Some(failure);
                    return Ok(Outcome::Unchanged);
                }
                self.apply(failure.bytes, failure.revision, place, Some((failure.times, failure.message))).await
            }
            (Fetched::Same(place), None) => self.still_right(place).await,
            // The server still runs this revision, so the failure of a different one has ended.
            (Fetched::New { revision, place, .. }, _) if self.loaded.is_some_and(|loaded| loaded.revision == revision) => {
                self.loaded = self.loaded.map(|loaded| Loaded { confirmed: None, ..loaded });
                self.still_right(place).await
            }
            (Fetched::New { bytes, revision, place }, _) => self.apply(bytes, revision, place, None).await,
        }
    }

    /// How long to wait before the next step.
    pub(crate) fn pause(&self) -> Duration {
        match self.misses {
            0 => self.settled.max(BETWEEN_STEPS),
            misses => back_off(misses),
        }
    }

    /// Makes the next step retry a failure.
    #[cfg(test)]
    pub(crate) fn end_pause(&mut self) {
        if let Some(failure) = &mut self.failed {
            failure.again = Instant::now();
        }
    }

    /// Checks whether the server receives its clients' requests, and reports when it no longer does.
    async fn listen(&mut self) -> Result<Option<Outcome>> {
        let Some(loaded) = self.loaded else { return Ok(None) };
        if !self.watch.look(&self.server, loaded.revision).await {
            return Ok(None);
        }
        // Only a confirmation clears a reported failure, and it has to be a new one.
        let loaded = Loaded { confirmed: None, ..loaded };
        self.loaded = Some(loaded);
        self.disk.note(loaded)?;
        match self.watch.deaf().map(str::to_owned) {
            Some(message) => self.deafened(loaded.revision, None, message).await.map(Some),
            None => Ok(Some(Outcome::Receives)),
        }
    }

    /// Confirms unchanged bytes, but only if an event may have changed them since, because a confirmation is an event, too.
    async fn still_right(&mut self, place: Place) -> Result<Outcome> {
        let Some(loaded) = self.loaded else { return Ok(Outcome::Unchanged) };
        if loaded.confirmed.is_some_and(|confirmed| confirmed >= place.changed) {
            return Ok(Outcome::Unchanged);
        }
        if self.watch.deaf().is_none()
            && let Some(outcome) = self.listen().await?
        {
            return Ok(outcome);
        }
        if self.watch.deaf().is_some() || self.watch.doubts() {
            self.settled = BETWEEN_RELOADS;
            return Ok(Outcome::Unchanged);
        }
        self.unsent = Some(Report::ok(loaded.revision, place));
        Ok(match self.deliver_report().await? {
            Ok(()) => Outcome::Confirmed { revision: loaded.revision, position: place.current },
            Err(outcome) => outcome,
        })
    }

    /// Checks a configuration, puts it in place, loads and confirms it; on failure, restores the previous one and reports.
    /// `before` is the number of earlier attempts, and their error message.
    async fn apply(&mut self, bytes: Vec<u8>, revision: Sha256, place: Place, before: Option<(u32, String)>) -> Result<Outcome> {
        self.settled = BETWEEN_RELOADS;
        // Problems of this machine are reported to the operator, too: a full disk, a missing shell.
        if let Err(message) = self.load(&bytes, revision).await.unwrap_or_else(|error| Err(format!("{error:#}"))) {
            let (times, said) = before.unwrap_or_default();
            let times = times.saturating_add(1);
            // A repeated message is not reported again, so that a lasting failure is one event, not one per minute.
            let message = if command::say_the_same(&message, &said) { said } else { message };
            let again = Instant::now() + back_off(times);
            self.unsent = Some(Report::failed(Some((revision, place)), message.clone()));
            self.failed = Some(Failure { revision, bytes, times, message: message.clone(), again });
            return Ok(match self.deliver_report().await? {
                Ok(()) => Outcome::Failed { revision, message },
                Err(outcome) => outcome,
            });
        }
        // The server has accepted the configuration. If it receives no requests, restoring the previous one would change
        // nothing.
        if let Err(message) = self.watch.settle(&self.server, revision).await {
            return self.deafened(revision, Some(place), message).await;
        }
        self.unsent = Some(Report::ok(revision, place));
        Ok(match self.deliver_report().await? {
            Ok(()) => Outcome::Loaded { revision, position: place.current },
            Err(outcome) => outcome,
        })
    }

    fn missed(&mut self, error: Error) -> Outcome {
        self.misses = self.misses.saturating_add(1);
        Outcome::Away { error }
    }
}
