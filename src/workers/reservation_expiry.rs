//! Ends the reservations of addresses that have expired, so that the addresses are free again. An address becomes free with this
//! event, at most one period after the reservation's end.

use super::{BackgroundWork, Next};
use crate::commands::CommandService;
use crate::commands::administrator::by;
use anyhow::Result;
use bootledger_aggregates::actor::SystemActor;
use bootledger_port::{Command, Commands, ReservationAction};
use bootledger_projections::rows::reservations;
use std::time::Duration;

/// The maximum number of reservations that are ended at a time.
const BATCH: i64 = 100;

/// The worker that ends expired reservations.
pub struct Expiry {
    commands: CommandService,
}

impl Expiry {
    /// Creates a worker that sends its commands to this service.
    pub fn new(commands: CommandService) -> Self {
        Self { commands }
    }
}

impl BackgroundWork for Expiry {
    const NAME: &'static str = "reservation_expiry";
    const PERIOD: Duration = Duration::from_mins(1);

    async fn pass(&mut self) -> Result<Next> {
        let expired = reservations::expired(&self.commands.views, (self.commands.now)(), BATCH).await?;
        for ip in &expired {
            let command = Command::Reservation(ReservationAction::ExpireReservation(*ip));
            self.commands.execute(command, by(SystemActor::Service)).await?;
        }
        Ok(Next::Later)
    }
}
