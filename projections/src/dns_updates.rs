//! What DNS primaries have not taken yet. No view: the publisher keeps it, and a rebuild does not touch it.

use crate::convert::cursor;
use crate::error::Result;
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::Serialize;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Records of one name and type that may differ from those at their primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DnsUpdate {
    /// Their name, without the final dot.
    pub name: String,
    /// `A` or `PTR`.
    #[serde(rename = "type")]
    pub r#type: String,
    /// Since when.
    pub since: Timestamp,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Why the last try came to nothing; null before the first has ended.
    pub problem: Option<String>,
    /// Whether that is because the primary has records of somebody else.
    pub conflict: bool,
    /// When it is tried next; while it is being tried, when that is given up.
    pub next_try: Timestamp,
}

impl DnsUpdate {
    /// Its place in a list, for the next page's `after`.
    pub fn cursor(&self) -> String {
        format!("{} {}", self.name, self.r#type)
    }
}

/// Up to `limit` of them, by name and type.
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
    Ok(rows.into_iter().map(DnsUpdate::from).collect())
}

/// Up to `limit` of them in a zone, the oldest first.
pub async fn in_zone(executor: impl PgExecutor<'_>, zone: &DomainName, limit: i64) -> Result<Vec<DnsUpdate>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT name, type AS "kind", since, attempts, problem, conflict, next_try FROM dns_work
            WHERE name = $1 OR right(name, length($1) + 1) = '.' || $1 ORDER BY since, name, type LIMIT $2"#,
        zone.as_str(),
        limit
    );
    Ok(rows.fetch_all(executor).await?.into_iter().map(DnsUpdate::from).collect())
}

struct Row {
    name: String,
    kind: String,
    since: OffsetDateTime,
    attempts: i32,
    problem: Option<String>,
    conflict: bool,
    next_try: OffsetDateTime,
}

impl From<Row> for DnsUpdate {
    fn from(row: Row) -> Self {
        Self {
            name: row.name,
            r#type: row.kind,
            since: Timestamp(row.since),
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            problem: row.problem,
            conflict: row.conflict,
            next_try: Timestamp(row.next_try),
        }
    }
}

/// How many sets of records are not at their primary yet although that was tried, and since when the first.
pub async fn problems(executor: impl PgExecutor<'_>) -> Result<(i64, Option<Timestamp>)> {
    let row = sqlx::query!(r#"SELECT count(*) AS "count!", min(since) AS since FROM dns_work WHERE problem IS NOT NULL"#);
    let row = row.fetch_one(executor).await?;
    Ok((row.count, row.since.map(Timestamp)))
}
