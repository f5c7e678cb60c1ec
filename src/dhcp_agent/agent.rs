//! The agent's one step: fetch, check, replace, load, listen, confirm. Calling it again and again keeps a server current.

use super::disk::{self, Disk, Loaded};
use super::hearing::Ears;
use super::kea::Changes;
use super::listening::Watch;
use super::server::Server;
use super::service::{Delivery, Fetched, Place, Report, Service};
use super::{Arguments, LONGEST_PAUSE, command};
use anyhow::{Error, Result};
use bootledger_aggregates::values::sha256::Sha256;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The first pause after something went wrong.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The pause after a step that went well, whatever the service answers how fast.
const BETWEEN_STEPS: Duration = Duration::from_millis(200);

/// The pause after a reload: changes that arrive meanwhile are loaded together.
const BETWEEN_RELOADS: Duration = Duration::from_millis(500);

/// The most hosts that are changed one by one. Beyond, reading the whole file takes less time.
const MOST_CHANGES: usize = 1_000;

/// One DHCP server's agent.
#[derive(Debug)]
pub(crate) struct Agent {
    service: Arc<Service>,
    disk: Disk,
    server: Server,
    watch: Watch,
    wait: Duration,
    /// What the server runs, where that is known.
    loaded: Option<Loaded>,
    /// What the server could not use.
    failed: Option<Failure>,
    /// Why the service has no configuration for the server, where it has none; as it was told.
    withheld: Option<String>,
    /// What the service does not know yet.
    unsent: Option<Report>,
    /// How often in a row the service could not be asked or told.
    misses: u32,
    /// How long to let changes gather.
    settled: Duration,
}

/// A configuration that the server could not use. It is tried again, ever more rarely: the reason may have been the
/// machine's. Something newer is tried at once.
#[derive(Debug)]
struct Failure {
    revision: Sha256,
    bytes: Vec<u8>,
    times: u32,
    message: String,
    again: Instant,
}

/// What came of changing single hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    /// The server runs what it should.
    All,
    /// It runs what it ran before.
    Nothing,
    /// Nobody knows what it runs.
    Unclear,
}

/// What a step came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The server has loaded this, and it is confirmed.
    Loaded { revision: Sha256, position: i64 },
    /// The server runs the same bytes as before, and that these are still right is confirmed.
    Confirmed { revision: Sha256, position: i64 },
    /// There is no news.
    Unchanged,
    /// The server runs what it should, and hears no clients; that is reported, and nothing is confirmed.
    Deaf { message: String },
    /// The server hears its clients again; what it runs is confirmed next.
    Hears,
    /// The server could not use this and keeps what it has; that is reported.
    Failed { revision: Sha256, message: String },
    /// The service cannot write the site's configuration for this kind of server, which keeps what it has; that is reported.
    Withheld { message: String },
    /// The service could not be asked or told, or the agent's own files not be used. What is to be told is kept.
    Away { error: Error },
}

impl Agent {
    /// The agent of a server, which finds out what its server runs. Fails on a path or token that cannot be used.
    pub(crate) async fn new(arguments: &Arguments) -> Result<Self> {
        let disk = Disk::new(&arguments.config)?;
        let loaded = disk.loaded()?;
        Ok(Self {
            service: Arc::new(Service::new(arguments, super::token(arguments).await?)?),
            server: Server::new(arguments)?,
            watch: Watch::new(Ears::new(arguments.kind, &arguments.config)),
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

    /// Waits for news and acts on them.
    pub(crate) async fn step(&mut self) -> Outcome {
        self.settled = Duration::ZERO;
        match self.try_step().await {
            Ok(outcome) => outcome,
            Err(error) => self.missed(error),
        }
    }

    /// Fails only where the agent's own files cannot be read or written.
    async fn try_step(&mut self) -> Result<Outcome> {
        if self.unsent.is_some()
            && let Err(outcome) = self.tell().await?
        {
            return Ok(outcome);
        }
        // A server whose file was changed by somebody else does not run what it should after its next restart.
        if self.loaded.is_some() && self.disk.loaded()?.map(|loaded| loaded.revision) != self.loaded.map(|loaded| loaded.revision)
        {
            self.loaded = None;
        }
        // The same for one that was upgraded, and reads its file in other words; and reservations can be changed one by one only
        // after all of them are known.
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
        // Only a confirmation ends what was reported, be it of the same bytes as before.
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
            // The server was never taken from what it runs, so a failure of something else is over.
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

    /// Makes a failure be tried again at the next step.
    #[cfg(test)]
    pub(crate) fn end_pause(&mut self) {
        if let Some(failure) = &mut self.failed {
            failure.again = Instant::now();
        }
    }

    /// Looks whether the server hears its clients, and reports where it does not any more.
    async fn listen(&mut self) -> Result<Option<Outcome>> {
        let Some(loaded) = self.loaded else { return Ok(None) };
        if !self.watch.look(&self.server, loaded.revision).await {
            return Ok(None);
        }
        // Only a confirmation ends what was reported, and it has to be a new one.
        let loaded = Loaded { confirmed: None, ..loaded };
        self.loaded = Some(loaded);
        self.disk.note(loaded)?;
        match self.watch.deaf().map(str::to_owned) {
            Some(message) => self.deafened(loaded.revision, None, message).await.map(Some),
            None => Ok(Some(Outcome::Hears)),
        }
    }

    /// Reports that the server hears nobody.
    async fn deafened(&mut self, revision: Sha256, place: Option<Place>, message: String) -> Result<Outcome> {
        let mut report = Report::failed(None, message.clone());
        (report.revision, report.position) = (Some(revision), place.map(|place| place.current));
        self.unsent = Some(report);
        Ok(match self.tell().await? {
            Ok(()) => Outcome::Deaf { message },
            Err(outcome) => outcome,
        })
    }

    /// Confirms unchanged bytes, but only where an event may have changed them since: a confirmation is an event, too.
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
        Ok(match self.tell().await? {
            Ok(()) => Outcome::Confirmed { revision: loaded.revision, position: place.current },
            Err(outcome) => outcome,
        })
    }

    /// Has a configuration checked, puts it in place, has it loaded and confirms it; or puts everything back and reports.
    /// `before` is how often it was tried before, and what was said.
    async fn apply(&mut self, bytes: Vec<u8>, revision: Sha256, place: Place, before: Option<(u32, String)>) -> Result<Outcome> {
        self.settled = BETWEEN_RELOADS;
        // What is wrong with this machine is for the operator, too: a full disk, a missing shell.
        if let Err(message) = self.load(&bytes, revision).await.unwrap_or_else(|error| Err(format!("{error:#}"))) {
            let (times, said) = before.unwrap_or_default();
            let times = times.saturating_add(1);
            // The same words again are no news, so that a lasting failure is one event, not one a minute.
            let message = if command::say_the_same(&message, &said) { said } else { message };
            let again = Instant::now() + back_off(times);
            self.unsent = Some(Report::failed(Some((revision, place)), message.clone()));
            self.failed = Some(Failure { revision, bytes, times, message: message.clone(), again });
            return Ok(match self.tell().await? {
                Ok(()) => Outcome::Failed { revision, message },
                Err(outcome) => outcome,
            });
        }
        // The server has taken it. Where it hears nobody, to take it back would change nothing.
        if let Err(message) = self.watch.settle(&self.server, revision).await {
            return self.deafened(revision, Some(place), message).await;
        }
        self.unsent = Some(Report::ok(revision, place));
        Ok(match self.tell().await? {
            Ok(()) => Outcome::Loaded { revision, position: place.current },
            Err(outcome) => outcome,
        })
    }

    /// Makes the server run these bytes. The inner error is why it does not; it then runs what it ran before.
    async fn load(&mut self, bytes: &[u8], revision: Sha256) -> Result<Result<(), String>> {
        let changed = self.change(bytes, revision).await?;
        if changed == Changed::All {
            return Ok(Ok(()));
        }
        let file = match self.server.file(bytes, revision).await? {
            Ok(file) => file,
            Err(said) => return self.refused(said, changed).await,
        };
        let candidate = self.disk.write_candidate(&file)?;
        if let Err(said) = self.server.check(&file, candidate).await? {
            self.disk.drop_candidate()?;
            return self.refused(said, changed).await;
        }
        // From here until the server has loaded something, nobody knows what it runs.
        self.disk.forget()?;
        let before = self.disk.accept_candidate()?;
        let Err(said) = self.server.reload(Some(revision)).await? else {
            let loaded = Loaded { revision, file: disk::revision(&file), confirmed: None };
            self.disk.note(loaded)?;
            self.loaded = Some(loaded);
            self.server.serves(bytes, revision);
            return Ok(Ok(()));
        };
        let had = self.loaded.take();
        if !self.disk.restore(before)? {
            return Ok(Err(said));
        }
        // A file that was not known to be loaded before is not known to be a revision of the service's.
        let restored = self.disk.revision()?;
        let known = had.filter(|had| Some(had.file) == restored);
        if let Err(again) = self.server.reload(known.map(|known| known.revision)).await? {
            return Ok(Err(format!("{said}; and the old configuration cannot be loaded either: {again}")));
        }
        if let Some(known) = known {
            self.disk.note(known)?;
            self.loaded = Some(known);
        }
        Ok(Err(said))
    }

    /// Has the server change single hosts, where only those have changed, and brings its file in step. Its checker is not asked:
    /// the rest of the file is as it was, and the server has taken each host.
    async fn change(&mut self, bytes: &[u8], revision: Sha256) -> Result<Changed> {
        let Some(had) = self.loaded else { return Ok(Changed::Nothing) };
        let Some(served) = self.server.served_text(had.revision) else { return Ok(Changed::Nothing) };
        let begun = Instant::now();
        let changes = std::str::from_utf8(bytes).ok().and_then(|new| Changes::between(&served, new));
        let Some(changes) = changes.filter(|changes| changes.count() <= MOST_CHANGES) else { return Ok(Changed::Nothing) };
        self.disk.forget_soon()?;
        if let Err(said) = self.server.change(&changes, revision).await {
            tracing::warn!(said, "the server refused a change of single reservations; it reads its whole file instead");
            return Ok(Changed::Unclear);
        }
        tracing::info!(
            changes = changes.count(),
            milliseconds = begun.elapsed().as_secs_f64() * 1e3,
            "the server runs changed reservations"
        );
        // Should anything fail from here on, nothing is known to be loaded, and the whole file is.
        self.loaded = None;
        let Ok(file) = self.server.file(bytes, revision).await? else { return Ok(Changed::Unclear) };
        self.disk.write_candidate(&file)?;
        self.disk.accept_candidate()?;
        let loaded = Loaded { revision, file: disk::revision(&file), confirmed: None };
        self.disk.note(loaded)?;
        self.loaded = Some(loaded);
        self.server.serves(bytes, revision);
        self.settled = Duration::ZERO;
        Ok(Changed::All)
    }

    /// A configuration is refused before it was put in place. Where some hosts have changed by then, the server reads its old
    /// file.
    async fn refused(&mut self, said: String, changed: Changed) -> Result<Result<(), String>> {
        if changed != Changed::Unclear {
            return Ok(Err(said));
        }
        let had = self.loaded.take();
        if let Err(again) = self.server.reload(had.map(|had| had.revision)).await? {
            return Ok(Err(format!("{said}; and the old configuration cannot be loaded either: {again}")));
        }
        if let Some(had) = had {
            self.disk.note(had)?;
            self.loaded = Some(had);
        }
        Ok(Err(said))
    }

    /// Tells the service what it does not know yet. The inner error is what the step came to instead.
    async fn tell(&mut self) -> Result<Result<(), Outcome>> {
        let Some(report) = self.unsent.take() else { return Ok(Ok(())) };
        match self.service.report(&report).await {
            Delivery::Taken => {
                self.misses = 0;
                if report.ok
                    && let Some(loaded) = self.loaded.as_mut().filter(|loaded| report.revision == Some(loaded.revision))
                {
                    loaded.confirmed = report.position;
                    self.disk.note(*loaded)?;
                }
                Ok(Ok(()))
            }
            // What is refused now is made anew from the service's next answer, where it is still true.
            Delivery::Refused(error) => {
                self.withheld = None;
                Ok(Err(self.missed(error)))
            }
            Delivery::Away(error) => {
                self.unsent = Some(report);
                Ok(Err(self.missed(error)))
            }
        }
    }

    /// Reports once that there is no configuration, and asks again ever more rarely.
    async fn withhold(&mut self, message: String) -> Result<Outcome> {
        self.misses = self.misses.saturating_add(1);
        if self.withheld.as_ref() == Some(&message) {
            return Ok(Outcome::Unchanged);
        }
        self.withheld = Some(message.clone());
        self.unsent = Some(Report::failed(None, message.clone()));
        Ok(match self.tell().await? {
            Ok(()) => Outcome::Withheld { message },
            Err(outcome) => outcome,
        })
    }

    fn missed(&mut self, error: Error) -> Outcome {
        self.misses = self.misses.saturating_add(1);
        Outcome::Away { error }
    }
}

/// Doubles from a second to a minute; half of it is chance, so that a hundred agents do not come back at once.
pub(crate) fn back_off(times: u32) -> Duration {
    let whole = SHORTEST_PAUSE.saturating_mul(1 << times.saturating_sub(1).min(6)).min(LONGEST_PAUSE);
    whole.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_differ() {
        let pauses: Vec<f64> = (1..100).map(|times| back_off(times).as_secs_f64()).collect();
        assert!((0.5..=1.0).contains(&pauses[0]) && (1.0..=2.0).contains(&pauses[1]), "{pauses:?}");
        assert!(pauses[10..].iter().all(|pause| (30.0..=60.0).contains(pause)), "{pauses:?}");
        assert!(pauses[10..].windows(2).any(|pair| pair[0].to_bits() != pair[1].to_bits()), "{pauses:?}");
    }
}
