//! Ensures that each webhook in use has one courier, of this instance or of another.

use super::courier::Courier;
use super::measurements::Measurements;
use crate::commands::CommandService;
use crate::event_log::webhooks;
use crate::workers::heartbeat::Worker;
use crate::workers::{BackgroundWork, Next};
use anyhow::Context as _;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry, WebhookView};
use prometheus::Registry;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{Instrument, error, info_span};

/// How often to check for a webhook that needs a courier.
const POLL: Duration = Duration::from_secs(1);

/// Starts and stops the couriers of webhooks. Any number of instances may run.
pub struct Dispatcher {
    commands: CommandService,
    worker: Worker,
    measurements: Measurements,
    /// Notified when a courier has ended.
    ended: Arc<Notify>,
    projected: watch::Receiver<i64>,
    news: watch::Receiver<u64>,
    couriers: HashMap<Name, Running>,
    /// Whether the progress of a retired webhook may have to be deleted.
    forget: bool,
}

/// A courier of this instance.
struct Running {
    /// How many events the webhook had when the courier started.
    sequence: i64,
    begun: Instant,
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Dispatcher {
    /// Creates a dispatcher for the webhooks in the views.
    ///
    /// # Errors
    /// Returns an error if the metrics are already registered.
    pub fn new(commands: CommandService, worker: Worker, metrics: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            measurements: Measurements::register(metrics)?,
            ended: Arc::new(Notify::new()),
            projected: commands.feed.projected(),
            news: worker.news(),
            couriers: HashMap::new(),
            forget: true,
            commands,
            worker,
        })
    }

    /// Ends the couriers whose webhook has changed in any way, and starts missing ones.
    async fn start_and_end(&mut self) -> bootledger_projections::Result<()> {
        let webhooks = catalogue::webhooks(&self.commands.views, At::Now).await?;
        let message = webhooks.into_iter().filter(|webhook| webhook.spec.paused.is_none());
        let mut missing: HashMap<Name, _> = message.map(|webhook| (webhook.key.clone(), webhook)).collect();
        self.couriers.retain(|name, courier| {
            let unchanged = missing.get(name).is_some_and(|webhook| webhook.sequence == courier.sequence);
            if !unchanged {
                courier.end.send_replace(true);
            }
            // A courier that ended at once, because another instance delivers to the webhook, is not restarted at once.
            let ended = courier.task.is_finished() && (!unchanged || courier.begun.elapsed() >= POLL);
            if !ended {
                missing.remove(name);
            }
            !ended
        });
        for (name, webhook) in missing {
            let running = self.start(webhook);
            self.couriers.insert(name, running);
        }
        Ok(())
    }

    fn start(&self, webhook: Entry<WebhookView>) -> Running {
        let (end, ended) = watch::channel(false);
        let (sequence, span) = (webhook.sequence, info_span!("webhook", webhook = %webhook.key));
        let (commands, worker) = (self.commands.clone(), self.worker.clone());
        let (measurements, notify) = (self.measurements.clone(), self.ended.clone());
        let telling = async move {
            let courier = Courier::new(commands, worker, webhook, measurements);
            let message = async { courier?.run(ended).await };
            if let Err(error) = message.await {
                error!(error = %format!("{error:#}"), "cannot deliver to the webhook; retrying");
            }
            notify.notify_one();
        };
        Running { sequence, begun: Instant::now(), end, task: tokio::spawn(telling.instrument(span)) }
    }
}

impl BackgroundWork for Dispatcher {
    const NAME: &'static str = "webhooks";
    const PERIOD: Duration = POLL;

    async fn pass(&mut self) -> anyhow::Result<Next> {
        self.projected.mark_unchanged();
        self.news.mark_unchanged();
        let before = self.couriers.len();
        self.start_and_end().await.context("the list of webhooks cannot be read")?;
        self.forget |= self.couriers.len() < before;
        if self.forget {
            // Progress that is not deleted now is deleted the next time; nothing reads it.
            self.forget = webhooks::forget_retired(&self.commands.views).await.is_err();
        }
        Ok(Next::Later)
    }

    async fn wake(&mut self) {
        tokio::select! {
            _ = self.projected.changed() => {}
            () = self.ended.notified() => {}
            Ok(()) = self.news.changed() => {}
        }
    }

    /// Waits some seconds for outstanding responses.
    async fn stop(self) {
        for courier in self.couriers.values() {
            courier.end.send_replace(true);
        }
        for courier in self.couriers.into_values() {
            drop(courier.task.await);
        }
    }
}
