//! A log for tests: events appended without gaps and in order, as the writer appends them, but with a placeholder hash chain.

use anyhow::Result;
use bootledger_aggregates::event::Event;
use bootledger_projections::database::log::{self, Filter};
use bootledger_projections::database::pool::{Connection, Pool};
use bootledger_projections::projector::project;
use bootledger_test_cluster::TestDatabase;
use cqrs_es::DomainEvent;
use time::{Duration, OffsetDateTime};

/// A stored event that has no position yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Written {
    pub(crate) aggregate_type: &'static str,
    pub(crate) aggregate_id: String,
    pub(crate) event_type: String,
    pub(crate) payload: String,
    pub(crate) actor: String,
    /// Seconds since the beginning of the test's log.
    pub(crate) second: i64,
}

/// When the log of every test begins: shortly before midnight, so that statistics span two days.
pub(crate) fn beginning() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000 - 1_800_000_000 % 86_400 + 86_400 - 40).expect("a time")
}

/// An event as the writer stores it.
pub(crate) fn written(event: &Event, actor: &str, second: i64) -> Written {
    let payload = |event: &dyn erased::Json| event.json();
    let (aggregate_type, aggregate_id, event_type, payload) = match event {
        Event::Deployment(id, e) => ("deployment", id.to_string(), e.event_type(), payload(e)),
        Event::Device(id, e) => ("device", id.to_string(), e.event_type(), payload(e)),
        Event::Site(id, e) => ("site", id.to_string(), e.event_type(), payload(e)),
        Event::Rack(id, e) => ("rack", id.to_string(), e.event_type(), payload(e)),
        Event::Network(id, e) => ("network", id.to_string(), e.event_type(), payload(e)),
        Event::DhcpServer(id, e) => ("dhcp_server", id.to_string(), e.event_type(), payload(e)),
        Event::Venture(id, e) => ("venture", id.to_string(), e.event_type(), payload(e)),
        Event::BootImage(id, e) => ("boot_image", id.to_string(), e.event_type(), payload(e)),
        Event::Token(id, e) => ("token", id.to_string(), e.event_type(), payload(e)),
        Event::User(id, e) => ("user", id.to_string(), e.event_type(), payload(e)),
        Event::Session(id, e) => ("session", id.to_string(), e.event_type(), payload(e)),
        Event::Drift(id, e) => ("drift", id.to_string(), e.event_type(), payload(e)),
        Event::Bulk(id, e) => ("bulk", id.to_string(), e.event_type(), payload(e)),
        Event::Secret(id, e) => ("secret", id.to_string(), e.event_type(), payload(e)),
        Event::Reservation(id, e) => ("reservation", id.to_string(), e.event_type(), payload(e)),
        Event::SavedView(id, e) => ("saved_view", id.to_string(), e.event_type(), payload(e)),
        Event::Webhook(id, e) => ("webhook", id.to_string(), e.event_type(), payload(e)),
    };
    Written { aggregate_type, aggregate_id, event_type, payload, actor: actor.to_owned(), second }
}

mod erased {
    pub(crate) trait Json {
        fn json(&self) -> String;
    }
    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).expect("events are JSON")
        }
    }
}

/// A test's database and its log.
pub(crate) struct History {
    pub(crate) pool: Pool,
    _database: TestDatabase,
}

impl History {
    pub(crate) async fn new(events: &[Written]) -> Result<Self> {
        let database = TestDatabase::create().await?;
        let pool = Pool::from(database.pool(4).await?);
        let history = Self { pool, _database: database };
        history.append(events).await?;
        Ok(history)
    }

    /// Appends events to the log and records the claims that they take, as the writer does.
    pub(crate) async fn append(&self, events: &[Written]) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        let first = log::last_position(&mut *transaction).await?;
        let position = first + i64::try_from(events.len())?;
        let metadata = |event: &Written| {
            serde_json::json!({"actor": event.actor, "correlation_id": format!("request {}", event.second)}).to_string()
        };
        sqlx::query(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                                 position, recorded_at, chain)
             SELECT n.type, n.id,
                    row_number() OVER (PARTITION BY n.type, n.id ORDER BY n.place)
                    + (SELECT count(*) FROM events o WHERE o.aggregate_type = n.type AND o.aggregate_id = n.id),
                    n.event_type, '1', n.payload::json, n.metadata::json, $1 + n.place, n.recorded_at,
                    decode(repeat('00', 32), 'hex')
             FROM UNNEST($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
                  WITH ORDINALITY AS n (type, id, event_type, payload, metadata, recorded_at, place)",
        )
        .bind(first)
        .bind(events.iter().map(|event| event.aggregate_type).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.aggregate_id.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.payload.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(metadata).collect::<Vec<_>>())
        .bind(events.iter().map(|event| beginning() + Duration::seconds(event.second)).collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await?;
        sqlx::query("UPDATE log_head SET position = $1").bind(position).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Writes rows into the write side's table of claims.
    pub(crate) async fn claim(&self, claims: &[(String, String, String)]) -> Result<()> {
        for (kind, value, holder) in claims {
            let claim = sqlx::query("INSERT INTO claims (kind, value, holder, position) VALUES ($1, $2, $3, 1)");
            claim.bind(kind).bind(value).bind(holder).execute(&self.pool).await?;
        }
        Ok(())
    }

    /// Projects the next `count` events and returns the position reached.
    pub(crate) async fn advance(&self, count: i64) -> Result<i64> {
        let mut transaction = self.pool.begin().await?;
        let position = bootledger_projections::projector::checkpoint::position(&mut *transaction).await?;
        let batch = log::read_after(&mut *transaction, position, count, Filter::default()).await?;
        let position = project(transaction.raw()?.0, &batch).await?;
        transaction.commit().await?;
        Ok(position)
    }

    /// Empties the views and resets the checkpoint.
    pub(crate) async fn forget(&self) -> Result<()> {
        for table in TABLES {
            sqlx::query(&format!("TRUNCATE views.{table}")).execute(&self.pool).await?;
        }
        sqlx::query("UPDATE checkpoint SET position = 0").execute(&self.pool).await?;
        Ok(())
    }

    /// Every row of every view as JSON, sorted.
    pub(crate) async fn rows(&self) -> Result<Vec<(&'static str, Vec<String>)>> {
        let mut connection = self.pool.acquire().await?;
        let mut all = vec![];
        for table in TABLES {
            all.push((table, rows(&mut connection, table).await?));
        }
        Ok(all)
    }
}

async fn rows(connection: &mut Connection, table: &str) -> Result<Vec<String>> {
    let statement = format!("SELECT to_jsonb(t)::text FROM {table} t ORDER BY to_jsonb(t)::text");
    Ok(sqlx::query_scalar(&statement).fetch_all(connection).await?)
}

/// Every view except the checkpoint.
pub(crate) const TABLES: [&str; 17] = [
    "parked",
    "catalogue",
    "devices",
    "deployments",
    "installations",
    "plugin_runs",
    "holdings",
    "dns_records",
    "dhcp_entries",
    "boot_targets",
    "dhcp_sites",
    "timeline",
    "statistics",
    "role_tallies",
    "site_tallies",
    "rack_tallies",
    "address_tallies",
];
