//! Events, by their number or by the correlation id that a request and its results share.

use super::{Group, Hit, Kind, LIMIT, Terms, joined};
use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;

/// The event with this number, and the events of the request with this correlation id, oldest first.
pub(super) async fn find(connection: &mut Connection, terms: &Terms, at: At, limit: usize) -> Result<Option<Group>> {
    let rows = sqlx::query!(
        r#"SELECT position AS "position!", event_type AS "event_type!", aggregate_type AS "aggregate_type!",
                  aggregate_id AS "aggregate_id!", actor AS "actor!" FROM (
             SELECT position, event_type, aggregate_type, aggregate_id, actor FROM timeline WHERE position = $2
             UNION
             (SELECT position, event_type, aggregate_type, aggregate_id, actor FROM timeline
               WHERE correlation_id = $3 ORDER BY position LIMIT $4)
           ) AS found
           WHERE $1::bigint IS NULL OR position <= $1 ORDER BY position LIMIT $4"#,
        at.position(),
        terms.number,
        terms.text,
        LIMIT
    );
    let rows = rows.fetch_all(connection).await?;
    let hits = rows.iter().take(limit).map(|row| Hit {
        kind: Kind::Event,
        key: row.position.to_string(),
        parent: None,
        label: format!("#{} {}", row.position, row.event_type),
        detail: joined([format!("{} {}", row.aggregate_type.replace('_', " "), row.aggregate_id), row.actor.clone()]),
        exact: true,
    });
    Ok(Group::of(Kind::Event, hits.collect(), rows.len(), limit))
}
