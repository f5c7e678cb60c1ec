//! The history of an address, a MAC address or a host name: who held it, which deployments used it, and what DNS and DHCP said.

use crate::database::pool::Connection;
use crate::error::Result;
use crate::questions::infrastructure;
use crate::rows::at::At;
use crate::rows::catalogue::{self, Entry};
use crate::rows::convert::{address, inet, optional};
use crate::rows::deployments::{self, Deployment};
use crate::rows::devices;
use crate::rows::dhcp_entries::DhcpEntry;
use crate::rows::dns_records::DnsRecord;
use crate::rows::holdings;
use crate::rows::reservations::{self, Reservation};
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::network::{NetworkSpec, Reserved};
use bootledger_aggregates::values::hostname::{Hostname, reverse_name};
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use ipnet::Ipv4Net;
use serde::Serialize;
use std::cmp::Reverse;
use std::net::Ipv4Addr;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// The maximum number of rows of each part of a history; the newest are returned.
pub const MOST: usize = 200;
const LIMIT: i64 = 200;

/// A value that devices hold one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An IPv4 address.
    Ip(Ipv4Addr),
    /// The MAC address of an interface.
    Mac(MacAddress),
    /// A host name.
    Hostname(Hostname),
}

impl Value {
    /// The kind of the value's claim, and the value as stored.
    fn claim(&self) -> (&'static str, String) {
        match self {
            Self::Ip(ip) => ("ip", ip.to_string()),
            Self::Mac(mac) => ("mac", mac.to_string()),
            Self::Hostname(name) => ("hostname", name.to_string()),
        }
    }
}

/// An event's position in the log, and when it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Moment {
    /// The event's position.
    pub position: i64,
    /// When the event was recorded; `None` if the event could not be processed.
    pub at: Option<Timestamp>,
}

/// The time during which something was true. It has no end if it is still true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Period {
    /// The event that began the period.
    pub from: Moment,
    /// The event that ended the period.
    pub to: Option<Moment>,
}

/// A device or deployment that held the value for some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tenure {
    /// The holder: an object with one field, `device` or `deployment` with an ID, or `reservation` with an address.
    #[schema(value_type = Object)]
    pub holder: Holder,
    /// The deployment that gave the value to the holder, if it was one.
    #[schema(value_type = Option<String>)]
    pub deployment: Option<DeploymentId>,
    /// How long the holder had the value.
    #[serde(flatten)]
    pub period: Period,
}

/// A DNS record that existed for some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RecordPeriod {
    /// The record.
    #[serde(flatten)]
    pub record: DnsRecord,
    /// How long the record existed.
    #[serde(flatten)]
    pub period: Period,
}

/// A DHCP entry that existed for some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EntryPeriod {
    /// The entry.
    #[serde(flatten)]
    pub entry: DhcpEntry,
    /// How long the entry existed.
    #[serde(flatten)]
    pub period: Period,
}

/// A deployment that used the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsedBy {
    /// The deployment.
    pub id: DeploymentId,
    /// The deployed device.
    pub device: DeviceId,
    /// The deployment's host name.
    pub hostname: Hostname,
    /// The deployment's address.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// The MAC address that the deployment boots from.
    pub mac: MacAddress,
    /// The deployment's status.
    pub status: deployments::Status,
    /// When the deployment started.
    pub started_at: Timestamp,
    /// When the deployment ended.
    pub ended_at: Option<Timestamp>,
}

impl From<Deployment> for UsedBy {
    fn from(one: Deployment) -> Self {
        Self {
            id: one.id,
            device: one.device,
            hostname: one.hostname,
            ip: one.ip,
            mac: one.mac,
            status: one.status,
            started_at: one.started_at,
            ended_at: one.ended_at,
        }
    }
}

/// Everything that is known about a value, the newest first: up to 200 items of each kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ValueHistory {
    /// Who held the value.
    pub holders: Vec<Tenure>,
    /// The deployments that used the value.
    pub deployments: Vec<UsedBy>,
    /// The DNS records with the value.
    pub dns_records: Vec<RecordPeriod>,
    /// The DHCP entries with the value.
    pub dhcp_entries: Vec<EntryPeriod>,
}

impl ValueHistory {
    /// Whether nothing is known about the value.
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.deployments.is_empty() && self.dns_records.is_empty() && self.dhcp_entries.is_empty()
    }

    /// Who holds the value at the end of the history.
    pub fn holder(&self) -> Option<&Tenure> {
        self.holders.iter().find(|tenure| tenure.period.to.is_none())
    }
}

/// The columns of a period, as queries return them.
struct Raw {
    from: i64,
    from_at: Option<OffsetDateTime>,
    to: Option<i64>,
    to_at: Option<OffsetDateTime>,
}

impl From<Raw> for Period {
    fn from(raw: Raw) -> Self {
        let to_at = raw.to_at.map(Timestamp);
        Self {
            from: Moment { position: raw.from, at: raw.from_at.map(Timestamp) },
            to: raw.to.map(|position| Moment { position, at: to_at }),
        }
    }
}

/// The history of a value up to a moment.
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn find(connection: &mut Connection, value: &Value, at: At) -> Result<ValueHistory> {
    Ok(ValueHistory {
        holders: holders(connection, value, at).await?,
        deployments: used_by(connection, value, at).await?,
        dns_records: records(connection, value, at).await?,
        dhcp_entries: entries(connection, value, at).await?,
    })
}

async fn holders(connection: &mut Connection, value: &Value, at: At) -> Result<Vec<Tenure>> {
    let (kind, value) = value.claim();
    // An end after the requested moment is not known yet at that moment.
    let rows = sqlx::query!(
        r#"SELECT h.holder, h.valid_from, begun.recorded_at AS "from_at?", begun.deployment AS "deployment?",
                  ended.recorded_at AS "to_at?", h.valid_to
             FROM (SELECT * FROM holdings
                    WHERE kind = $2 AND value = $3 AND ($1::bigint IS NULL OR valid_from <= $1)
                    ORDER BY valid_from DESC LIMIT $4) AS h
             LEFT JOIN timeline AS begun ON begun.position = h.valid_from
             LEFT JOIN timeline AS ended ON ended.position = h.valid_to
            ORDER BY h.valid_from DESC"#,
        at.position(),
        kind,
        value,
        LIMIT
    );
    let tenure = |holder: String, deployment: Option<uuid::Uuid>, raw: Raw| -> Result<Tenure> {
        Ok(Tenure { holder: holder.parse()?, deployment: deployment.map(DeploymentId), period: raw.into() })
    };
    let rows = rows.fetch_all(connection).await?.into_iter();
    rows.map(|row| {
        let to = row.valid_to.filter(|to| is_before(*to, at));
        let raw = Raw { from: row.valid_from, from_at: row.from_at, to, to_at: row.to_at };
        tenure(row.holder, row.deployment, raw)
    })
    .collect()
}

/// Whether an end at this position has happened at the requested moment.
fn is_before(position: i64, at: At) -> bool {
    at.position().is_none_or(|at| position <= at)
}

async fn used_by(connection: &mut Connection, value: &Value, at: At) -> Result<Vec<UsedBy>> {
    let (ip, mac, hostname) = match value {
        Value::Ip(ip) => (Some(inet(*ip)), None, None),
        Value::Mac(mac) => (None, Some(mac.to_string()), None),
        Value::Hostname(name) => (None, None, Some(name.to_string())),
    };
    let ids = sqlx::query_scalar!(
        "SELECT id FROM deployments
          WHERE valid_to IS NULL AND ($1::inet IS NULL OR ip = $1) AND ($2::text IS NULL OR mac = $2)
            AND ($3::text IS NULL OR hostname = $3) ORDER BY id DESC LIMIT $4",
        ip,
        mac,
        hostname,
        LIMIT
    );
    let ids: Vec<DeploymentId> = ids.fetch_all(&mut *connection).await?.into_iter().map(DeploymentId).collect();
    let mut found = deployments::find_many(connection, &ids, at).await?;
    found.sort_by_key(|deployment| Reverse(deployment.id));
    Ok(found.into_iter().map(UsedBy::from).collect())
}

async fn records(connection: &mut Connection, value: &Value, at: At) -> Result<Vec<RecordPeriod>> {
    let texts = match value {
        Value::Ip(ip) => vec![ip.to_string(), reverse_name(*ip)],
        Value::Hostname(name) => vec![name.to_string()],
        Value::Mac(_) => return Ok(vec![]),
    };
    let rows = sqlx::query!(
        r#"SELECT r.name, r.type AS "type", r.value, r.device, r.valid_from, r.valid_to,
                  begun.recorded_at AS "from_at?", ended.recorded_at AS "to_at?"
             FROM (SELECT * FROM dns_records
                    WHERE (name = ANY($2) OR value = ANY($2)) AND ($1::bigint IS NULL OR valid_from <= $1)
                    ORDER BY valid_from DESC, name, value LIMIT $3) AS r
             LEFT JOIN timeline AS begun ON begun.position = r.valid_from
             LEFT JOIN timeline AS ended ON ended.position = r.valid_to
            ORDER BY r.valid_from DESC, r.name, r.value"#,
        at.position(),
        &texts,
        LIMIT
    );
    let rows = rows.fetch_all(connection).await?.into_iter();
    let period = rows.map(|row| {
        let to = row.valid_to.filter(|to| is_before(*to, at));
        let raw = Raw { from: row.valid_from, from_at: row.from_at, to, to_at: row.to_at };
        let record = DnsRecord { name: row.name, r#type: row.r#type, value: row.value, device: DeviceId(row.device) };
        RecordPeriod { record, period: raw.into() }
    });
    Ok(period.collect())
}

async fn entries(connection: &mut Connection, value: &Value, at: At) -> Result<Vec<EntryPeriod>> {
    let (ip, mac, hostname) = match value {
        Value::Ip(ip) => (Some(inet(*ip)), None, None),
        Value::Mac(mac) => (None, Some(mac.to_string()), None),
        Value::Hostname(name) => (None, None, Some(name.to_string())),
    };
    let rows = sqlx::query!(
        r#"SELECT e.ip, e.mac, e.hostname, e.network, e.device, e.valid_from, e.valid_to,
                  begun.recorded_at AS "from_at?", ended.recorded_at AS "to_at?"
             FROM (SELECT * FROM dhcp_entries
                    WHERE ($2::inet IS NULL OR ip = $2) AND ($3::text IS NULL OR mac = $3)
                      AND ($4::text IS NULL OR hostname = $4) AND ($1::bigint IS NULL OR valid_from <= $1)
                    ORDER BY valid_from DESC, ip, mac LIMIT $5) AS e
             LEFT JOIN timeline AS begun ON begun.position = e.valid_from
             LEFT JOIN timeline AS ended ON ended.position = e.valid_to
            ORDER BY e.valid_from DESC, e.ip, e.mac"#,
        at.position(),
        ip,
        mac,
        hostname,
        LIMIT
    );
    let rows = rows.fetch_all(connection).await?.into_iter();
    rows.map(|row| {
        let to = row.valid_to.filter(|to| is_before(*to, at));
        let raw = Raw { from: row.valid_from, from_at: row.from_at, to, to_at: row.to_at };
        let entry = DhcpEntry {
            ip: address(row.ip)?,
            mac: row.mac.parse()?,
            hostname: optional(row.hostname)?,
            network: row.network.parse()?,
            device: DeviceId(row.device),
        };
        Ok(EntryPeriod { entry, period: raw.into() })
    })
    .collect()
}

/// What an address is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressState {
    /// A device or deployment holds the address.
    Held,
    /// The address is that of a device's management controller.
    Controller,
    /// The catalogue assigns the address to a router or server.
    Infrastructure,
    /// An operator reserved the address, or it is the network, broadcast or gateway address, or in the margin of its network.
    Reserved,
    /// The address can be assigned.
    Free,
    /// No known network contains the address.
    Outside,
}

/// Where an address is, and what it is used for.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The smallest network in use that contains the address.
    pub network: Option<Entry<NetworkSpec>>,
    /// What the address is used for.
    pub state: AddressState,
    /// Why the network never assigns the address.
    pub reserved: Option<Reserved>,
    /// The reservation that holds the address.
    pub reservation: Option<Reservation>,
    /// The device that the address is a controller's of. Not known for past positions.
    pub manages: Option<DeviceId>,
    /// What the catalogue uses the address for, as sentences.
    pub uses: Vec<String>,
}

impl Place {
    /// The name of the network.
    pub fn network_name(&self) -> Option<&Name> {
        self.network.as_ref().map(|entry| &entry.key)
    }
}

/// Where an address is, and what it is used for.
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn place(connection: &mut Connection, ip: Ipv4Addr, at: At) -> Result<Place> {
    let network = catalogue::network_of(&mut *connection, ip, at).await?;
    let holder = holdings::holder_of(&mut *connection, "ip", &ip.to_string(), at).await?;
    let reservation = match holder {
        Some(Holder::Reservation(ip)) => reservations::find_many(&mut *connection, &[ip], at).await?.pop(),
        Some(Holder::Device(_) | Holder::Deployment(_)) | None => None,
    };
    let (is_controller, manages) = match at {
        At::Now => {
            let device = devices::managed_at(&mut *connection, &[ip]).await?.first().map(|(_, device)| *device);
            (device.is_some(), device)
        }
        At::Position(_) => (!devices::management_addresses_in(&mut *connection, Ipv4Net::from(ip), at).await?.is_empty(), None),
    };
    let declared = match at {
        At::Now => infrastructure::at(connection, &[ip]).await?,
        At::Position(_) => infrastructure::within(connection, Ipv4Net::from(ip), at).await?,
    };
    let reserved = network.as_ref().and_then(|entry| entry.spec.reserved(ip));
    let state = match &network {
        _ if matches!(holder, Some(Holder::Reservation(_))) => AddressState::Reserved,
        _ if holder.is_some() => AddressState::Held,
        _ if is_controller => AddressState::Controller,
        _ if !declared.is_empty() => AddressState::Infrastructure,
        None => AddressState::Outside,
        Some(_) if reserved.is_some() => AddressState::Reserved,
        Some(_) => AddressState::Free,
    };
    let uses = declared.iter().map(bootledger_aggregates::infrastructure::Declared::sentence).collect();
    Ok(Place { network, state, reserved, reservation, manages, uses })
}
