//! What the log contains at the end, and the resources that the service uses.

use super::fixture::Fixture;
use anyhow::{Result, ensure};
use sqlx::Connection;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// How often each type of event was recorded for a request, and for an aggregate.
pub(super) struct Log {
    by_request: HashMap<(String, String), usize>,
    by_aggregate: BTreeMap<(String, String), usize>,
}

impl Log {
    pub(super) async fn read(fixture: &Fixture) -> Result<Self> {
        let mut connection = fixture.connect().await?;
        let rows: Vec<(String, String, String)> =
            sqlx::query_as("SELECT coalesce(metadata ->> 'correlation_id', ''), event_type, aggregate_id FROM events")
                .fetch_all(&mut connection)
                .await?;
        connection.close().await?;
        let mut log = Self { by_request: HashMap::new(), by_aggregate: BTreeMap::new() };
        for (request, event, aggregate) in rows {
            *log.by_request.entry((request, event.clone())).or_default() += 1;
            *log.by_aggregate.entry((aggregate, event)).or_default() += 1;
        }
        Ok(log)
    }

    pub(super) fn times(&self, request: &str, event: &str) -> usize {
        self.by_request.get(&(request.to_owned(), event.to_owned())).copied().unwrap_or_default()
    }

    /// Events that occur once in the life of a deployment but were recorded more often.
    pub(super) fn done_twice(&self) -> Vec<String> {
        const ONCE: [&str; 4] = ["DeploymentStarted", "DeploymentInProgress", "DeploymentDone", "DeploymentCancelled"];
        let twice = self.by_aggregate.iter().filter(|((_, event), times)| ONCE.contains(&event.as_str()) && **times > 1);
        twice.map(|((aggregate, event), times)| format!("{event} of {aggregate} is in the log {times} times")).collect()
    }

    /// Whether the aggregate has this event.
    pub(super) fn has(&self, aggregate: &str, event: &str) -> bool {
        self.by_aggregate.contains_key(&(aggregate.to_owned(), event.to_owned()))
    }
}

/// Memory in kB, and the number of database connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Footprint {
    memory: u64,
    connections: u64,
}

pub(super) async fn footprint(fixture: &Fixture) -> Result<Footprint> {
    let sql = "SELECT count(*)::text FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let connections = fixture.query(sql).await?.parse()?;
    Ok(Footprint { memory: fixture.service.memory("VmRSS")?, connections })
}

/// Waits until memory and connections are back to what they were before, within a tenth.
pub(super) async fn compare(fixture: &Fixture, before: &Footprint, limit: Duration) -> Result<()> {
    let begun = Instant::now();
    let mut interval = tokio::time::interval(Duration::from_millis(500));
    loop {
        let now = footprint(fixture).await?;
        let within = |now: u64, before: u64| now * 10 <= before * 11;
        if within(now.memory, before.memory) && within(now.connections, before.connections.max(10)) {
            eprintln!("memory and connections before {before:?}, after {now:?}");
            return Ok(());
        }
        ensure!(begun.elapsed() < limit, "memory and connections were {before:?} and are {now:?}");
        interval.tick().await;
    }
}
