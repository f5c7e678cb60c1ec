//! The metrics of webhooks, by webhook name.

use bootledger_aggregates::values::name::Name;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// The metrics. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Measurements {
    tries: IntCounterVec,
    failing: IntGaugeVec,
}

impl Measurements {
    /// Creates and registers the metrics.
    ///
    /// # Errors
    /// Returns an error if such metrics are already registered.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let measurements = Self {
            tries: IntCounterVec::new(
                Opts::new("bootledger_webhook_tries_total", "Messages sent to webhooks, by whether the receiver accepted them."),
                &["webhook", "outcome"],
            )?,
            failing: IntGaugeVec::new(
                Opts::new(
                    "bootledger_webhook_failing_aggregates",
                    "Aggregates with an event that cannot be delivered to the webhook.",
                ),
                &["webhook"],
            )?,
        };
        registry.register(Box::new(measurements.tries.clone()))?;
        registry.register(Box::new(measurements.failing.clone()))?;
        Ok(measurements)
    }

    pub(super) fn tried(&self, webhook: &Name, taken: bool) {
        let outcome = if taken { "taken" } else { "failed" };
        self.tries.with_label_values(&[webhook.as_str(), outcome]).inc();
    }

    pub(super) fn failing(&self, webhook: &Name, aggregates: usize) {
        self.failing.with_label_values(&[webhook.as_str()]).set(i64::try_from(aggregates).unwrap_or(i64::MAX));
    }

    /// Removes the metrics of a webhook to which this instance no longer delivers.
    pub(super) fn forget(&self, webhook: &Name) {
        // The metric does not exist if nothing was sent.
        drop(self.failing.remove_label_values(&[webhook.as_str()]));
    }
}
