//! Who acted and what events are about, by the names that people enter: a device by its name, serial number, MAC or address, a
//! deployment by its host name, a token by its name, and everything else by its key. Names and values that something had in the past
//! count as well: events are about them, too.

use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::holdings;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::event::KINDS;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::text::Text;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// How many devices and deployments one name can have at most, and how many similar names are suggested.
const MOST: i64 = 50;

/// Things that events are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    /// The devices, with everything that concerns their deployments.
    pub devices: Vec<DeviceId>,
    /// The deployments.
    pub deployments: Vec<DeploymentId>,
    /// Other aggregates: type and key.
    pub aggregates: Vec<(String, String)>,
}

impl Subjects {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.deployments.is_empty() && self.aggregates.is_empty()
    }

    pub(super) fn device_ids(&self) -> Vec<Uuid> {
        self.devices.iter().map(|id| id.0).collect()
    }

    pub(super) fn deployment_ids(&self) -> Vec<Uuid> {
        self.deployments.iter().map(|id| id.0).collect()
    }

    pub(super) fn kinds(&self) -> Vec<String> {
        self.aggregates.iter().map(|(kind, _)| kind.clone()).collect()
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.aggregates.iter().map(|(_, key)| key.clone()).collect()
    }
}

/// The results for a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The things that have exactly this name, or had it.
    pub subjects: Subjects,
    /// Names that contain the text, for a suggestion.
    pub similar: Vec<String>,
}

/// The things that have or had this name, regardless of upper and lower case; only those of one type if `kind` is a type, and none of the
/// types in `hidden`, which are other types than `device` and `deployment`.
///
/// # Errors
/// Returns `Error::Database` if a query fails.
pub async fn named_by(connection: &mut Connection, name: &str, kind: Option<&str>, hidden: &[&str]) -> Result<Named> {
    let wanted = |other: &str| kind.is_none_or(|kind| kind == other);
    let plain = name.parse::<MacAddress>().map_or_else(|_| name.to_lowercase(), |mac| mac.to_string());
    let like = format!("%{}%", plain.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
    let mut named = Named::default();
    if wanted("device") {
        let rows = sqlx::query!(
            r#"SELECT id, COALESCE(NULLIF(name, ''), serial, asset, macs[1], id::text) AS "label!",
                      (lower(name) = $1 OR lower(COALESCE(serial, '')) = $1 OR lower(COALESCE(asset, '')) = $1
                       OR $1 = ANY(macs) OR $1 = ANY(hostnames)
                       OR EXISTS (SELECT FROM UNNEST(addresses) AS a WHERE host(a) = $1)) AS "exact!"
               FROM devices WHERE valid_to IS NULL AND search LIKE $2 ORDER BY 3 DESC, name LIMIT $3"#,
            plain,
            like,
            MOST
        );
        for row in rows.fetch_all(&mut *connection).await? {
            if row.exact { named.subjects.devices.push(DeviceId(row.id)) } else { named.similar.push(row.label) }
        }
        let former = sqlx::query_scalar!(
            r#"SELECT DISTINCT id AS "id!" FROM devices WHERE name <> '' AND lower(name) = $1 LIMIT $2"#,
            plain,
            MOST
        );
        named.subjects.devices.extend(former.fetch_all(&mut *connection).await?.into_iter().map(DeviceId));
    }
    if wanted("deployment") {
        let rows = sqlx::query!(
            r#"SELECT id, hostname, (hostname = $1 OR host(ip) = $1 OR mac = $1) AS "exact!"
               FROM deployments WHERE valid_to IS NULL AND search LIKE $2 ORDER BY 3 DESC, id DESC LIMIT $3"#,
            plain,
            like,
            MOST
        );
        for row in rows.fetch_all(&mut *connection).await? {
            if row.exact { named.subjects.deployments.push(DeploymentId(row.id)) } else { named.similar.push(row.hostname) }
        }
    }
    let shown = |kind: &str| wanted(kind) && !hidden.contains(&kind);
    let kinds: Vec<String> = KINDS.iter().map(|(kind, _)| (*kind).to_owned()).filter(|kind| shown(kind)).collect();
    let rows = sqlx::query!(
        r#"SELECT k AS "kind!", key AS "key!" FROM UNNEST($1::text[]) AS k, UNNEST($2::text[]) AS key
           WHERE EXISTS (SELECT FROM timeline WHERE aggregate_type = k AND aggregate_id = key)"#,
        &kinds,
        &[name.to_owned(), name.to_lowercase()][..if name == name.to_lowercase() { 1 } else { 2 }]
    );
    for row in rows.fetch_all(&mut *connection).await? {
        match (row.kind.as_str(), row.key.parse::<Uuid>()) {
            ("device", Ok(id)) => named.subjects.devices.push(DeviceId(id)),
            ("deployment", Ok(id)) => named.subjects.deployments.push(DeploymentId(id)),
            _ => named.subjects.aggregates.push((row.kind, row.key)),
        }
    }
    let rows = sqlx::query!(
        r#"SELECT kind, key, COALESCE(spec ->> 'name', key) AS "label!",
                  (kind = 'token' AND lower(spec ->> 'name') = $1) AS "exact!"
           FROM catalogue
           WHERE valid_to IS NULL AND kind = ANY($4) AND kind <> 'session'
             AND (lower(key) LIKE $2 OR kind = 'token' AND lower(spec ->> 'name') LIKE $2)
           ORDER BY 4 DESC, key LIMIT $3"#,
        plain,
        like,
        MOST,
        &kinds
    );
    for row in rows.fetch_all(&mut *connection).await? {
        if row.exact { named.subjects.aggregates.push((row.kind, row.key)) } else { named.similar.push(row.label) }
    }
    for holder in holdings::ever_held(&mut *connection, &claimed(name), MOST).await? {
        match holder {
            Holder::Device(id) if wanted("device") => named.subjects.devices.push(id),
            Holder::Deployment(id) if wanted("deployment") => named.subjects.deployments.push(id),
            Holder::Reservation(ip) if wanted("reservation") => {
                named.subjects.aggregates.push(("reservation".to_owned(), ip.to_string()));
            }
            Holder::Device(_) | Holder::Deployment(_) | Holder::Reservation(_) => {}
        }
    }
    named.subjects.devices.sort();
    named.subjects.devices.dedup();
    named.subjects.deployments.sort();
    named.subjects.deployments.dedup();
    named.subjects.aggregates.sort();
    named.subjects.aggregates.dedup();
    named.similar.sort();
    named.similar.dedup();
    Ok(named)
}

/// The values that a name may be: kind and value as they are claimed. They can have had several holders, one after the other.
fn claimed(name: &str) -> Vec<(&'static str, String)> {
    let folded = name.parse::<Text>().map_or_else(|_| name.to_lowercase(), |text| text.folded());
    let mut values = vec![("serial", folded.clone()), ("asset", folded)];
    values.extend(name.parse::<Ipv4Addr>().ok().map(|ip| ("ip", ip.to_string())));
    values.extend(name.parse::<MacAddress>().ok().map(|mac| ("mac", mac.to_string())));
    values.extend(name.to_lowercase().parse::<Hostname>().ok().map(|name| ("hostname", name.to_string())));
    values
}

/// Those of these actors who caused an event up to a position.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn known_actors(connection: &mut Connection, wanted: &[String], last: i64) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        r#"SELECT DISTINCT a AS "actor!" FROM UNNEST($1::text[]) AS a
           WHERE EXISTS (SELECT FROM timeline WHERE actor = a AND position <= $2)"#,
        wanted,
        last
    );
    Ok(found.fetch_all(connection).await?)
}

/// Up to `most` of the actors who caused an event up to a position, without the servers that install themselves, which may be
/// many. Each is one step in the index.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn actors(connection: &mut Connection, last: i64, most: i64) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        r#"WITH RECURSIVE known (actor, step) AS (
               (SELECT actor, 1 FROM timeline ORDER BY actor LIMIT 1)
               UNION ALL
               SELECT (SELECT t.actor FROM timeline t WHERE t.actor > known.actor ORDER BY t.actor LIMIT 1), step + 1
               FROM known WHERE known.actor IS NOT NULL AND step < 2000
           )
           SELECT actor AS "actor!" FROM known
           WHERE actor IS NOT NULL AND actor <> '' AND actor NOT LIKE 'server %'
             AND EXISTS (SELECT FROM timeline t WHERE t.actor = known.actor AND t.position <= $1)
           LIMIT $2"#,
        last,
        most
    );
    Ok(found.fetch_all(connection).await?)
}

/// Names to suggest where someone enters what an event is about: the catalogue as `type/key`, without the types in `hidden`, and
/// the devices that changed last.
///
/// # Errors
/// Returns `Error::Database` if a query fails.
pub async fn suggestions(connection: &mut Connection, most: i64, hidden: &[&str]) -> Result<Vec<String>> {
    let kinds = ["site", "network", "venture", "rack", "boot_image", "dhcp_server", "user", "webhook"];
    let kinds: Vec<String> = kinds.into_iter().filter(|kind| !hidden.contains(kind)).map(str::to_owned).collect();
    let catalogue = sqlx::query_scalar!(
        r#"SELECT kind || '/' || key AS "name!" FROM catalogue WHERE valid_to IS NULL AND kind = ANY($1) ORDER BY kind, key LIMIT $2"#,
        &kinds,
        most
    );
    let mut names = catalogue.fetch_all(&mut *connection).await?;
    let devices = sqlx::query_scalar!(
        "SELECT name FROM devices WHERE valid_to IS NULL AND name <> '' ORDER BY changed_at DESC, id DESC LIMIT $1",
        most
    );
    names.extend(devices.fetch_all(&mut *connection).await?);
    Ok(names)
}
