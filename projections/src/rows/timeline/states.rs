//! What an event changed: the state of its aggregate in the views right before and right after it.
//!
//! Events such as `NetworkDefined` contain the whole new state. The difference between the two states is what a reader wants to
//! know. Both are read from the temporal views, so a line is the same whenever it is read.

use super::Line;
use crate::database::pool::Connection;
use crate::error::Result;
use serde_json::Value;
use sqlx::PgExecutor;
use std::collections::HashMap;
use uuid::Uuid;

/// The events whose sentence does not say everything that they changed.
const EDITS: [&str; 17] = [
    "SiteDefined",
    "RackDefined",
    "NetworkDefined",
    "DhcpServerDefined",
    "VentureDefined",
    "RoleDefined",
    "BootImageDefined",
    "BootFilePut",
    "WebhookDefined",
    "SecretScopeDefined",
    "UserRoleChanged",
    "DeviceChanged",
    "VentureRoleSet",
    "RoleAssigned",
    "FactsRecorded",
    "DeploymentNoted",
    "AddressReserved",
];

/// The states around an event, as the views have them.
#[derive(Clone, Debug, PartialEq)]
pub struct States {
    /// The state before the event.
    pub before: Value,
    /// The state after the event.
    pub after: Value,
}

/// Adds the states to the lines of edits, with one query for all of them. The first event of an aggregate has no state before it.
pub(super) async fn add(connection: &mut Connection, lines: &mut [Line]) -> Result<()> {
    let edits = lines.iter().filter(|line| line.sequence > 1 && EDITS.contains(&line.event_type.as_str()));
    let (mut positions, mut kinds, mut ids) = (vec![], vec![], vec![]);
    for line in edits {
        positions.push(line.position);
        kinds.push(line.aggregate_type.clone());
        ids.push(line.aggregate_id.clone());
    }
    if positions.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"SELECT w.position AS "position!",
                  CASE w.kind
                      WHEN 'device' THEN
                          (SELECT to_jsonb(v) - ARRAY['valid_from', 'valid_to', 'search'] FROM devices v
                            WHERE v.id = w.id::uuid AND v.valid_from < w.position ORDER BY v.valid_from DESC LIMIT 1)
                      WHEN 'deployment' THEN
                          (SELECT to_jsonb(v) - ARRAY['valid_from', 'valid_to', 'search'] FROM deployments v
                            WHERE v.id = w.id::uuid AND v.valid_from < w.position ORDER BY v.valid_from DESC LIMIT 1)
                      ELSE
                          -- A reservation after a release is a new one.
                          (SELECT CASE WHEN v.kind = 'reservation' AND v.retired THEN NULL ELSE v.spec END FROM catalogue v
                            WHERE v.kind = w.kind AND v.key = w.id AND v.valid_from < w.position
                            ORDER BY v.valid_from DESC LIMIT 1)
                  END AS before,
                  CASE w.kind
                      WHEN 'device' THEN
                          (SELECT to_jsonb(v) - ARRAY['valid_from', 'valid_to', 'search'] FROM devices v
                            WHERE v.id = w.id::uuid AND v.valid_from <= w.position ORDER BY v.valid_from DESC LIMIT 1)
                      WHEN 'deployment' THEN
                          (SELECT to_jsonb(v) - ARRAY['valid_from', 'valid_to', 'search'] FROM deployments v
                            WHERE v.id = w.id::uuid AND v.valid_from <= w.position ORDER BY v.valid_from DESC LIMIT 1)
                      ELSE
                          (SELECT v.spec FROM catalogue v
                            WHERE v.kind = w.kind AND v.key = w.id AND v.valid_from <= w.position
                            ORDER BY v.valid_from DESC LIMIT 1)
                  END AS after
           FROM UNNEST($1::bigint[], $2::text[], $3::text[]) AS w (position, kind, id)"#,
        &positions,
        &kinds,
        &ids
    );
    let rows = rows.fetch_all(connection).await?;
    let states = rows.into_iter().filter_map(|row| Some((row.position, States { before: row.before?, after: row.after? })));
    let mut states: HashMap<_, _> = states.collect();
    for line in lines {
        line.states = states.remove(&line.position);
    }
    Ok(())
}

/// The state of an object after the event at a position, as the views have it, and whether it was retired or decommissioned.
/// `kind` is a type of aggregate; `None` if the object did not exist, or if no such object can.
///
/// # Errors
/// Returns `Error::Database` if a query fails.
pub async fn state(executor: impl PgExecutor<'_>, kind: &str, id: &str, position: i64) -> Result<Option<(Value, bool)>> {
    let found = match (kind, id.parse::<Uuid>()) {
        ("device", Ok(id)) => sqlx::query!(
            r#"SELECT to_jsonb(v) - ARRAY['valid_from', 'valid_to', 'search'] AS "state!", decommissioned AS "ended!" FROM devices v
                   WHERE id = $1 AND valid_from <= $2 ORDER BY valid_from DESC LIMIT 1"#,
            id,
            position
        )
        .fetch_optional(executor)
        .await?
        .map(|row| (row.state, row.ended)),
        ("deployment", Ok(id)) => sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) - ARRAY['valid_from', 'valid_to', 'search'] AS "state!" FROM deployments v
               WHERE id = $1 AND valid_from <= $2 ORDER BY valid_from DESC LIMIT 1"#,
            id,
            position
        )
        .fetch_optional(executor)
        .await?
        .map(|state| (state, false)),
        ("device" | "deployment", Err(_)) => None,
        _ => sqlx::query!(
            "SELECT spec, retired FROM catalogue
             WHERE kind = $1 AND key = $2 AND valid_from <= $3 ORDER BY valid_from DESC LIMIT 1",
            kind,
            id,
            position
        )
        .fetch_optional(executor)
        .await?
        .map(|row| (row.spec, row.retired)),
    };
    Ok(found)
}
