//! Deployments, by id, host name, address, interface, the reason of their end, and what failed.

use super::{Group, Hit, Kind, LIMIT, Terms, joined};
use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::convert::inet;
use crate::rows::deployments::{self, Deployment};
use bootledger_aggregates::values::ids::DeploymentId;
use std::collections::HashMap;
use uuid::Uuid;

/// The deployments that match: first by a whole value, then by the beginning of a host name, by a part of a word, and by the
/// reason of a failure. Of equal ones, the newest comes first.
pub(super) async fn find(connection: &mut Connection, terms: &Terms, at: At, limit: usize) -> Result<Option<Group>> {
    let ranked = ranked(connection, terms, at).await?;
    let ids: Vec<DeploymentId> = ranked.iter().take(limit).map(|(id, _)| *id).collect();
    let known = deployments::find_many(&mut *connection, &ids, at).await?;
    let mut known: HashMap<DeploymentId, Deployment> = known.into_iter().map(|one| (one.id, one)).collect();
    let hits = ranked.iter().take(limit).filter_map(|(id, rank)| Some(hit(&known.remove(id)?, *rank == 0)));
    Ok(Group::of(Kind::Deployment, hits.collect(), ranked.len(), limit))
}

fn hit(deployment: &Deployment, exact: bool) -> Hit {
    let status = deployment.status.as_str().replace('_', " ");
    let detail = [deployment.ip.to_string(), status, deployment.reason.clone().unwrap_or_default()];
    let (key, label) = (deployment.id.to_string(), deployment.hostname.to_string());
    Hit { kind: Kind::Deployment, key, parent: None, label, detail: joined(detail), exact }
}

async fn ranked(connection: &mut Connection, terms: &Terms, at: At) -> Result<Vec<(DeploymentId, i32)>> {
    let (low, high) = terms.ids.unzip();
    // Host name, address and interface of a deployment never change. A reason is given at its end, so a past version must have
    // it as well. What plugins and installers report is known of now only.
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", min(rank) AS "rank!" FROM (
             (SELECT id, 0 AS rank, true AS sure FROM deployments
               WHERE valid_to IS NULL AND id BETWEEN $2::uuid AND $3::uuid ORDER BY id DESC LIMIT $8)
             UNION ALL
             (SELECT id, 0, true FROM deployments WHERE valid_to IS NULL AND hostname = $4 ORDER BY id DESC LIMIT $8)
             UNION ALL
             (SELECT id, 0, true FROM deployments WHERE valid_to IS NULL AND ip = $5::inet ORDER BY id DESC LIMIT $8)
             UNION ALL
             (SELECT id, 0, true FROM deployments WHERE valid_to IS NULL AND mac = $6 ORDER BY id DESC LIMIT $8)
             UNION ALL
             (SELECT id, CASE WHEN starts_with(hostname, $9) THEN 1 ELSE 2 END, true FROM deployments
               WHERE valid_to IS NULL AND search LIKE ANY($7) ORDER BY id DESC LIMIT $8)
             UNION ALL
             (SELECT id, 2, false FROM deployments
               WHERE valid_to IS NULL AND reason IS NOT NULL AND lower(reason) LIKE ANY($7) ORDER BY id DESC LIMIT $8)
             UNION ALL
             (SELECT deployment, 3, true FROM plugin_runs
               WHERE $1::bigint IS NULL AND status IN ('waiting', 'failed') AND lower(reason::text) LIKE ANY($7) LIMIT $8)
             UNION ALL
             (SELECT deployment, 3, true FROM installations
               WHERE $1::bigint IS NULL AND valid_to IS NULL AND failing AND lower(text) LIKE ANY($7) LIMIT $8)
           ) AS found
           WHERE $1::bigint IS NULL OR EXISTS (
             SELECT 1 FROM deployments AS d
              WHERE d.id = found.id AND d.valid_from <= $1 AND (d.valid_to IS NULL OR d.valid_to > $1)
                AND (sure OR lower(d.reason) LIKE ANY($7)))
           GROUP BY id ORDER BY 2, 1 DESC LIMIT $8"#,
        at.position(),
        low as Option<Uuid>,
        high as Option<Uuid>,
        terms.hostname.as_ref().map_or(terms.lower.as_str(), |name| name.as_str()),
        terms.ip.map(inet),
        terms.mac.map(|mac| mac.to_string()),
        &terms.patterns,
        LIMIT,
        terms.lower
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (DeploymentId(row.id), row.rank)).collect())
}
