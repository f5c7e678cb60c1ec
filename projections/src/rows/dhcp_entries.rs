//! DHCP entries: the fixed addresses that DHCP servers assign.

use crate::error::{Error, Result};
use crate::rows::at::At;
use crate::rows::convert::{address, cursor, inet, optional, part};
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use ipnet::IpNet;
use serde::Serialize;
use sqlx::PgExecutor;
use std::collections::HashSet;
use std::net::Ipv4Addr;
use utoipa::ToSchema;
use uuid::Uuid;

/// A DHCP entry: a fixed address of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DhcpEntryView)]
pub struct DhcpEntry {
    /// The address that the DHCP server leases.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// The MAC address of the interface that gets the lease.
    pub mac: MacAddress,
    /// The host name that is sent to the client.
    pub hostname: Option<Hostname>,
    /// The network of the address.
    pub network: Name,
    /// The device that the entry belongs to.
    pub device: DeviceId,
}

impl DhcpEntry {
    /// The entry's cursor in a list, for `after` of the next page.
    pub fn cursor(&self) -> String {
        format!("{} {} {}", self.ip, self.mac, self.device)
    }
}

/// A DHCP entry, with the data that a site's DHCP configuration needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SiteEntry {
    /// The address that the DHCP server leases.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// The MAC address of the interface that gets the lease.
    pub mac: MacAddress,
    /// The host name that is sent to the client.
    pub hostname: Option<Hostname>,
    /// The network of the address.
    pub network: Name,
    /// Whether a live deployment has this address and interface.
    pub live: bool,
    /// The boot loaders that the firmware of a server with a live deployment starts.
    pub boot_chain: BootChain,
}

/// Divides the entries of a broadcast domain into those that are kept, one for each address and interface, sorted by address,
/// and those that are left out. Kea rejects a file with two entries for an address or an interface in a network, and dnsmasq
/// one with two for an address, and with it the whole site. An interface with addresses in two networks of one VLAN would get
/// either of them, at the server's choice. The entry of a live deployment takes precedence, then the lower address. An exact
/// duplicate of a kept entry, with the same address and interface, is dropped without being reported as left out.
pub fn without_repeats(mut entries: Vec<SiteEntry>) -> (Vec<SiteEntry>, Vec<SiteEntry>) {
    entries.sort_by(|a, b| (!a.live, a.ip, a.mac, &a.hostname).cmp(&(!b.live, b.ip, b.mac, &b.hostname)));
    let (mut ips, mut macs) = (HashSet::with_capacity(entries.len()), HashSet::with_capacity(entries.len()));
    let (mut kept, mut left_out): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| !ips.contains(&entry.ip) && macs.insert(entry.mac) && ips.insert(entry.ip));
    kept.sort_by_key(|entry| entry.ip);
    left_out.retain(|entry| {
        let same = kept.binary_search_by_key(&entry.ip, |kept| kept.ip).is_ok_and(|place| kept[place].mac == entry.mac);
        !same
    });
    left_out.sort_by_key(|entry| (entry.ip, entry.mac));
    (kept, left_out)
}

/// A filter for entries. Fields that are `None` match every entry.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only entries with this address.
    pub ip: Option<Ipv4Addr>,
    /// Only entries with this MAC address.
    pub mac: Option<MacAddress>,
    /// Only entries in this network.
    pub network: Option<Name>,
    /// Only entries of this device.
    pub device: Option<DeviceId>,
    /// Only entries with this text in address, MAC address or host name, case-insensitively.
    pub q: Option<String>,
    /// Only entries after the one with this cursor.
    pub after: Option<String>,
}

struct Raw {
    ip: IpNet,
    mac: String,
    hostname: Option<String>,
    network: String,
    device: Uuid,
}

impl TryFrom<Raw> for DhcpEntry {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self> {
        Ok(Self {
            ip: address(raw.ip)?,
            mac: raw.mac.parse()?,
            hostname: optional(raw.hostname)?,
            network: raw.network.parse()?,
            device: DeviceId(raw.device),
        })
    }
}

/// Up to `limit` entries by address, interface and device.
///
/// # Errors
/// Returns `Error::Cursor` if `after` is not a cursor of this list, `Error::Database` if the query fails, and `Error::Damaged`
/// if a row cannot be parsed.
pub async fn list(executor: impl PgExecutor<'_>, filter: &Filter, at: At, limit: i64) -> Result<Vec<DhcpEntry>> {
    let after = cursor::<3>(filter.after.as_deref())?;
    let after_ip = after.as_ref().map(|parts| part(&parts[0]).map(inet)).transpose()?;
    let after_device = after.as_ref().map(|parts| part::<Uuid>(&parts[2])).transpose()?;
    let rows = sqlx::query_as!(
        Raw,
        "SELECT ip, mac, hostname, network, device FROM dhcp_entries
         WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
           AND ($2::inet IS NULL OR ip = $2) AND ($3::text IS NULL OR mac = $3)
           AND ($4::text IS NULL OR network = $4) AND ($5::uuid IS NULL OR device = $5)
           AND ($6::text IS NULL OR strpos(lower(concat_ws(' ', host(ip), mac, hostname)), lower($6)) > 0)
           AND ($7::inet IS NULL OR (ip, mac, device) > ($7, $8, $9::uuid))
         ORDER BY ip, mac, device LIMIT $10",
        at.position(),
        filter.ip.map(inet),
        filter.mac.map(|mac| mac.to_string()),
        filter.network.as_ref().map(Name::as_str),
        filter.device.map(|id| id.0),
        filter.q.as_deref(),
        after_ip,
        after.as_ref().map(|parts| parts[1].as_str()),
        after_device,
        limit
    );
    rows.fetch_all(executor).await?.into_iter().map(DhcpEntry::try_from).collect()
}

/// The entries of a site's networks in use, by address and interface.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn of_site(executor: impl PgExecutor<'_>, site: &Name, at: At) -> Result<Vec<SiteEntry>> {
    let rows = sqlx::query!(
        r#"SELECT e.ip, e.mac, e.hostname, e.network, d.id IS NOT NULL AS "live!", d.boot_chain AS "boot_chain?"
           FROM dhcp_entries e
           JOIN catalogue n ON n.kind = 'network' AND n.key = e.network AND n.spec ->> 'site' = $2 AND NOT n.retired
                AND (($1::bigint IS NULL AND n.valid_to IS NULL)
                     OR (n.valid_from <= $1 AND (n.valid_to IS NULL OR n.valid_to > $1)))
           LEFT JOIN deployments d ON d.mac = e.mac AND d.ip = e.ip AND d.status IN ('open', 'in_progress')
                AND (($1::bigint IS NULL AND d.valid_to IS NULL)
                     OR (d.valid_from <= $1 AND (d.valid_to IS NULL OR d.valid_to > $1)))
           WHERE (($1::bigint IS NULL AND e.valid_to IS NULL)
                  OR (e.valid_from <= $1 AND (e.valid_to IS NULL OR e.valid_to > $1)))
           ORDER BY e.ip, e.mac, e.device"#,
        at.position(),
        site.as_str()
    );
    let rows = rows.fetch_all(executor).await?;
    let entry = |ip, mac: String, hostname, network: String, live, boot_chain: Option<String>| -> Result<SiteEntry> {
        Ok(SiteEntry {
            ip: address(ip)?,
            mac: mac.parse()?,
            hostname: optional(hostname)?,
            network: network.parse()?,
            live,
            boot_chain: optional(boot_chain)?.unwrap_or_default(),
        })
    };
    rows.into_iter().map(|row| entry(row.ip, row.mac, row.hostname, row.network, row.live, row.boot_chain)).collect()
}

/// The position at which the device's entry with this address and MAC address was created, if it still exists.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn made_at(executor: impl PgExecutor<'_>, device: DeviceId, ip: Ipv4Addr, mac: MacAddress) -> Result<Option<i64>> {
    let row = sqlx::query_scalar!(
        "SELECT valid_from FROM dhcp_entries WHERE device = $1 AND ip = $2 AND mac = $3 AND valid_to IS NULL",
        device.0,
        inet(ip),
        mac.to_string()
    );
    Ok(row.fetch_optional(executor).await?)
}
