//! Conditions that limit this instance: a database that accepts no writes, and disks that are full or nearly full. The event
//! log checks them before it appends and reports the result of each append; readiness checks, metrics and the dashboard show
//! them.

mod space;
pub mod watch;

pub use space::{Measured, Place, SpaceLevel, What};

use crate::event_log::append::Rejection;
use bootledger_port::Concern;
use bootledger_projections::database::cause::{Cause, Impediment};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch as channel;

/// The conditions that limit this instance. Cheap to clone; all clones share the state.
#[derive(Clone, Debug)]
pub struct Condition(Arc<State>);

#[derive(Debug)]
struct State {
    failing: channel::Sender<Option<Impediment>>,
    places: Mutex<Vec<Measured>>,
}

impl Default for Condition {
    fn default() -> Self {
        Self(Arc::new(State { failing: channel::Sender::new(None), places: Mutex::default() }))
    }
}

impl Condition {
    /// Records that the database accepted no writes when it was opened, and why.
    pub fn begin(&self, read_only: Option<String>) {
        self.0.failing.send_replace(read_only.map(|message| Impediment { cause: Cause::ReadOnly, message }));
    }

    /// Refuses a batch if writing is known to fail. On the service's own disk, appends stop before the disk is full: when
    /// PostgreSQL cannot extend its write-ahead log, it stops and may not start again before there is space.
    pub(crate) fn admit(&self) -> Result<(), Impediment> {
        if let Some(impediment) = self.failing().filter(|impediment| impediment.cause == Cause::ReadOnly) {
            return Err(impediment);
        }
        let places = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        match places.iter().find(|place| place.what == What::Database && place.level == SpaceLevel::Full) {
            Some(place) => Err(Impediment { cause: Cause::DatabaseFull, message: place.to_string() }),
            None => Ok(()),
        }
    }

    /// Updates the condition from the result of an append.
    pub(crate) fn saw<T>(&self, result: &Result<T, Rejection>) {
        if let Err(Rejection::Impeded(impediment)) = result
            && matches!(impediment.cause, Cause::DatabaseFull | Cause::ReadOnly)
        {
            let changed = self.0.failing.send_if_modified(|failing| {
                let changed = failing.as_ref().is_none_or(|known| known.cause != impediment.cause);
                if changed {
                    *failing = Some(impediment.clone());
                }
                changed
            });
            if changed {
                tracing::error!("changes are refused: {}: {}", impediment.cause.sentence(), impediment.message);
            }
        }
    }

    /// Why writes fail, if they do.
    pub fn failing(&self) -> Option<Impediment> {
        self.0.failing.borrow().clone()
    }

    /// Records that writes work again.
    pub(crate) fn recovered(&self) {
        if self.0.failing.send_replace(None).is_some() {
            tracing::info!("the database accepts changes again");
        }
    }

    /// Returns when the database accepts writes.
    pub async fn writable(&self) {
        let mut failing = self.0.failing.subscribe();
        // The sender lives as long as `self`.
        drop(failing.wait_for(|failing| failing.as_ref().is_none_or(|known| known.cause != Cause::ReadOnly)).await);
    }

    /// Records the measured disk space, and logs what changed.
    pub(crate) fn measured(&self, now: Vec<Measured>) {
        let mut known = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        for place in &now {
            let before = known.iter().find(|known| known.what == place.what).map_or(SpaceLevel::Enough, |known| known.level);
            match place.level {
                level if level == before => {}
                SpaceLevel::Enough => tracing::info!("disk space is sufficient again: {place}"),
                SpaceLevel::Low => tracing::warn!("disk space is low: {place}"),
                SpaceLevel::Full => tracing::error!("no space is left: {place}"),
            }
        }
        *known = now;
    }

    /// The conditions that an operator should know about.
    pub fn concerns(&self) -> Vec<Concern> {
        let failing = self.failing().map(|Impediment { cause, message }| match cause {
            // Reading and booting continue, and the database may be a standby on purpose.
            Cause::ReadOnly => Concern { not_ready: false, sentence: format!("the database is read-only: {message}") },
            cause => Concern { not_ready: true, sentence: format!("changes are refused: {}", cause.sentence()) },
        });
        let places = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        let places = places.iter().filter_map(|place| match place.level {
            SpaceLevel::Enough => None,
            SpaceLevel::Low => Some(Concern { not_ready: false, sentence: format!("disk space is low: {place}; free some") }),
            SpaceLevel::Full => Some(Concern {
                not_ready: place.what == What::Database,
                sentence: format!("the disk is full: {place}; free some space"),
            }),
        });
        failing.into_iter().chain(places).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impeded(cause: Cause) -> Result<(), Rejection> {
        Err(Rejection::Impeded(Impediment { cause, message: "said PostgreSQL".to_owned() }))
    }

    fn place(what: What, free: u64) -> Measured {
        Measured::new(Place { what, folder: "/x".into() }, free, 100 << 30)
    }

    #[tokio::test]
    async fn appends_are_refused_on_a_read_only_database_and_tried_on_a_full_one() {
        let condition = Condition::default();
        condition.saw(&impeded(Cause::Timeout));
        assert!(condition.concerns().is_empty(), "a timeout passes");
        condition.saw(&impeded(Cause::DatabaseFull));
        assert!(condition.admit().is_ok(), "only a try shows whether there is space");
        assert!(condition.concerns()[0].not_ready);
        condition.saw(&impeded(Cause::ReadOnly));
        assert_eq!(condition.admit().expect_err("refused").cause, Cause::ReadOnly);
        assert!(!condition.concerns()[0].not_ready, "reads go on");
        condition.recovered();
        condition.writable().await;
        assert!(condition.admit().is_ok() && condition.concerns().is_empty());
    }

    #[test]
    fn appends_end_before_the_embedded_databases_disk_is_full() {
        let condition = Condition::default();
        condition.measured(vec![place(What::Database, 3 << 30)]);
        assert!(condition.admit().is_ok());
        assert!(condition.concerns()[0].sentence.contains("disk space is low"), "{:?}", condition.concerns());
        condition.measured(vec![place(What::Database, 10 << 20), place(What::Files, 0)]);
        assert_eq!(condition.admit().expect_err("refused").cause, Cause::DatabaseFull);
        let not_ready: Vec<bool> = condition.concerns().iter().map(|concern| concern.not_ready).collect();
        assert_eq!(not_ready, [true, false]);
        condition.measured(vec![place(What::Database, 90 << 30)]);
        assert!(condition.admit().is_ok() && condition.concerns().is_empty());
    }
}
