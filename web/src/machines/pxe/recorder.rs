//! Records which files were served, as events, after the answers are sent.
//!
//! A booting server must not wait for the event log, so served files are queued, and a task sends them to the domain. The queue
//! is bounded: if it is full, an answer waits some milliseconds for a place. A record that finds no place then is counted and
//! logged, never dropped silently. A record that was queued within the last minute is not queued again.

use crate::http::application::Application;
use bootledger_aggregates::deployment::SERVED_AGAIN_SECONDS;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{Command, CommandError, Context, DeploymentAction};
use futures::{FutureExt, StreamExt};
use prometheus::{IntCounterVec, Opts};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
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
    message: Mutex<HashMap<(DeploymentId, Name), (Sha256, u64)>>,
    outcomes: Option<IntCounterVec>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::with_room_for(QUEUE)
    }
}

impl Recorder {
    fn with_room_for(places: usize) -> Self {
        let (queue, waiting) = mpsc::channel(places);
        let outcomes = Opts::new("bootledger_boot_records_total", "Files served to booting servers, by result of recording.");
        Self {
            queue,
            waiting: Mutex::new(Some(waiting)),
            message: Mutex::default(),
            outcomes: IntCounterVec::new(outcomes, &["outcome"]).ok(),
        }
    }

    /// Whether a file with this content was not recorded within the last minute; if so, it counts as recorded now. `now` is in
    /// seconds since any fixed time.
    pub(super) fn is_news(&self, deployment: DeploymentId, file: &Name, sha256: Sha256, now: u64) -> bool {
        let recent = |at: u64| now < at + SERVED_AGAIN_SECONDS.unsigned_abs();
        let mut message = self.message.lock().unwrap_or_else(PoisonError::into_inner);
        if message.len() >= REMEMBERED {
            message.retain(|_, (_, at)| recent(*at));
        }
        let before = message.insert((deployment, file.clone()), (sha256, now));
        match before {
            Some((content, at)) if content == sha256 && recent(at) => {
                message.insert((deployment, file.clone()), (content, at));
                false
            }
            _ => true,
        }
    }

    /// Queues a record.
    pub(super) async fn enqueue(&self, served: Served) {
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
                "the fetch of {} by {} is not recorded: too many records wait for the event log",
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
            () = too_late => tracing::warn!("the service is stopping before all served files are recorded"),
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
                level: Role::Viewer,
            };
            let command = Command::Deployment(DeploymentAction::RecordBoot { deployment, file, sha256, client, at, then_disk });
            match application.commands.unguarded().execute(command, context).await {
                Ok(_) => return self.count("recorded"),
                Err(CommandError::Unavailable(_) | CommandError::Conflict(_)) if !*application.stopping.borrow() => {
                    tokio::time::sleep(AGAIN).await;
                }
                // The deployment ended while the record waited.
                Err(CommandError::Refused(_) | CommandError::NotFound(_)) => return self.count("refused"),
                Err(error) => {
                    self.count("lost");
                    tracing::error!(deployment.id = %deployment, "the fetch of {} is not recorded: {error}", served.file);
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
