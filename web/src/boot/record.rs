//! Records which files were served, as events, after the answers are sent.
//!
//! A booting server must not wait for the event log, so served files are queued, and a task sends them to the domain. The queue
//! is bounded: if it is full, an answer waits some milliseconds for a place. A record that finds no place then is counted and
//! logged, never dropped silently. A record that was queued within the last minute is not queued again.

use super::table::Found;
use crate::application::Application;
use crate::auth::level::Level;
use crate::commands::{Command, CommandError, Context};
use bootledger_aggregates::deployment::SERVED_AGAIN_SECONDS;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;
use futures::{FutureExt, StreamExt};
use prometheus::{IntCounterVec, Opts};
use sha2::Digest;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

/// How many records may wait; an empty place costs nothing.
const QUEUE: usize = 100_000;

/// How long an answer waits for a place in the queue.
const PRESSURE: Duration = Duration::from_millis(5);

/// How many records are sent to the domain at the same time, so that the event log writes them in groups.
const AT_ONCE: usize = 64;

/// How long to wait before a record is sent again after the database did not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a stopping service waits for the records that are being sent.
const AT_THE_END: Duration = Duration::from_secs(3);

/// How many recorded files are remembered before those over a minute old are forgotten.
const REMEMBERED: usize = 10_000;

/// A file that was served.
#[derive(Clone, Debug)]
pub(super) struct Served {
    pub(super) deployment: DeploymentId,
    pub(super) file: Name,
    pub(super) sha256: Sha256,
    pub(super) client: Ipv4Addr,
    pub(super) at: Timestamp,
    /// Whether the server boots its disk at further network boots.
    pub(super) then_disk: bool,
}

/// The queue, and the recent records.
#[derive(Debug)]
pub(super) struct Recorder {
    queue: mpsc::Sender<Served>,
    waiting: Mutex<Option<mpsc::Receiver<Served>>>,
    told: Mutex<HashMap<(DeploymentId, Name), (Sha256, u64)>>,
    outcomes: Option<IntCounterVec>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::with_room_for(QUEUE)
    }
}

/// Queues the record of a file that a server received over TFTP, unless the same was recorded within the last minute.
pub(super) async fn given(application: &Application, served: Served) {
    let recorder = &application.boot.recorder;
    let news = recorder.is_news(served.deployment, &served.file, served.sha256, application.boot.seconds());
    if news || served.then_disk {
        recorder.tell(served).await;
    }
}

/// Records a boot loader that the server at this address received, if its deployment is in progress, like any other file:
/// firmware that fetches a loader and refuses to start it is noticed only by what it does not fetch afterwards.
pub(super) async fn loader_given(application: &Application, client: Ipv4Addr, name: &str, file: &Arc<File>) {
    let Found::Target(target) = application.boot.of_ip(client) else { return };
    // The name without its folder; a name that the log cannot store is not recorded.
    let Ok(name) = name.rsplit('/').next().unwrap_or(name).parse::<Name>() else { return };
    if target.image.files.contains_key(&name) {
        // The record would look like one of the image's own file.
        return;
    }
    let file = Arc::clone(file);
    let Ok(Ok(sha256)) = tokio::task::spawn_blocking(move || hash_of(&file)).await else { return };
    let (deployment, at) = (target.identity.deployment, (application.now)());
    given(application, Served { deployment, file: name, sha256, client, at, then_disk: false }).await;
}

/// How many hashes of loaders are kept.
const HASHES: usize = 64;

/// The hash of a loader. Hundreds of servers may fetch the same one in a minute, so it is kept while the file does not change.
fn hash_of(file: &File) -> io::Result<Sha256> {
    type Key = (u64, u64, SystemTime, u64);
    static KNOWN: LazyLock<Mutex<HashMap<Key, Sha256>>> = LazyLock::new(Mutex::default);
    let metadata = file.metadata()?;
    let key = (metadata.dev(), metadata.ino(), metadata.modified()?, metadata.len());
    if let Some(known) = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(*known);
    }
    let (mut hash, mut part, mut place) = (sha2::Sha256::new(), vec![0; 64 * 1024], 0);
    loop {
        let read = file.read_at(&mut part, place)?;
        if read == 0 {
            break;
        }
        hash.update(part.get(..read).unwrap_or_default());
        place += read as u64;
    }
    let sha256 = Sha256::new(hash.finalize().into());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= HASHES {
        known.clear();
    }
    known.insert(key, sha256);
    Ok(sha256)
}

impl Recorder {
    fn with_room_for(places: usize) -> Self {
        let (queue, waiting) = mpsc::channel(places);
        let outcomes =
            Opts::new("bootledger_boot_records_total", "Files served to booting servers, by what became of the record.");
        Self {
            queue,
            waiting: Mutex::new(Some(waiting)),
            told: Mutex::default(),
            outcomes: IntCounterVec::new(outcomes, &["outcome"]).ok(),
        }
    }

    /// Whether a file with this content was not recorded within the last minute; if so, it counts as recorded now. `now` is in
    /// seconds since any fixed time.
    pub(super) fn is_news(&self, deployment: DeploymentId, file: &Name, sha256: Sha256, now: u64) -> bool {
        let recent = |at: u64| now < at + SERVED_AGAIN_SECONDS.unsigned_abs();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= REMEMBERED {
            told.retain(|_, (_, at)| recent(*at));
        }
        let before = told.insert((deployment, file.clone()), (sha256, now));
        match before {
            Some((content, at)) if content == sha256 && recent(at) => {
                told.insert((deployment, file.clone()), (content, at));
                false
            }
            _ => true,
        }
    }

    /// Queues a record.
    pub(super) async fn tell(&self, served: Served) {
        let lost = match self.queue.try_send(served) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Closed(served)) => Some(served),
            Err(mpsc::error::TrySendError::Full(served)) => {
                let copy = served.clone();
                let sent = tokio::time::timeout(PRESSURE, self.queue.send(served)).await;
                (!matches!(sent, Ok(Ok(())))).then_some(copy)
            }
        };
        if let Some(served) = lost {
            self.count("lost");
            tracing::warn!(
                deployment.id = %served.deployment,
                "that {} was served to {} is not recorded: too many records wait for the event log",
                served.file,
                served.client
            );
        }
    }

    /// Sends the queued records to the domain until the service stops, and then those that still wait.
    pub(super) async fn run(&self, application: &Application) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(waiting) = waiting else {
            return;
        };
        if let Some(outcomes) = &self.outcomes {
            drop(application.metrics.register(Box::new(outcomes.clone())));
        }
        let mut records = ReceiverStream::new(waiting);
        let mut stopping = application.stopping.clone();
        // An error means that the sender no longer exists, so that the service is stopping as well.
        let stopped = async move { drop(stopping.wait_for(|stopping| *stopping).await) }.shared();
        let in_time = async {
            let until_then = (&mut records).take_until(stopped.clone());
            until_then.for_each_concurrent(AT_ONCE, |served| self.record(application, served)).await;
            records.close();
            (&mut records).for_each_concurrent(AT_ONCE, |served| self.record(application, served)).await;
        };
        let too_late = async {
            stopped.clone().await;
            tokio::time::sleep(AT_THE_END).await;
        };
        tokio::select! {
            () = in_time => {}
            () = too_late => tracing::warn!("the service stops before all that was served is recorded"),
        }
    }

    async fn record(&self, application: &Application, served: Served) {
        loop {
            let Served { deployment, file, sha256, client, at, then_disk } = served.clone();
            let context = Context {
                actor: format!("server {client}"),
                correlation_id: Uuid::now_v7().to_string(),
                causation_id: None,
                idempotency_key: None,
                level: Level::Viewer,
            };
            let command = Command::RecordBoot { deployment, file, sha256, client, at, then_disk };
            match application.commands.unguarded().execute(command, context).await {
                Ok(_) => return self.count("recorded"),
                Err(CommandError::Unavailable(_) | CommandError::Conflict(_)) if !*application.stopping.borrow() => {
                    tokio::time::sleep(AGAIN).await;
                }
                // The deployment ended while the record waited.
                Err(CommandError::Refused(_) | CommandError::NotFound(_)) => return self.count("refused"),
                Err(error) => {
                    self.count("lost");
                    tracing::error!(deployment.id = %deployment, "that {} was served is not recorded: {error}", served.file);
                    return;
                }
            }
        }
    }

    fn count(&self, outcome: &str) {
        if let Some(outcomes) = &self.outcomes {
            outcomes.with_label_values(&[outcome]).inc();
        }
    }
}
