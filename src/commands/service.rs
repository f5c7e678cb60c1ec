//! What the command service consists of. Its commands are in the other files of this folder.

use super::reservations::Reservations;
use crate::event_log::EventLog;
use crate::event_log::feed::Feed;
use crate::file_checks::Checkers;
use crate::outbound::Outbound;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_power::Queries;
use bootledger_projections::database::pool::Pool;
use bootledger_secrets::Secrets;
use std::time::Duration;
use tokio::sync::watch;

/// How often a command is decided again while others change the same things.
pub(crate) const TRIES: u32 = 64;

/// How long a command searches for an address or a name that is still free when it is appended.
pub(crate) const CHOOSING: Duration = Duration::from_secs(30);

/// How long a conflicting command waits for the views to show the change that it conflicts with.
pub(crate) const CATCH_UP: Duration = Duration::from_secs(5);

/// The command service. Cheap to clone.
#[derive(Clone)]
pub struct CommandService {
    pub(crate) log: EventLog,
    pub(crate) views: Pool,
    pub(crate) feed: Feed,
    pub(crate) now: fn() -> Timestamp,
    pub(crate) secrets: Secrets,
    pub(crate) outbound: Outbound,
    pub(crate) queries: Queries,
    /// How many power orders are in progress.
    pub(crate) orders: watch::Sender<usize>,
    /// The programs on this machine that check the files of other servers.
    pub(crate) checkers: Checkers,
    pub(super) reservations: Reservations,
}

impl CommandService {
    /// Creates a command service for this log and these views.
    pub fn new(log: EventLog, views: impl Into<Pool>, feed: Feed, now: fn() -> Timestamp, secrets: Secrets) -> Self {
        let (outbound, queries) = (Outbound::default(), Queries::default());
        let (orders, reservations) = (watch::Sender::new(0), Reservations::default());
        let checkers = Checkers::default();
        let (log, views) = (log.notifying(feed.clone()), views.into());
        Self { log, views, feed, now, secrets, outbound, queries, orders, checkers, reservations }
    }

    /// The same service, with the outgoing connections that the administrator of the machine allows.
    #[must_use]
    pub fn with_outbound(self, outbound: Outbound) -> Self {
        Self { outbound, ..self }
    }

    /// The same service, with these checkers for the files of other servers.
    #[must_use]
    pub fn with_checkers(self, checkers: Checkers) -> Self {
        Self { checkers, ..self }
    }

    /// The same service with other connections, for callers that must not use up the connections of others.
    #[must_use]
    pub fn over(&self, views: &Pool) -> Self {
        Self { views: views.clone(), ..self.clone() }
    }
}
