//! How far the log's hash chain was verified, and what the last verification found. This is not a view: the service writes it
//! while it verifies, and a rebuild does not change it.

use crate::error::Result;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;

/// How a log was altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alteration {
    /// The bytes of an event, or its chain value, were altered.
    Altered {
        /// The event's position.
        position: i64,
    },
    /// Events are missing or were inserted.
    Gap {
        /// The last position in order.
        after: i64,
        /// The position that follows it instead.
        found: i64,
    },
    /// The end of the log was cut off, or its head was altered.
    Cut {
        /// The position of the last event.
        ends: i64,
        /// The position in the head.
        head: i64,
    },
}

/// The state of the proof.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogVerification {
    /// Everything up to this position was verified; 0 if nothing was.
    pub position: i64,
    /// When the last successful verification ended.
    pub verified_at: Option<Timestamp>,
    /// Who started it.
    pub verified_by: Option<String>,
    /// When the log was last verified from its first event.
    pub whole_at: Option<Timestamp>,
    /// What the last verification found, and when.
    pub problem: Option<(Alteration, Timestamp)>,
    /// The verification in progress.
    pub running: Option<Running>,
}

/// A verification in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Who started it.
    pub by: String,
    /// Whether it began at the first event.
    pub whole: bool,
    /// The position that it has reached.
    pub reached: i64,
    /// The position at which it ends.
    pub until: i64,
}

/// The state of the proof.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and another error if the stored value cannot be read.
pub async fn find(executor: impl PgExecutor<'_>) -> Result<LogVerification> {
    let row = sqlx::query!(
        r#"SELECT position, verified_at, verified_by, whole_at, problem, found_at, run_by, run_whole, run_reached, run_until,
                  (run IS NOT NULL AND beat_at > clock_timestamp() - interval '30 seconds') AS "running!"
           FROM log_verification"#
    );
    let Some(row) = row.fetch_optional(executor).await? else { return Ok(LogVerification::default()) };
    let problem = row.problem.map(serde_json::from_value).transpose()?;
    let (by, whole, reached, until) = (row.run_by.unwrap_or_default(), row.run_whole, row.run_reached, row.run_until);
    Ok(LogVerification {
        position: row.position,
        verified_at: row.verified_at.map(Timestamp),
        verified_by: row.verified_by,
        whole_at: row.whole_at.map(Timestamp),
        problem: problem.zip(row.found_at.map(Timestamp)),
        running: row.running.then_some(Running { by, whole, reached, until }),
    })
}
