//! DNS updates that the primaries have not yet accepted. This is not a view: the publisher maintains it, and a rebuild does not
//! change it.

use crate::error::{Error, Result};
use crate::rows::convert::cursor;
use bootledger_aggregates::problem::PublishProblem;
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::Serialize;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A record set that may differ from the one at its DNS primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DnsUpdate {
    /// The name of the records, without the final dot.
    pub name: String,
    /// The type of the records: `A` or `PTR`.
    #[serde(rename = "type")]
    pub r#type: String,
    /// Since when the update is pending.
    pub since: Timestamp,
    /// How many attempts have failed.
    pub attempts: u32,
    /// Why the last attempt failed; null before the first attempt has ended.
    #[serde(skip)]
    pub problem: Option<PublishProblem>,
    /// Whether the update failed because the primary has records that others created.
    pub conflict: bool,
    /// When the next attempt starts; during an attempt, when that attempt is abandoned.
    pub next_try: Timestamp,
}

impl DnsUpdate {
    /// The update's cursor in a list, for `after` of the next page.
    pub fn cursor(&self) -> String {
        format!("{} {}", self.name, self.r#type)
    }
}

/// Up to `limit` updates, by name and type.
///
/// # Errors
/// Returns `Error::Cursor` if `after` is not a cursor of this list, `Error::Database` if the query fails, and
/// `Error::DamagedJson` if a problem cannot be parsed.
pub async fn list(executor: impl PgExecutor<'_>, after: Option<&str>, limit: i64) -> Result<Vec<DnsUpdate>> {
    let after = cursor::<2>(after)?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT name, type AS "kind", since, attempts, problem, conflict, next_try FROM dns_work
            WHERE $1::text IS NULL OR (name, type) > ($1, $2) ORDER BY name, type LIMIT $3"#,
        after.as_ref().map(|parts| parts[0].as_str()),
        after.as_ref().map(|parts| parts[1].as_str()),
        limit
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(DnsUpdate::try_from).collect()
}

/// Up to `limit` updates in a zone, the oldest first.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::DamagedJson` if a problem cannot be parsed.
pub async fn in_zone(executor: impl PgExecutor<'_>, zone: &DomainName, limit: i64) -> Result<Vec<DnsUpdate>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT name, type AS "kind", since, attempts, problem, conflict, next_try FROM dns_work
            WHERE name = $1 OR right(name, length($1) + 1) = '.' || $1 ORDER BY since, name, type LIMIT $2"#,
        zone.as_str(),
        limit
    );
    rows.fetch_all(executor).await?.into_iter().map(DnsUpdate::try_from).collect()
}

struct Row {
    name: String,
    kind: String,
    since: OffsetDateTime,
    attempts: i32,
    problem: Option<serde_json::Value>,
    conflict: bool,
    next_try: OffsetDateTime,
}

impl TryFrom<Row> for DnsUpdate {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            name: row.name,
            r#type: row.kind,
            since: Timestamp(row.since),
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            problem: row.problem.map(serde_json::from_value).transpose()?,
            conflict: row.conflict,
            next_try: Timestamp(row.next_try),
        })
    }
}

/// How many record sets are not at their primary although an update was attempted, and since when the oldest of them.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn problems(executor: impl PgExecutor<'_>) -> Result<(i64, Option<Timestamp>)> {
    let row = sqlx::query!(r#"SELECT count(*) AS "count!", min(since) AS since FROM dns_work WHERE problem IS NOT NULL"#);
    let row = row.fetch_one(executor).await?;
    Ok((row.count, row.since.map(Timestamp)))
}
