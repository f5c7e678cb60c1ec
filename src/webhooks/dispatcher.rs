//! Ensures that each webhook in use has one courier, of this instance or of another.

use super::courier::Courier;
use super::measurements::Measurements;
use crate::heartbeat::Worker;
use crate::ledger::Ledger;
use crate::store::webhooks;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, Entry, WebhookView};
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
    ledger: Ledger,
    worker: Worker,
    measurements: Measurements,
    /// Notified when a courier has ended.
    ended: Arc<Notify>,
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
    /// Creates a dispatcher for the webhooks in this ledger's views.
    ///
    /// # Errors
    /// Returns an error if the metrics are already registered.
    pub fn new(ledger: Ledger, worker: Worker, metrics: &Registry) -> prometheus::Result<Self> {
        Ok(Self { ledger, worker, measurements: Measurements::register(metrics)?, ended: Arc::new(Notify::new()) })
    }

    /// Runs until `stopping` holds true. Waits some seconds for outstanding responses.
    pub async fn run(&self, mut stopping: watch::Receiver<bool>) {
        let mut projected = self.ledger.feed.projected();
        let mut news = self.worker.news();
        let mut couriers = HashMap::new();
        let mut forget = true;
        while !*stopping.borrow() {
            projected.mark_unchanged();
            news.mark_unchanged();
            let before = couriers.len();
            if let Err(error) = self.pass(&mut couriers).await {
                error!(error = &error as &dyn std::error::Error, "it cannot be seen which webhooks there are; trying again");
            }
            forget |= couriers.len() < before;
            if forget {
                // Progress that is not deleted now is deleted the next time; nothing reads it.
                forget = webhooks::forget_retired(&self.ledger.views).await.is_err();
            }
            tokio::select! {
                _ = projected.changed() => {}
                () = self.ended.notified() => {}
                Ok(()) = news.changed() => {}
                () = tokio::time::sleep(POLL) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
        for courier in couriers.values() {
            courier.end.send_replace(true);
        }
        for courier in couriers.into_values() {
            drop(courier.task.await);
        }
    }

    /// Ends the couriers whose webhook has changed in any way, and starts missing ones.
    async fn pass(&self, couriers: &mut HashMap<Name, Running>) -> bootledger_projections::Result<()> {
        let webhooks = catalogue::webhooks(&self.ledger.views, At::Now).await?;
        let told = webhooks.into_iter().filter(|webhook| webhook.spec.paused.is_none());
        let mut missing: HashMap<Name, _> = told.map(|webhook| (webhook.key.clone(), webhook)).collect();
        couriers.retain(|name, courier| {
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
        couriers.extend(missing.into_iter().map(|(name, webhook)| (name, self.start(webhook))));
        Ok(())
    }

    fn start(&self, webhook: Entry<WebhookView>) -> Running {
        let (end, ended) = watch::channel(false);
        let (sequence, span) = (webhook.sequence, info_span!("webhook", webhook = %webhook.key));
        let (ledger, worker) = (self.ledger.clone(), self.worker.clone());
        let (measurements, notify) = (self.measurements.clone(), self.ended.clone());
        let telling = async move {
            let courier = Courier::new(ledger, worker, webhook, measurements);
            let told = async { courier?.run(ended).await };
            if let Err(error) = told.await {
                error!(error = %format!("{error:#}"), "the webhook cannot be told; trying again");
            }
            notify.notify_one();
        };
        Running { sequence, begun: Instant::now(), end, task: tokio::spawn(telling.instrument(span)) }
    }
}
