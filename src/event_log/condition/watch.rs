//! Measures the disks every second, and checks whether a database that accepted no writes accepts them again, so that the
//! service recovers by itself.

use super::{Condition, Measured, Place};
use crate::database::checks::{Facts, connect};
use anyhow::Result;
use bootledger_projections::database::cause::Cause;
use bootledger_projections::database::pool::sessions::Sessions;
use bootledger_web::http::worker_status::WorkerStatus;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};
use sqlx::{Connection, Executor};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often the disks are measured.
const EVERY: Duration = Duration::from_secs(1);

/// How long a file system may take to report its free space, and the database to show that it accepts writes.
const PATIENCE: Duration = Duration::from_secs(3);

/// The probe needs new pages, which a full disk cannot provide, and leaves nothing behind.
const PROBE: &str = "BEGIN; CREATE TEMPORARY TABLE bootledger_space_probe ON COMMIT DROP AS \
                     SELECT repeat(md5(n::text), 8) AS filler FROM generate_series(1, 4096) AS n; ROLLBACK";

/// The worker that monitors disks and database.
pub struct Watch {
    condition: Condition,
    places: Vec<Place>,
    sessions: Sessions,
    gauges: Gauges,
    /// A measurement in progress. On a network file system that hangs, it may never end.
    measuring: Option<JoinHandle<Vec<Measured>>>,
}

struct Gauges {
    free: IntGaugeVec,
    size: IntGaugeVec,
    writable: IntGauge,
}

impl Gauges {
    fn register(registry: &Registry) -> Result<Self> {
        let of_place = |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &["place"]);
        let gauges = Self {
            free: of_place("bootledger_disk_free_bytes", "Free bytes of the disks that the service writes to")?,
            size: of_place("bootledger_disk_size_bytes", "Size in bytes of the disks that the service writes to")?,
            writable: IntGauge::new("bootledger_database_writable", "1 if the database accepts changes, otherwise 0")?,
        };
        registry.register(Box::new(gauges.free.clone()))?;
        registry.register(Box::new(gauges.size.clone()))?;
        registry.register(Box::new(gauges.writable.clone()))?;
        Ok(gauges)
    }
}

impl Watch {
    /// Creates a watch over these folders and this database.
    ///
    /// # Errors
    /// Returns an error if the registry already contains these metrics.
    pub fn new(condition: Condition, places: Vec<Place>, sessions: Sessions, registry: &Registry) -> Result<Self> {
        Ok(Self { condition, places, sessions, gauges: Gauges::register(registry)?, measuring: None })
    }

    /// Runs until `stopping` holds true.
    pub async fn run(mut self, status: WorkerStatus, mut stopping: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                measured = self.look() => if measured {
                    status.succeeded();
                } else {
                    status.failed_because("a file system did not report its free space in time");
                },
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
    }

    /// The measured space, or `None` if a file system does not respond in time. Then no further measurement is started either.
    async fn measure(&mut self) -> Option<Vec<Measured>> {
        let places = self.places.clone();
        let begin = || {
            tokio::task::spawn_blocking(move || {
                let measured = places.iter().map(|place| (place, place.measure()));
                let usable = measured.filter_map(|(place, measured)| match measured {
                    Ok(measured) => Some(measured),
                    Err(error) => {
                        tracing::debug!("the free space of {} cannot be measured: {error}", place.what);
                        None
                    }
                });
                usable.collect::<Vec<Measured>>()
            })
        };
        let measuring = self.measuring.get_or_insert_with(begin);
        let measured = tokio::time::timeout(PATIENCE, measuring).await.ok()?;
        self.measuring = None;
        measured.ok()
    }

    /// Returns false if a file system did not respond in time.
    async fn look(&mut self) -> bool {
        let measured = self.measure().await;
        let responded = measured.is_some();
        if let Some(measured) = measured {
            for place in &measured {
                let set = |gauge: &IntGaugeVec, value: u64| {
                    gauge.with_label_values(&[place.what.label()]).set(i64::try_from(value).unwrap_or(i64::MAX));
                };
                set(&self.gauges.free, place.free);
                set(&self.gauges.size, place.size);
            }
            self.condition.measured(Measured::each_disk_once(measured));
        }
        if let Some(failing) = self.condition.failing()
            && matches!(tokio::time::timeout(PATIENCE, self.takes_writes(failing.cause)).await, Ok(Ok(true)))
        {
            if failing.cause == Cause::ReadOnly {
                // A session that began read-only may remain so. It is closed first, so that no writer starts on such a session.
                self.sessions.liveness().lose();
            }
            self.condition.recovered();
        }
        self.gauges.writable.set(i64::from(self.condition.admit().is_ok() && self.condition.failing().is_none()));
        responded
    }

    /// Whether a new session of the database can write.
    async fn takes_writes(&self, cause: Cause) -> Result<bool> {
        let mut connection = connect(self.sessions.options()).await?;
        let writes = match cause {
            Cause::ReadOnly => Facts::read(&mut connection).await?.read_only().is_none(),
            _ => connection.execute(PROBE).await.is_ok(),
        };
        connection.close().await?;
        Ok(writes)
    }
}
