//! The TFTP server's Prometheus metrics, by outcome and reason only: file names and addresses are in the log.

use super::admission::Dropped;
use super::transfer::Outcome;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The metrics. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    transfers: IntCounterVec,
    dropped: IntCounterVec,
    /// Bytes of files that were sent, including repeated ones.
    pub(super) sent_bytes: IntCounter,
    /// Requests that are being answered.
    pub(super) running: IntGauge,
}

impl Counters {
    /// Creates and registers the metrics.
    ///
    /// # Errors
    /// Returns an error if such metrics are already registered.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counters = Self {
            transfers: IntCounterVec::new(
                Opts::new("bootledger_tftp_transfers_total", "TFTP requests, by result."),
                &["outcome"],
            )?,
            dropped: IntCounterVec::new(
                Opts::new("bootledger_tftp_dropped_total", "TFTP packets that were not answered, by reason."),
                &["reason"],
            )?,
            sent_bytes: IntCounter::new(
                "bootledger_tftp_sent_bytes_total",
                "Bytes of files sent over TFTP, including retransmissions.",
            )?,
            running: IntGauge::new("bootledger_tftp_transfers", "TFTP requests in progress.")?,
        };
        registry.register(Box::new(counters.transfers.clone()))?;
        registry.register(Box::new(counters.dropped.clone()))?;
        registry.register(Box::new(counters.sent_bytes.clone()))?;
        registry.register(Box::new(counters.running.clone()))?;
        // A rate needs the zero before the first event.
        for outcome in Outcome::ALL {
            counters.transfers.with_label_values(&[outcome.name()]).inc_by(0);
        }
        for reason in Dropped::ALL {
            counters.dropped.with_label_values(&[reason.name()]).inc_by(0);
        }
        Ok(counters)
    }

    pub(super) fn ended(&self, outcome: Outcome) {
        self.transfers.with_label_values(&[outcome.name()]).inc();
    }

    pub(super) fn dropped(&self, reason: Dropped) {
        self.dropped.with_label_values(&[reason.name()]).inc();
    }
}
