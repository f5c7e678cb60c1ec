//! Devices, by every value that they have. Tags and notes belong here, too, once devices have them.

use super::terms::{end_of, mac_beginning};
use super::{Group, Hit, Kind, LIMIT, Terms, joined};
use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::convert::inet;
use crate::rows::devices::{self, Device};
use bootledger_aggregates::values::ids::DeviceId;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// The devices that match: first by a whole value, then by the beginning of one, then by a part of a word.
pub(super) async fn find(connection: &mut Connection, terms: &Terms, at: At, limit: usize) -> Result<Option<Group>> {
    let ranked = ranked(connection, terms, at).await?;
    let ids: Vec<DeviceId> = ranked.iter().take(limit).map(|(id, _)| *id).collect();
    let known = devices::find_many(&mut *connection, &ids, at).await?;
    let mut known: HashMap<DeviceId, Device> = known.into_iter().map(|device| (device.id, device)).collect();
    let hits = ranked.iter().take(limit).filter_map(|(id, rank)| Some(hit(&known.remove(id)?, *rank == 0)));
    Ok(Group::of(Kind::Device, hits.collect(), ranked.len(), limit))
}

fn hit(device: &Device, exact: bool) -> Hit {
    let numbers = [&device.serial, &device.asset].into_iter().flatten().map(ToString::to_string);
    let names = device.hostnames.iter().map(ToString::to_string).chain(device.addresses.iter().map(Ipv4Addr::to_string));
    let label = device.called();
    let others = numbers.chain(names).chain(device.macs.iter().map(ToString::to_string)).filter(|value| *value != label).take(4);
    Hit { kind: Kind::Device, key: device.id.to_string(), parent: None, detail: joined(others), label, exact }
}

/// The ids of the devices, with their ranks: 0 is a whole value, 1 the beginning of one, 2 a part of one.
async fn ranked(connection: &mut Connection, terms: &Terms, at: At) -> Result<Vec<(DeviceId, i32)>> {
    let mut found = begun(connection, terms, at).await?;
    // A whole address or name means exactly that: 10.0.0.1 is not a part of 10.0.0.10.
    if terms.is_whole() && found.iter().any(|(_, rank)| *rank == 0) {
        found.retain(|(_, rank)| *rank == 0);
        return Ok(found);
    }
    // Parts of words are searched last: a beginning that many devices share, such as that of a manufacturer's MAC addresses, may
    // be a part of all of them.
    if i64::try_from(found.len()).is_ok_and(|found| found < LIMIT) && !terms.patterns.is_empty() {
        for (id, rank) in parts(connection, terms, at).await? {
            match found.iter_mut().find(|(known, _)| *known == id) {
                Some((_, known)) => *known = rank.min(*known),
                None => found.push((id, rank)),
            }
        }
        found.sort_by_key(|(id, rank)| (*rank, *id));
        found.truncate(usize::try_from(LIMIT).unwrap_or(usize::MAX));
    }
    Ok(found)
}

/// The devices with this value, or with a value that begins with it.
async fn begun(connection: &mut Connection, terms: &Terms, at: At) -> Result<Vec<(DeviceId, i32)>> {
    let (low, high) = terms.ids.unzip();
    let mac = mac_beginning(terms);
    // Names and management addresses are those of current rows. A past version must have them as well.
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", min(rank) AS "rank!" FROM (
             (SELECT split_part(holder, ' ', 2)::uuid AS id, 0 AS rank, true AS sure FROM holdings
               WHERE value = ANY($2) AND kind <> 'deployment' AND holder LIKE 'device %'
                 AND (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
               LIMIT $8)
             UNION ALL
             (SELECT id, 0, true FROM devices WHERE valid_to IS NULL AND id BETWEEN $5::uuid AND $6::uuid ORDER BY id LIMIT $8)
             UNION ALL
             (SELECT id, 0, false FROM devices WHERE valid_to IS NULL AND name = $9 ORDER BY id LIMIT $8)
             UNION ALL
             (SELECT id, 0, false FROM devices WHERE valid_to IS NULL AND management_address = $7::inet LIMIT $8)
             UNION ALL
             (SELECT id, 0, false FROM devices WHERE valid_to IS NULL AND management_host = $3 LIMIT $8)
             UNION ALL
             (SELECT split_part(holder, ' ', 2)::uuid, 1, true FROM holdings
               WHERE value ~>=~ $3 AND value ~<~ $4 AND kind <> 'deployment' AND holder LIKE 'device %'
                 AND (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
               LIMIT $8)
             UNION ALL
             (SELECT split_part(holder, ' ', 2)::uuid, 1, true FROM holdings
               WHERE value ~>=~ $10 AND value ~<~ $11 AND kind = 'mac' AND holder LIKE 'device %'
                 AND (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
               LIMIT $8)
           ) AS found
           WHERE $1::bigint IS NULL OR EXISTS (
             SELECT 1 FROM devices AS d
              WHERE d.id = found.id AND d.valid_from <= $1 AND (d.valid_to IS NULL OR d.valid_to > $1)
                AND (sure OR d.name = $9 OR d.management_address = $7::inet OR d.management_host = $3))
           GROUP BY id ORDER BY 2, 1 LIMIT $8"#,
        at.position(),
        &terms.exact(),
        terms.folded,
        end_of(&terms.folded),
        low as Option<Uuid>,
        high as Option<Uuid>,
        terms.ip.map(inet),
        LIMIT,
        terms.text,
        mac,
        end_of(&mac)
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (DeviceId(row.id), row.rank)).collect())
}

/// The devices with the text in a word. At a past position, these are devices that had it then and still have it.
async fn parts(connection: &mut Connection, terms: &Terms, at: At) -> Result<Vec<(DeviceId, i32)>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", rank AS "rank!" FROM (
             SELECT id, CASE WHEN lower(name) = $2 THEN 0 WHEN starts_with(lower(name), $2) THEN 1 ELSE 2 END AS rank
               FROM devices WHERE valid_to IS NULL AND search LIKE ANY($3) ORDER BY id LIMIT $4
           ) AS found
           WHERE $1::bigint IS NULL OR EXISTS (
             SELECT 1 FROM devices AS d
              WHERE d.id = found.id AND d.valid_from <= $1 AND (d.valid_to IS NULL OR d.valid_to > $1)
                AND d.search LIKE ANY($3))"#,
        at.position(),
        terms.folded,
        &terms.patterns,
        LIMIT
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (DeviceId(row.id), row.rank)).collect())
}
