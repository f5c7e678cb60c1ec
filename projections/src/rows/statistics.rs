//! Statistics per day and site: the number of deployments, how they ended and how long they took.

use crate::error::Result;
use serde::Serialize;
use sqlx::PgExecutor;
use time::Date;
use utoipa::ToSchema;

/// A sum for a day (UTC) at a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Statistic {
    /// The day, in UTC, such as `2026-01-31`.
    #[schema(value_type = String, format = Date)]
    #[serde(serialize_with = "iso")]
    pub day: Date,
    /// The site's code.
    pub site: String,
    /// The measure: `deployments_started`, `deployments_done`, `deployments_cancelled`, `plugin_failures`, `open_seconds`
    /// (start to in progress) or `in_progress_seconds` (in progress to done).
    pub measure: String,
    /// The sum of the measure.
    pub amount: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes every field by reference")]
fn iso<S: serde::Serializer>(day: &Date, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

/// The sums of the days from `first` to `last`, both included, by day, site and measure.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn list(executor: impl PgExecutor<'_>, first: Date, last: Date) -> Result<Vec<Statistic>> {
    Ok(sqlx::query_as!(
        Statistic,
        "SELECT day, site, measure, amount FROM statistics WHERE day BETWEEN $1 AND $2 ORDER BY day, site, measure",
        first,
        last
    )
    .fetch_all(executor)
    .await?)
}
