//! Drift: differences between the configuration of a site's servers and the expected state, and the time of the last check.

use crate::error::Result;
use crate::rows::at::At;
use crate::rows::catalogue::Item;
use bootledger_aggregates::drift::{Difference, DriftKey, DriftProblem};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use utoipa::ToSchema;

/// A difference that currently exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drifted {
    /// The key of what differs: `SITE/dns/NAME/TYPE`, or `SITE/dhcp/SERVER`.
    pub key: DriftKey,
    /// The difference, its beginning and its repair.
    pub drift: DriftView,
}

/// A difference, its beginning and its repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftView {
    /// The found and expected values.
    #[serde(flatten)]
    pub difference: Difference,
    /// When a check first found the difference.
    pub since: Timestamp,
    /// The requested repair, until it is done.
    pub ordered: Option<Ordered>,
    /// Why the last requested repair failed.
    pub problem: Option<DriftProblem>,
}

/// A request to bring a server to the expected state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ordered {
    /// Who requested the repair.
    pub by: String,
    /// When the repair was requested.
    pub at: Timestamp,
}

/// The state of a site's comparisons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// When the last complete comparison ended; null before the first one.
    pub checked_at: Option<Timestamp>,
    /// The position of the views at the start of the last complete comparison.
    pub position: Option<i64>,
    /// How many record sets and DHCP servers were compared.
    pub compared: i64,
    /// Why other record sets and servers could not be compared. Differences found earlier remain listed for them.
    pub problems: Vec<DriftProblem>,
    /// When a comparison was last requested.
    pub requested_at: Option<Timestamp>,
    /// Since when a comparison has been running.
    pub under_way_since: Option<Timestamp>,
    /// When the next scheduled comparison starts; null if none is scheduled.
    pub next_check: Option<Timestamp>,
}

/// Up to `limit` differences of a site by key, after the cursor `after`.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn list(executor: impl PgExecutor<'_>, site: &Name, at: At, after: Option<&str>, limit: i64) -> Result<Vec<Drifted>> {
    let (from, to) = range(site);
    let rows = sqlx::query_as!(
        Item,
        r#"SELECT key, sequence, spec, retired FROM catalogue
            WHERE (($1::bigint IS NULL AND valid_to IS NULL)
                   OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
              AND kind = 'drift' AND NOT retired AND key COLLATE "C" > $2 AND key COLLATE "C" < $3
              AND ($4::text IS NULL OR key COLLATE "C" > $4)
            ORDER BY key COLLATE "C" LIMIT $5"#,
        at.position(),
        from,
        to,
        after,
        limit
    );
    let rows = rows.fetch_all(executor).await?;
    rows.into_iter().map(|row| Ok(Drifted { key: row.key.parse()?, drift: serde_json::from_value(row.spec)? })).collect()
}

/// How many differences a site has.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn count(executor: impl PgExecutor<'_>, site: &Name, at: At) -> Result<i64> {
    let (from, to) = range(site);
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM catalogue
            WHERE (($1::bigint IS NULL AND valid_to IS NULL)
                   OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
              AND kind = 'drift' AND NOT retired AND key COLLATE "C" > $2 AND key COLLATE "C" < $3"#,
        at.position(),
        from,
        to
    );
    Ok(count.fetch_one(executor).await?)
}

/// When a site was last compared, and when it is compared next; only for the present.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::DamagedJson` if the row cannot be parsed.
pub async fn check(executor: impl PgExecutor<'_>, site: &Name, now: Timestamp) -> Result<Check> {
    let row = sqlx::query!(
        r#"SELECT checked_at, position, compared, problems, requested_at, next_check,
                  CASE WHEN busy_until > $2 THEN started_at END AS "under_way_since"
             FROM drift_checks WHERE site = $1"#,
        site.as_str(),
        now.0
    );
    let Some(row) = row.fetch_optional(executor).await? else { return Ok(Check::default()) };
    Ok(Check {
        checked_at: row.checked_at.map(Timestamp),
        position: row.position,
        compared: row.compared,
        problems: serde_json::from_value(row.problems)?,
        requested_at: row.requested_at.map(Timestamp),
        under_way_since: row.under_way_since.map(Timestamp),
        next_check: row.next_check.map(Timestamp),
    })
}

/// How many differences each site has; sites without differences are left out.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn counts_by_site(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<(Name, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT split_part(key, '/', 1) AS "site!", count(*) AS "count!" FROM catalogue
            WHERE (($1::bigint IS NULL AND valid_to IS NULL)
                   OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
              AND kind = 'drift' AND NOT retired GROUP BY 1"#,
        at.position()
    );
    rows.fetch_all(executor).await?.into_iter().map(|row| Ok((row.site.parse()?, row.count))).collect()
}

/// The last comparison of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCheck {
    /// The site's code.
    pub site: Name,
    /// When the last complete comparison ended; `None` before the first one.
    pub checked_at: Option<Timestamp>,
    /// How many record sets and DHCP servers were compared.
    pub compared: i64,
    /// Why other record sets and servers could not be compared.
    pub problems: Vec<DriftProblem>,
}

/// The last comparison of each site that was ever to be compared; only for the present.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn last_checks(executor: impl PgExecutor<'_>) -> Result<Vec<LastCheck>> {
    let rows = sqlx::query!("SELECT site, checked_at, compared, problems FROM drift_checks");
    let checks = rows.fetch_all(executor).await?.into_iter().map(|row| {
        Ok(LastCheck {
            site: row.site.parse()?,
            checked_at: row.checked_at.map(Timestamp),
            compared: row.compared,
            problems: serde_json::from_value(row.problems)?,
        })
    });
    checks.collect()
}

/// The difference with this key, if there is one.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn find(executor: impl PgExecutor<'_>, key: &DriftKey, at: At) -> Result<Option<Drifted>> {
    let item = crate::rows::catalogue::find(executor, "drift", &key.to_string(), at).await?.filter(|item| !item.retired);
    item.map(|item| Ok(Drifted { key: item.key.parse()?, drift: serde_json::from_value(item.spec)? })).transpose()
}

/// The range of keys of a site: from `/` to the next character after it.
fn range(site: &Name) -> (String, String) {
    (format!("{site}/"), format!("{site}0"))
}

/// How many differences each site has, from the current views; sites without differences are left out.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn counts(executor: impl PgExecutor<'_>) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT split_part(key, '/', 1) AS "site!", count(*) AS "count!" FROM catalogue
           WHERE kind = 'drift' AND valid_to IS NULL AND NOT retired GROUP BY 1 ORDER BY 1"#
    );
    Ok(rows.fetch_all(executor).await?.into_iter().map(|row| (row.site, row.count)).collect())
}
