//! Devices, with every known fact about them.

use crate::error::{Error, Result};
use crate::rows::at::At;
use crate::rows::convert::{address, addresses, inet, optional, parsed};
use bootledger_aggregates::deployment::start::DeviceFacts;
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::device::event::{DeviceKind, Management, ManagementProtocol};
use bootledger_aggregates::device::footprint::{Face, Footprint};
use bootledger_aggregates::device::lock::Lock;
use bootledger_aggregates::device::management::Access;
use bootledger_aggregates::device::remark::Remark;
use bootledger_aggregates::values::ParseError;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::notes::Notes;
use bootledger_aggregates::values::setting::Settings;
use bootledger_aggregates::values::tag::Tag;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use ipnet::{IpNet, Ipv4Net};
use serde::Serialize;
use sqlx::PgExecutor;
use std::net::Ipv4Addr;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A physical or virtual server, or another device.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Device {
    /// The device's id.
    pub id: DeviceId,
    /// How many events the device has.
    pub sequence: i64,
    /// The kind of the device.
    pub kind: DeviceKind,
    /// The name shown for the device.
    pub name: Text,
    /// The manufacturer's serial number.
    pub serial: Option<Text>,
    /// The owner's asset number.
    pub asset: Option<Text>,
    /// The site of the device.
    pub site: Name,
    /// The rack that contains the device.
    pub rack: Option<Name>,
    /// The lowest rack unit that the device occupies, from 1.
    #[serde(rename = "position")]
    pub rack_position: Option<i32>,
    /// The height of the device in rack units, from its lowest unit upwards.
    pub height: u16,
    /// The side of the rack that the device takes.
    pub face: Face,
    /// The MAC addresses of the device's interfaces, sorted.
    pub macs: Vec<MacAddress>,
    /// How the device is managed out of band.
    pub management: Option<Management>,
    /// The device that contains this one.
    pub parent: Option<DeviceId>,
    /// The venture that the device belongs to.
    pub venture: Option<Name>,
    /// The role of the device.
    pub role: Option<Name>,
    /// Whether an operator has verified the device.
    pub verified: bool,
    /// Whether the device is decommissioned.
    pub decommissioned: bool,
    /// Why the device must not be installed again; null if it is not locked.
    pub lock: Option<Lock>,
    /// Lasting notes of operators.
    pub notes: Notes,
    /// The tags of the device, sorted.
    pub tags: Vec<Tag>,
    /// The addresses of the device, sorted.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<Ipv4Addr>,
    /// The names of the device's DNS entries, sorted, without duplicates.
    pub hostnames: Vec<Hostname>,
    /// The operating system of the device.
    pub operating_system: Option<Text>,
    /// The software installed on the device, sorted.
    pub software: Vec<Text>,
    /// The disk shares of the device, sorted.
    pub disk_shares: Vec<Text>,
    /// The uptime of the device when it was last recorded.
    pub uptime_seconds: Option<i64>,
    /// The device's own settings for boot images.
    #[serde(skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
    /// The devices that this one contains, sorted.
    pub sub_devices: Vec<DeviceId>,
    /// Remarks about the device, oldest first.
    #[serde(skip)]
    pub remarks: Vec<Remark>,
    /// When the device was registered.
    pub registered_at: Timestamp,
    /// When the device last changed.
    pub changed_at: Timestamp,
}

/// The kind as it is written in the database and in JSON.
pub fn kind_text(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Physical => "physical",
        DeviceKind::Blade => "blade",
        DeviceKind::Virtual => "virtual",
    }
}

/// The protocol as it is written in the database and in JSON.
pub fn protocol_text(protocol: ManagementProtocol) -> &'static str {
    match protocol {
        ManagementProtocol::Ipmi => "ipmi",
        ManagementProtocol::Redfish => "redfish",
    }
}

impl Device {
    /// The label shown for the device: its name, otherwise its host name, its numbers or its interface.
    pub fn called(&self) -> String {
        let named = Some(self.name.to_string()).filter(|name| !name.is_empty());
        named
            .or_else(|| self.hostnames.first().map(ToString::to_string))
            .or_else(|| self.serial.as_ref().map(ToString::to_string))
            .or_else(|| self.asset.as_ref().map(ToString::to_string))
            .or_else(|| self.macs.first().map(ToString::to_string))
            .unwrap_or_else(|| self.id.to_string())
    }

    /// The label shown for the device beside an address: its host name, otherwise as usual.
    pub fn called_by_host(&self) -> String {
        self.hostnames.first().map_or_else(|| self.called(), ToString::to_string)
    }

    /// The facts about the device that the rules of deployments need.
    pub fn deployment_facts(&self) -> DeviceFacts {
        DeviceFacts {
            site: Some(self.site.clone()),
            macs: self.macs.clone(),
            verified: self.verified,
            decommissioned: self.decommissioned,
            lock: self.lock.clone(),
            deploying_parts: vec![],
            deploying_above: vec![],
        }
    }

    /// The units of its rack that the device takes; `None` if it takes none, such as a blade in its chassis.
    pub fn footprint(&self) -> Option<Footprint> {
        let position = self.rack_position.and_then(|position| u16::try_from(position).ok());
        Footprint::of(self.kind, self.parent.is_some(), position, self.height, self.face)
    }

    /// The label of the device in sentences: its name, otherwise its serial number, its first interface or its id.
    pub fn words(&self) -> String {
        let serial = self.serial.as_ref().map(ToString::to_string);
        let name = (!self.name.is_empty()).then(|| self.name.to_string());
        name.or(serial).or_else(|| self.macs.first().map(ToString::to_string)).unwrap_or_else(|| self.id.to_string())
    }
}

struct Raw {
    id: Uuid,
    sequence: i64,
    kind: String,
    name: String,
    serial: Option<String>,
    asset: Option<String>,
    site: String,
    rack: Option<String>,
    rack_position: Option<i32>,
    height: i32,
    face: String,
    macs: Vec<String>,
    management_address: Option<IpNet>,
    management_host: Option<String>,
    management_protocol: Option<String>,
    management_credentials: Option<String>,
    management_access: Option<String>,
    parent: Option<Uuid>,
    venture: Option<String>,
    role: Option<String>,
    verified: bool,
    decommissioned: bool,
    lock: Option<String>,
    notes: String,
    tags: Vec<String>,
    addresses: Vec<IpNet>,
    hostnames: Vec<String>,
    operating_system: Option<String>,
    software: Vec<String>,
    disk_shares: Vec<String>,
    uptime_seconds: Option<i64>,
    settings: Option<String>,
    sub_devices: Vec<Uuid>,
    remarks: String,
    registered_at: OffsetDateTime,
    changed_at: OffsetDateTime,
}

impl TryFrom<Raw> for Device {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self> {
        let kind = [DeviceKind::Physical, DeviceKind::Blade, DeviceKind::Virtual].into_iter().find(|k| kind_text(*k) == raw.kind);
        let protocol = match raw.management_protocol.as_deref() {
            Some("redfish") => ManagementProtocol::Redfish,
            _ => ManagementProtocol::Ipmi,
        };
        let credentials = optional(raw.management_credentials)?;
        let by_address = raw.management_address.map(|address| Host::from(address.addr()));
        let management = by_address.map_or_else(|| optional::<Host>(raw.management_host), |host| Ok(Some(host)))?;
        let access = raw.management_access.map_or_else(|| Ok(Access::default()), |access| serde_json::from_str(&access))?;
        Ok(Self {
            id: DeviceId(raw.id),
            sequence: raw.sequence,
            kind: kind.ok_or_else(|| ParseError::new(format!("{:?} is not a kind of device", raw.kind)))?,
            name: raw.name.parse()?,
            serial: optional(raw.serial)?,
            asset: optional(raw.asset)?,
            site: raw.site.parse()?,
            rack: optional(raw.rack)?,
            rack_position: raw.rack_position,
            height: u16::try_from(raw.height).unwrap_or(1),
            face: raw.face.parse()?,
            macs: parsed(raw.macs)?,
            management: management.map(|address| Management { address, protocol, credentials, access }),
            parent: raw.parent.map(DeviceId),
            venture: optional(raw.venture)?,
            role: optional(raw.role)?,
            verified: raw.verified,
            decommissioned: raw.decommissioned,
            lock: raw.lock.as_deref().map(serde_json::from_str).transpose()?,
            // The rule about invisible characters is one for requests; what was stored before it must load.
            notes: Notes::try_from(raw.notes)?,
            tags: parsed(raw.tags)?,
            addresses: addresses(raw.addresses)?,
            hostnames: parsed(raw.hostnames)?,
            operating_system: optional(raw.operating_system)?,
            software: parsed(raw.software)?,
            disk_shares: parsed(raw.disk_shares)?,
            uptime_seconds: raw.uptime_seconds,
            settings: raw.settings.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default(),
            sub_devices: raw.sub_devices.into_iter().map(DeviceId).collect(),
            remarks: serde_json::from_str(&raw.remarks)?,
            registered_at: Timestamp(raw.registered_at),
            changed_at: Timestamp(raw.changed_at),
        })
    }
}

macro_rules! devices {
    ($at:expr, $condition:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query_as!(
            Raw,
            r#"SELECT id, sequence, kind, name, serial, asset, site, rack, rack_position, height, face, macs, management_address, management_host,
                    management_protocol, management_credentials, management_access::text AS "management_access", parent, venture, role, verified, decommissioned,
                    lock::text AS "lock", notes, tags, addresses, hostnames, operating_system, software, disk_shares, uptime_seconds, settings::text AS settings,
                    sub_devices, remarks::text AS "remarks!", registered_at, changed_at
             FROM devices
             WHERE (($1::bigint IS NULL AND valid_to IS NULL)
                    OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1))) AND "# + $condition $(+ $more)*,
            $at.position() $(, $argument)*
        )
    };
}

macro_rules! devices_counted {
    ($at:expr, $condition:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM (
                 SELECT FROM devices
                  WHERE (($1::bigint IS NULL AND valid_to IS NULL)
                         OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1))) AND "# + $condition $(+ $more)*
                + ") AS found",
            $at.position() $(, $argument)*
        )
    };
}

mod list;

pub use list::{Filter, Sort, count, cursor, list, tags};

/// The device with this id.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn find(executor: impl PgExecutor<'_>, id: DeviceId, at: At) -> Result<Option<Device>> {
    devices!(at, "id = $2", id.0).fetch_optional(executor).await?.map(Device::try_from).transpose()
}

/// The devices with these ids, in no order; unknown ids are left out.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn find_many(executor: impl PgExecutor<'_>, ids: &[DeviceId], at: At) -> Result<Vec<Device>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = devices!(at, "id = ANY($2)", &ids).fetch_all(executor).await?;
    rows.into_iter().map(Device::try_from).collect()
}

/// The devices with any of these MAC addresses, in no order, including decommissioned devices.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn by_macs(executor: impl PgExecutor<'_>, macs: &[MacAddress], at: At) -> Result<Vec<Device>> {
    let macs: Vec<String> = macs.iter().map(ToString::to_string).collect();
    let rows = devices!(at, "macs && $2", &macs).fetch_all(executor).await?;
    rows.into_iter().map(Device::try_from).collect()
}

/// The devices that another one contains: those that its record lists, and those that name it as their parent. Sorted by id.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn parts_of(executor: impl PgExecutor<'_>, device: &Device, at: At) -> Result<Vec<Device>> {
    let found: Vec<Uuid> = device.sub_devices.iter().map(|id| id.0).collect();
    let rows = devices!(at, "(id = ANY($2) OR parent = $3) ORDER BY id", &found, device.id.0).fetch_all(executor).await?;
    rows.into_iter().map(Device::try_from).collect()
}

/// The devices in use that take units of a rack, and those that only name one, in no order.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn placed_in(executor: impl PgExecutor<'_>, rack: &Name, at: At) -> Result<Vec<Device>> {
    let rows = devices!(at, "rack = $2 AND rack_position IS NOT NULL AND NOT decommissioned", rack.as_str());
    rows.fetch_all(executor).await?.into_iter().map(Device::try_from).collect()
}

/// How many devices in use each of these racks contains; empty racks are left out.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn counts_in(executor: impl PgExecutor<'_>, racks: &[Name], at: At) -> Result<Vec<(Name, i64)>> {
    let racks: Vec<String> = racks.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"SELECT rack AS "rack!", count(*) AS "count!" FROM devices
            WHERE rack = ANY($2) AND NOT decommissioned
              AND (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
            GROUP BY rack"#,
        at.position(),
        &racks
    );
    rows.fetch_all(executor).await?.into_iter().map(|row| Ok((row.rack.parse()?, row.count))).collect()
}

/// The management addresses in a network that belong to devices in use. They must not be assigned to other devices.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn management_addresses_in(executor: impl PgExecutor<'_>, network: Ipv4Net, at: At) -> Result<Vec<Ipv4Addr>> {
    let rows = sqlx::query_scalar!(
        r#"SELECT DISTINCT management_address AS "address!" FROM devices
            WHERE management_address <<= $2 AND NOT decommissioned
              AND (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))"#,
        at.position(),
        IpNet::V4(network)
    );
    rows.fetch_all(executor).await?.into_iter().map(address).collect()
}

/// The devices in use whose management controllers have any of these hosts, in no order.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn controlled_at(executor: impl PgExecutor<'_>, hosts: &[Host]) -> Result<Vec<Device>> {
    let addresses: Vec<IpNet> = hosts.iter().filter_map(Host::address).map(IpNet::from).collect();
    let names: Vec<String> = hosts.iter().filter(|host| host.address().is_none()).map(ToString::to_string).collect();
    let rows = devices!(
        At::Now,
        "NOT decommissioned AND (management_address = ANY($2) OR management_host = ANY($3))",
        &addresses,
        &names
    );
    rows.fetch_all(executor).await?.into_iter().map(Device::try_from).collect()
}

/// Those of the addresses that are management addresses of devices in use.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn managed_at(executor: impl PgExecutor<'_>, addresses: &[Ipv4Addr]) -> Result<Vec<(Ipv4Addr, DeviceId)>> {
    let addresses: Vec<IpNet> = addresses.iter().copied().map(inet).collect();
    let rows = sqlx::query!(
        r#"SELECT management_address AS "address!", id FROM devices
            WHERE management_address = ANY($1) AND NOT decommissioned AND valid_to IS NULL ORDER BY id"#,
        &addresses
    );
    rows.fetch_all(executor).await?.into_iter().map(|row| Ok((address(row.address)?, DeviceId(row.id)))).collect()
}
