//! What the agent reports to the service. A report that the service has not received is kept and sent again.

use super::super::service::{Delivery, Place, Report};
use super::{Agent, Outcome};
use anyhow::Result;
use bootledger_aggregates::values::sha256::Sha256;

impl Agent {
    /// Reports that the server receives no requests of clients.
    pub(super) async fn deafened(&mut self, revision: Sha256, place: Option<Place>, message: String) -> Result<Outcome> {
        let mut report = Report::failed(None, message.clone());
        (report.revision, report.position) = (Some(revision), place.map(|place| place.current));
        self.unsent = Some(report);
        Ok(match self.deliver_report().await? {
            Ok(()) => Outcome::Deaf { message },
            Err(outcome) => outcome,
        })
    }

    /// Sends the pending report to the service. The inner error is the result of the step instead.
    pub(super) async fn deliver_report(&mut self) -> Result<Result<(), Outcome>> {
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
            // A rejected report is created again from the service's next response, if it still applies.
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

    /// Reports once that there is no configuration, and queries again at increasing intervals.
    pub(super) async fn withhold(&mut self, message: String) -> Result<Outcome> {
        self.misses = self.misses.saturating_add(1);
        if self.withheld.as_ref() == Some(&message) {
            return Ok(Outcome::Unchanged);
        }
        self.withheld = Some(message.clone());
        self.unsent = Some(Report::failed(None, message.clone()));
        Ok(match self.deliver_report().await? {
            Ok(()) => Outcome::Withheld { message },
            Err(outcome) => outcome,
        })
    }
}
