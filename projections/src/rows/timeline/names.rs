//! The names that things had at the time of an event, from the temporal views.
//!
//! A name that changes later does not change the lines about earlier events, and a line is the same whenever it is read.

use super::Line;
use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::holders::HolderNames;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::deployment::event::DeploymentEvent;
use bootledger_aggregates::device::event::DeviceEvent;
use bootledger_aggregates::event::Event;
use std::collections::HashMap;
use uuid::Uuid;

/// Adds the names to lines, with one query for all of them.
pub(super) async fn add(connection: &mut Connection, lines: &mut [Line]) -> Result<()> {
    let (mut positions, mut kinds, mut ids) = (vec![], vec![], vec![]);
    for line in &*lines {
        let holders = holders(line).into_iter().map(kind_and_id);
        for (kind, id) in [subject(line), parent(line)].into_iter().chain(holders).flatten() {
            positions.push(line.position);
            kinds.push(kind.to_owned());
            ids.push(id);
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"SELECT w.position AS "position!", w.id AS "id!",
                  CASE w.kind
                      WHEN 'deployment' THEN
                          (SELECT v.hostname FROM deployments v
                            WHERE v.id = w.id AND v.valid_from <= w.position ORDER BY v.valid_from DESC LIMIT 1)
                      WHEN 'device' THEN
                          (SELECT COALESCE(NULLIF(v.name, ''), v.serial, v.asset, v.macs[1]) FROM devices v
                            WHERE v.id = w.id AND v.valid_from <= w.position ORDER BY v.valid_from DESC LIMIT 1)
                      ELSE
                          (SELECT COALESCE(v.spec ->> 'name', v.spec #>> '{session,user}') FROM catalogue v
                            WHERE v.kind = w.kind AND v.key = w.id::text AND v.valid_from <= w.position
                            ORDER BY v.valid_from DESC LIMIT 1)
                  END AS name
           FROM UNNEST($1::bigint[], $2::text[], $3::uuid[]) AS w (position, kind, id)"#,
        &positions,
        &kinds,
        &ids
    );
    let rows = rows.fetch_all(connection).await?;
    let names: HashMap<_, _> = rows.into_iter().filter_map(|row| Some(((row.position, row.id), row.name?))).collect();
    for line in lines {
        let name = |thing: Option<(_, Uuid)>| thing.and_then(|(_, id)| names.get(&(line.position, id)).cloned());
        let with_name = |holder: Holder| Some((holder, name(kind_and_id(holder))?));
        let holders: HolderNames = holders(line).into_iter().filter_map(with_name).collect();
        (line.subject, line.parent, line.holders) = (name(subject(line)), name(parent(line)), holders);
    }
    Ok(())
}

/// The kind and id of the event's subject, if its aggregate's key is an id.
fn subject(line: &Line) -> Option<(&'static str, Uuid)> {
    match line.event.as_ref()? {
        Event::Deployment(id, _) => Some(("deployment", id.0)),
        Event::Device(id, _) => Some(("device", id.0)),
        Event::Token(id, _) => Some(("token", id.0)),
        Event::Session(id, _) => Some(("session", id.0)),
        _ => None,
    }
}

/// The devices and deployments that held the values that a failed plugin wanted.
fn holders(line: &Line) -> Vec<Holder> {
    match &line.event {
        Some(Event::Deployment(_, DeploymentEvent::PluginFailed { reason, .. })) => reason.holders(),
        _ => vec![],
    }
}

/// The kind and id of a holder; `None` if its key is no id, so that its stored form is its name.
fn kind_and_id(holder: Holder) -> Option<(&'static str, Uuid)> {
    match holder {
        Holder::Device(id) => Some(("device", id.0)),
        Holder::Deployment(id) => Some(("deployment", id.0)),
        Holder::Reservation(_) => None,
    }
}

/// The device that the event's subject was attached to or detached from.
fn parent(line: &Line) -> Option<(&'static str, Uuid)> {
    match line.event.as_ref()? {
        Event::Device(_, DeviceEvent::DeviceAttached { parent } | DeviceEvent::DeviceDetached { parent, .. }) => {
            Some(("device", parent.0))
        }
        _ => None,
    }
}
