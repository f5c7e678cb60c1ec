//! Everything in use that a change of the catalogue could affect, such as devices that would lose their network.

use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::convert::{address, inet};
use crate::rows::devices::{self, Device};
use crate::rows::{catalogue, deployments, holdings};
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::placement::{Catalogue, ChangeScope, Held, Live};
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use uuid::Uuid;

/// How many devices are read at once.
pub const CHUNK: usize = 5_000;

/// All entries of the catalogue that are in use.
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn catalogue(connection: &mut Connection, at: At) -> Result<Catalogue> {
    let networks = catalogue::networks(&mut *connection, at).await?.into_iter().map(|entry| (entry.key, entry.spec));
    let sites = catalogue::sites(&mut *connection, at).await?.into_iter().map(|entry| (entry.key, entry.spec));
    let racks = catalogue::racks(&mut *connection, at).await?.into_iter().map(|entry| (entry.key, entry.spec));
    let servers = catalogue::dhcp_servers(&mut *connection, at).await?.into_iter().map(|entry| (entry.key, entry.spec.spec));
    let ventures = catalogue::ventures(&mut *connection, at).await?.into_iter();
    let images = catalogue::boot_images(&mut *connection, at).await?.into_iter().filter(|entry| !entry.retired);
    Ok(Catalogue {
        sites: sites.collect(),
        racks: racks.collect(),
        networks: networks.collect(),
        dhcp_servers: servers.collect(),
        ventures: ventures.map(|entry| (entry.key, (entry.spec.spec, entry.spec.roles))).collect(),
        boot_images: images.map(|entry| entry.key).collect(),
    })
}

/// The devices in use that a change of this scope may affect, by id.
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn concerned(connection: &mut Connection, scope: &ChangeScope) -> Result<Vec<DeviceId>> {
    let names = |names: &BTreeSet<Name>| names.iter().map(ToString::to_string).collect::<Vec<String>>();
    let zones: Vec<String> = scope.zones.iter().map(ToString::to_string).collect();
    let (sites, racks, ventures, images) =
        (names(&scope.sites), names(&scope.racks), names(&scope.ventures), names(&scope.boot_images));
    let found = sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM devices
            WHERE valid_to IS NULL AND NOT decommissioned AND (site = ANY($1) OR rack = ANY($2) OR venture = ANY($3))
           UNION SELECT device FROM deployments
            WHERE valid_to IS NULL AND status IN ('open', 'in_progress')
              AND (site = ANY($1) OR venture = ANY($3) OR boot_image = ANY($4))
           UNION SELECT device FROM dns_records r
            WHERE valid_to IS NULL
              AND EXISTS (SELECT FROM unnest($5::text[]) z WHERE r.name = z OR right(r.name, length(z) + 1) = '.' || z)"#,
        &sites,
        &racks,
        &ventures,
        &images,
        &zones
    );
    let mut devices: BTreeSet<DeviceId> = found.fetch_all(&mut *connection).await?.into_iter().map(DeviceId).collect();
    let mut deployments = vec![];
    for range in &scope.ranges {
        for (_, holder) in holdings::ips_in(&mut *connection, *range, At::Now).await? {
            match holder {
                Holder::Device(device) => drop(devices.insert(device)),
                Holder::Deployment(deployment) => deployments.push(deployment),
                // The rules of networks look at reservations themselves.
                Holder::Reservation(_) => {}
            }
        }
    }
    devices.extend(of_deployments(connection, &deployments).await?);
    Ok(devices.into_iter().collect())
}

async fn of_deployments(connection: &mut Connection, ids: &[DeploymentId]) -> Result<Vec<DeviceId>> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    Ok(deployments::find_many(connection, ids, At::Now).await?.into_iter().map(|deployment| deployment.device).collect())
}

/// Those of the devices that are in use, with everything that they hold, sorted by label.
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn of_devices(connection: &mut Connection, ids: &[DeviceId]) -> Result<Vec<Held>> {
    let devices = devices::find_many(&mut *connection, ids, At::Now).await?;
    let mut leases = leases(connection, ids).await?;
    let mut records = records(connection, ids).await?;
    let live = deployments::live_of_devices(&mut *connection, ids, At::Now).await?.into_iter();
    let mut live: BTreeMap<DeviceId, Live> = live
        .map(|deployment| {
            let live = Live { id: deployment.id, assignment: deployment.assignment(), network: deployment.network };
            (deployment.device, live)
        })
        .collect();
    let held = |device: Device| {
        let called = device.called();
        Held {
            device: device.id,
            called,
            site: device.site,
            rack: device.rack,
            position: device.rack_position.and_then(|position| u16::try_from(position).ok()),
            height: device.height,
            venture: device.venture,
            role: device.role,
            macs: device.macs.into_iter().collect(),
            addresses: device.addresses.into_iter().collect(),
            leases: leases.remove(&device.id).unwrap_or_default(),
            records: records.remove(&device.id).unwrap_or_default(),
            live: live.remove(&device.id),
        }
    };
    let mut all: Vec<Held> = devices.into_iter().filter(|device| !device.decommissioned).map(held).collect();
    all.sort_by(|one, other| (&one.called, one.device).cmp(&(&other.called, other.device)));
    Ok(all)
}

type By<T> = BTreeMap<DeviceId, BTreeSet<T>>;

async fn leases(connection: &mut Connection, ids: &[DeviceId]) -> Result<By<(Ipv4Addr, MacAddress)>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!("SELECT device, ip, mac FROM dhcp_entries WHERE device = ANY($1) AND valid_to IS NULL", &ids);
    let mut found = By::new();
    for row in rows.fetch_all(&mut *connection).await? {
        found.entry(DeviceId(row.device)).or_default().insert((address(row.ip)?, row.mac.parse()?));
    }
    Ok(found)
}

async fn records(connection: &mut Connection, ids: &[DeviceId]) -> Result<By<(Hostname, Ipv4Addr)>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        "SELECT device, name, value FROM dns_records WHERE device = ANY($1) AND type = 'A' AND valid_to IS NULL",
        &ids
    );
    let mut found = By::new();
    for row in rows.fetch_all(&mut *connection).await? {
        // The projector writes only valid records; the code that publishes a damaged row reports it.
        if let (Ok(name), Ok(ip)) = (row.name.parse(), row.value.parse()) {
            found.entry(DeviceId(row.device)).or_default().insert((name, ip));
        }
    }
    Ok(found)
}

/// The networks in use that contain any of these addresses, with their sequences.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn networks_at(connection: &mut Connection, ips: &[Ipv4Addr]) -> Result<Vec<(Name, i64)>> {
    let ips: Vec<_> = ips.iter().copied().map(inet).collect();
    let rows = sqlx::query!(
        r#"SELECT key AS "key!", sequence AS "sequence!" FROM catalogue
            WHERE kind = 'network' AND valid_to IS NULL AND NOT retired
              AND EXISTS (SELECT FROM unnest($1::inet[]) ip WHERE ip <<= (spec ->> 'cidr')::inet)"#,
        &ips
    );
    rows.fetch_all(&mut *connection).await?.into_iter().map(|row| Ok((row.key.parse()?, row.sequence))).collect()
}

/// The sequences of these catalogue entries, by kind and key; unknown entries are left out.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn sequences(connection: &mut Connection, things: &[(&'static str, Name)]) -> Result<Vec<(&'static str, Name, i64)>> {
    let (kinds, keys): (Vec<String>, Vec<String>) =
        things.iter().map(|(kind, key)| ((*kind).to_owned(), key.to_string())).unzip();
    let rows = sqlx::query!(
        r#"SELECT kind AS "kind!", key AS "key!", sequence AS "sequence!" FROM catalogue
            WHERE valid_to IS NULL AND (kind, key) IN (SELECT * FROM UNNEST($1::text[], $2::text[]))"#,
        &kinds,
        &keys
    );
    let mut found = vec![];
    for row in rows.fetch_all(&mut *connection).await? {
        let kind = things.iter().map(|(kind, _)| *kind).find(|kind| *kind == row.kind);
        found.extend(kind.map(|kind| Ok::<_, crate::Error>((kind, row.key.parse()?, row.sequence))).transpose()?);
    }
    Ok(found)
}
