//! What is measured of webhooks, by their names.

use bootledger_aggregates::values::name::Name;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// The measurements. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Measurements {
    tries: IntCounterVec,
    failing: IntGaugeVec,
}

impl Measurements {
    /// Makes them and registers them.
    ///
    /// # Errors
    /// Where there are such measurements already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let measurements = Self {
            tries: IntCounterVec::new(
                Opts::new("bootledger_webhook_tries_total", "Messages sent to webhooks, by whether they were taken."),
                &["webhook", "outcome"],
            )?,
            failing: IntGaugeVec::new(
                Opts::new("bootledger_webhook_failing_aggregates", "Aggregates with an event that a webhook fails to take."),
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

    /// Another instance, or nobody, tells the webhook from here on.
    pub(super) fn forget(&self, webhook: &Name) {
        // It is not there where nothing was sent.
        drop(self.failing.remove_label_values(&[webhook.as_str()]));
    }
}
