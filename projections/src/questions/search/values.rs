//! Addresses, MAC addresses and host names as objects of their own: who holds them, or held them before.

use super::terms::end_of;
use super::{Group, Hit, Kind, LIMIT, Terms};
use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::convert::{address, inet};
use crate::rows::{devices, reservations};
use bootledger_aggregates::claims::Holder;
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

/// The value that the text is, if it is one, and the held addresses of a range or with a beginning.
///
/// Each address and MAC address has a page, whether it was ever held or not. A host name is found once something had it.
pub(super) async fn find(connection: &mut Connection, terms: &Terms, at: At, limit: usize) -> Result<Vec<Group>> {
    let mut groups = vec![];
    let mut one = |kind, key: String| {
        let hit = Hit { kind, label: key.clone(), key, parent: None, detail: String::new(), exact: true };
        groups.extend(Group::of(kind, vec![hit], 1, 1));
    };
    if let Some(ip) = terms.ip {
        one(Kind::Address, ip.to_string());
    }
    if let Some(mac) = terms.mac {
        one(Kind::Mac, mac.to_string());
    }
    if let Some(name) = &terms.hostname
        && is_known(connection, name.as_str(), at).await?
    {
        one(Kind::Hostname, name.to_string());
    }
    if terms.range.is_some() || terms.begins_address() {
        groups.extend(addresses(connection, terms, at, limit).await?);
    }
    Ok(groups)
}

/// Whether anything has or had this host name.
async fn is_known(connection: &mut Connection, name: &str, at: At) -> Result<bool> {
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM holdings
                           WHERE kind = 'hostname' AND value = $2 AND ($1::bigint IS NULL OR valid_from <= $1))
               OR EXISTS (SELECT 1 FROM dns_records WHERE name = $2 AND ($1::bigint IS NULL OR valid_from <= $1)) AS "known!""#,
        at.position(),
        name
    );
    Ok(known.fetch_one(connection).await?)
}

/// The held addresses of a range or with a beginning, lowest first, with the labels of their devices or the notes of their
/// reservations.
async fn addresses(connection: &mut Connection, terms: &Terms, at: At, limit: usize) -> Result<Option<Group>> {
    let rows = match terms.range {
        Some(range) => {
            sqlx::query_as!(
                Raw,
                r#"SELECT ip AS "ip!", holder FROM holdings
                    WHERE (($1::bigint IS NULL AND valid_to IS NULL)
                           OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
                      AND ip IS NOT NULL AND ip BETWEEN $2 AND $3 ORDER BY ip LIMIT $4"#,
                at.position(),
                inet(range.network()),
                inet(range.broadcast()),
                LIMIT
            )
            .fetch_all(&mut *connection)
            .await?
        }
        None => {
            sqlx::query_as!(
                Raw,
                r#"SELECT ip AS "ip!", holder FROM (
                     SELECT ip, holder FROM holdings
                      WHERE (($1::bigint IS NULL AND valid_to IS NULL)
                             OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
                        AND kind = 'ip' AND ip IS NOT NULL AND value ~>=~ $2 AND value ~<~ $3 LIMIT $4
                   ) AS found ORDER BY ip"#,
                at.position(),
                terms.text,
                end_of(&terms.text),
                LIMIT
            )
            .fetch_all(&mut *connection)
            .await?
        }
    };
    let found = rows.len();
    let mut held = vec![];
    for row in rows.into_iter().take(limit) {
        held.push((address(row.ip)?, row.holder.parse::<Holder>()?));
    }
    let ids: HashSet<_> =
        held.iter().filter_map(|(_, holder)| if let Holder::Device(id) = holder { Some(*id) } else { None }).collect();
    let known = devices::find_many(&mut *connection, &ids.into_iter().collect::<Vec<_>>(), at).await?;
    let mut names: HashMap<Holder, String> =
        known.iter().map(|device| (Holder::Device(device.id), device.called_by_host())).collect();
    let reserved: Vec<Ipv4Addr> =
        held.iter().filter_map(|(_, holder)| if let Holder::Reservation(ip) = holder { Some(*ip) } else { None }).collect();
    for one in reservations::find_many(&mut *connection, &reserved, at).await? {
        names.insert(Holder::Reservation(one.ip), format!("reserved: {}", one.view.spec.note));
    }
    let hits = held.iter().map(|(ip, holder)| Hit {
        kind: Kind::Address,
        key: ip.to_string(),
        parent: None,
        label: ip.to_string(),
        detail: names.get(holder).cloned().unwrap_or_default(),
        exact: false,
    });
    Ok(Group::of(Kind::Address, hits.collect(), found, limit))
}

struct Raw {
    ip: ipnet::IpNet,
    holder: String,
}
