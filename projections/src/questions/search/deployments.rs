//! Deployments, by id, host name, address, interface, the reason of their end, and what failed.

use super::terms::{end_of, mac_beginning};
use super::{Group, Hit, Kind, LIMIT, Terms, joined};
use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::convert::inet;
use crate::rows::deployments::{self, Deployment};
use bootledger_aggregates::values::ids::DeploymentId;
use std::cmp::Reverse;
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

/// The ids of the deployments, with their ranks: 0 is a whole value, 1 the beginning of one, 2 a part of one.
async fn ranked(connection: &mut Connection, terms: &Terms, at: At) -> Result<Vec<(DeploymentId, i32)>> {
    let mut found = begun(connection, terms, at).await?;
    // A whole address or name means exactly that: 10.0.0.1 is not a part of 10.0.0.10.
    if terms.is_whole() && found.iter().any(|(_, rank)| *rank == 0) {
        found.retain(|(_, rank)| *rank == 0);
        return Ok(found);
    }
    // As for devices, parts of words are searched only if there are not enough beginnings.
    if i64::try_from(found.len()).is_ok_and(|found| found < LIMIT) && !terms.patterns.is_empty() {
        for (id, rank) in parts(connection, terms, at).await? {
            if !found.iter().any(|(known, _)| *known == id) {
                found.push((id, rank));
            }
        }
        found.sort_by_key(|(id, rank)| (*rank, Reverse(*id)));
        found.truncate(usize::try_from(LIMIT).unwrap_or(usize::MAX));
    }
    Ok(found)
}

/// The deployments with this value, or with a value that begins with it. Host name, address and interface of a deployment never
/// change, so those of the current row are also those of the past.
async fn begun(connection: &mut Connection, terms: &Terms, at: At) -> Result<Vec<(DeploymentId, i32)>> {
    let (low, high) = terms.ids.unzip();
    let mac = mac_beginning(terms);
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", min(rank) AS "rank!" FROM (
             (SELECT id, 0 AS rank FROM deployments
               WHERE valid_to IS NULL AND id BETWEEN $2::uuid AND $3::uuid ORDER BY id DESC LIMIT $7)
             UNION ALL
             (SELECT id, 0 FROM deployments WHERE valid_to IS NULL AND hostname = $4 ORDER BY id DESC LIMIT $7)
             UNION ALL
             (SELECT id, 0 FROM deployments WHERE valid_to IS NULL AND ip = $5::inet ORDER BY id DESC LIMIT $7)
             UNION ALL
             (SELECT id, 0 FROM deployments WHERE valid_to IS NULL AND mac = $6 ORDER BY id DESC LIMIT $7)
             UNION ALL
             (SELECT id, 1 FROM deployments WHERE valid_to IS NULL AND hostname ~>=~ $4 AND hostname ~<~ $8 LIMIT $7)
             UNION ALL
             (SELECT id, 1 FROM deployments WHERE valid_to IS NULL AND mac ~>=~ $9 AND mac ~<~ $10 LIMIT $7)
           ) AS found
           WHERE $1::bigint IS NULL OR EXISTS (
             SELECT 1 FROM deployments AS d
              WHERE d.id = found.id AND d.valid_from <= $1 AND (d.valid_to IS NULL OR d.valid_to > $1))
           GROUP BY id ORDER BY 2, 1 DESC LIMIT $7"#,
        at.position(),
        low as Option<Uuid>,
        high as Option<Uuid>,
        terms.hostname.as_ref().map_or(terms.lower.as_str(), |name| name.as_str()),
        terms.ip.map(inet),
        terms.mac.map(|mac| mac.to_string()),
        LIMIT,
        end_of(&terms.lower),
        mac,
        end_of(&mac)
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (DeploymentId(row.id), row.rank)).collect())
}

/// The deployments with the text in a word, in their note or ticket, in the reason of their end, or in what failed. At a past
/// position, these are deployments that had it then and still have it.
async fn parts(connection: &mut Connection, terms: &Terms, at: At) -> Result<Vec<(DeploymentId, i32)>> {
    // Notes, tickets and the reason of the end come later than the deployment, so a past version must have the text as well. What
    // plugins and installers report is known of now only.
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", min(rank) AS "rank!" FROM (
             (SELECT id, 2 AS rank FROM deployments
               WHERE valid_to IS NULL AND search LIKE ANY($2) ORDER BY id DESC LIMIT $3)
             UNION ALL
             (SELECT deployment, 3 FROM plugin_runs
               WHERE $1::bigint IS NULL AND status IN ('waiting', 'failed') AND lower(reason::text) LIKE ANY($2) LIMIT $3)
             UNION ALL
             (SELECT deployment, 3 FROM installations
               WHERE $1::bigint IS NULL AND valid_to IS NULL AND failing AND lower(text) LIKE ANY($2) LIMIT $3)
           ) AS found
           WHERE $1::bigint IS NULL OR EXISTS (
             SELECT 1 FROM deployments AS d
              WHERE d.id = found.id AND d.valid_from <= $1 AND (d.valid_to IS NULL OR d.valid_to > $1)
                AND d.search LIKE ANY($2))
           GROUP BY id ORDER BY 2, 1 DESC LIMIT $3"#,
        at.position(),
        &terms.patterns,
        LIMIT
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (DeploymentId(row.id), row.rank)).collect())
}
