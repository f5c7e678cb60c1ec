//! Lists of devices: filtered, searched, sorted and divided into pages.

use super::{Device, Raw, kind_text};
use crate::error::{Error, Result};
use crate::rows::at::At;
use crate::rows::convert::inet;
use bootledger_aggregates::device::event::DeviceKind;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::tag::Tag;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::Deserialize;
use sqlx::PgExecutor;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A filter for devices. Fields that are `None` match every device.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only devices in this site.
    pub site: Option<Name>,
    /// Only devices in this rack.
    pub rack: Option<Name>,
    /// Only devices of this venture.
    pub venture: Option<Name>,
    /// Only devices of this role.
    pub role: Option<Name>,
    /// Only verified devices, or only unverified ones.
    pub verified: Option<bool>,
    /// Only decommissioned devices, or only devices in use.
    pub decommissioned: Option<bool>,
    /// Only devices with a live deployment, or only those without.
    pub deploying: Option<bool>,
    /// Only devices with this MAC address.
    pub mac: Option<MacAddress>,
    /// Only devices with this serial number.
    pub serial: Option<Text>,
    /// Only devices of this kind.
    pub kind: Option<DeviceKind>,
    /// Only devices with this tag.
    pub tag: Option<Tag>,
    /// Only locked devices, or only those that are not.
    pub locked: Option<bool>,
    /// Only devices with this text in name, numbers, MAC addresses, host names, addresses or tags, case-insensitively.
    pub q: Option<String>,
    /// The order of the list.
    pub sort: Sort,
    /// Only devices after the one with this cursor, in the same order.
    pub after: Option<String>,
}

/// The order of a list. Devices of equal rank are sorted by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Sort {
    /// Devices that were registered first come first.
    #[default]
    #[serde(rename = "registered")]
    Oldest,
    /// Devices that were registered last come first.
    #[serde(rename = "-registered")]
    Newest,
    /// By name, ascending.
    #[serde(rename = "name")]
    Name,
    /// By name, descending.
    #[serde(rename = "-name")]
    NameBackwards,
    /// By serial number, ascending; devices without one come first.
    #[serde(rename = "serial")]
    Serial,
    /// By serial number, descending.
    #[serde(rename = "-serial")]
    SerialBackwards,
    /// Devices that have been unchanged longest come first.
    #[serde(rename = "changed")]
    LongUnchanged,
    /// Devices that changed most recently come first.
    #[serde(rename = "-changed")]
    LatelyChanged,
    /// By asset number, ascending; devices without one come first.
    #[serde(rename = "asset")]
    Asset,
    /// By asset number, descending.
    #[serde(rename = "-asset")]
    AssetBackwards,
    /// By site, ascending.
    #[serde(rename = "site")]
    Site,
    /// By site, descending.
    #[serde(rename = "-site")]
    SiteBackwards,
    /// By rack and unit, ascending; devices without a rack come first.
    #[serde(rename = "rack")]
    Rack,
    /// By rack and unit, descending.
    #[serde(rename = "-rack")]
    RackBackwards,
    /// By venture and role, ascending; devices without a venture come first.
    #[serde(rename = "role")]
    Role,
    /// By venture and role, descending.
    #[serde(rename = "-role")]
    RoleBackwards,
    /// By the first host name, ascending; devices without one come first.
    #[serde(rename = "hostnames")]
    Hostname,
    /// By the first host name, descending.
    #[serde(rename = "-hostnames")]
    HostnameBackwards,
    /// By the first address, ascending; devices without one come first.
    #[serde(rename = "addresses")]
    Address,
    /// By the first address, descending.
    #[serde(rename = "-addresses")]
    AddressBackwards,
}

impl Sort {
    /// The order as it is written in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oldest => "registered",
            Self::Newest => "-registered",
            Self::Name => "name",
            Self::NameBackwards => "-name",
            Self::Serial => "serial",
            Self::SerialBackwards => "-serial",
            Self::LongUnchanged => "changed",
            Self::LatelyChanged => "-changed",
            Self::Asset => "asset",
            Self::AssetBackwards => "-asset",
            Self::Site => "site",
            Self::SiteBackwards => "-site",
            Self::Rack => "rack",
            Self::RackBackwards => "-rack",
            Self::Role => "role",
            Self::RoleBackwards => "-role",
            Self::Hostname => "hostnames",
            Self::HostnameBackwards => "-hostnames",
            Self::Address => "addresses",
            Self::AddressBackwards => "-addresses",
        }
    }

    /// The opposite order, in which the page before a cursor is read.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Oldest => Self::Newest,
            Self::Newest => Self::Oldest,
            Self::Name => Self::NameBackwards,
            Self::NameBackwards => Self::Name,
            Self::Serial => Self::SerialBackwards,
            Self::SerialBackwards => Self::Serial,
            Self::LongUnchanged => Self::LatelyChanged,
            Self::LatelyChanged => Self::LongUnchanged,
            Self::Asset => Self::AssetBackwards,
            Self::AssetBackwards => Self::Asset,
            Self::Site => Self::SiteBackwards,
            Self::SiteBackwards => Self::Site,
            Self::Rack => Self::RackBackwards,
            Self::RackBackwards => Self::Rack,
            Self::Role => Self::RoleBackwards,
            Self::RoleBackwards => Self::Role,
            Self::Hostname => Self::HostnameBackwards,
            Self::HostnameBackwards => Self::Hostname,
            Self::Address => Self::AddressBackwards,
            Self::AddressBackwards => Self::Address,
        }
    }
}

/// A device's cursor in a list of this order, for `after` of the next page: its id, and the value that it is sorted by.
pub fn cursor(sort: Sort, device: &Device) -> String {
    let id = device.id;
    match sort {
        Sort::Oldest | Sort::Newest => id.to_string(),
        Sort::Name | Sort::NameBackwards => format!("{id} {}", device.name),
        Sort::Serial | Sort::SerialBackwards => format!("{id} {}", device.serial.as_ref().map_or("", Text::as_str)),
        Sort::LongUnchanged | Sort::LatelyChanged => format!("{id} {}", device.changed_at),
        Sort::Asset | Sort::AssetBackwards => format!("{id} {}", device.asset.as_ref().map_or("", Text::as_str)),
        Sort::Site | Sort::SiteBackwards => format!("{id} {}", device.site),
        // The same texts as in the indexes of 20261130180001.
        Sort::Rack | Sort::RackBackwards => {
            format!("{id} {} {:04}", device.rack.as_ref().map_or("", Name::as_str), device.rack_position.unwrap_or(0))
        }
        Sort::Role | Sort::RoleBackwards => {
            let (venture, role) = (device.venture.as_ref().map_or("", Name::as_str), device.role.as_ref());
            format!("{id} {venture} {}", role.map_or("", Name::as_str))
        }
        Sort::Hostname | Sort::HostnameBackwards => format!("{id} {}", device.hostnames.first().map_or("", |name| name.as_str())),
        Sort::Address | Sort::AddressBackwards => {
            format!("{id} {}", device.addresses.first().copied().unwrap_or(Ipv4Addr::UNSPECIFIED))
        }
    }
}

/// The id in a cursor, and the value that the device was sorted by; the value is empty if the list is sorted by id.
fn place(after: Option<&str>) -> Result<(Option<DeviceId>, String)> {
    let Some(text) = after else { return Ok((None, String::new())) };
    let (id, value) = text.split_once(' ').unwrap_or((text, ""));
    let id = DeviceId::from_str(id).map_err(|_| Error::Cursor(text.to_owned()))?;
    Ok((Some(id), value.to_owned()))
}

/// A `LIKE` pattern for texts that contain this one; `None` if there is no text to search for.
fn pattern(q: Option<&str>) -> Option<String> {
    let text = q?.trim().to_lowercase();
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    (!text.is_empty()).then(|| format!("%{escaped}%"))
}

macro_rules! matching {
    ($select:ident, $filter:expr, $parts:expr, $at:expr, $tail:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        $select!(
            $at,
            "($2::text IS NULL OR site = $2) AND ($3::text IS NULL OR rack = $3)
             AND ($4::text IS NULL OR venture = $4) AND ($5::text IS NULL OR role = $5)
             AND ($6::bool IS NULL OR verified = $6) AND ($7::bool IS NULL OR decommissioned = $7)
             AND ($8::text[] IS NULL OR macs && $8) AND ($9::text IS NULL OR serial = $9)
             AND ($10::text IS NULL OR kind = $10) AND ($11::text IS NULL OR search LIKE $11)
             AND ($12::bool IS NOT TRUE OR id = ANY(ARRAY(
                 SELECT device FROM deployments WHERE status IN ('open', 'in_progress')
                 AND (($1::bigint IS NULL AND valid_to IS NULL)
                      OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1))))))
             AND ($12::bool IS NOT FALSE OR id NOT IN (
                 SELECT device FROM deployments WHERE status IN ('open', 'in_progress')
                 AND (($1::bigint IS NULL AND valid_to IS NULL)
                      OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))))
             AND ($13::text IS NULL OR tags @> ARRAY[$13])
             AND ($14::bool IS NOT TRUE OR lock IS NOT NULL) AND ($14::bool IS NOT FALSE OR lock IS NULL)
             AND ($15::uuid IS NULL OR " + $tail $(+ $more)*,
            $filter.site.as_ref().map(Name::as_str),
            $filter.rack.as_ref().map(Name::as_str),
            $filter.venture.as_ref().map(Name::as_str),
            $filter.role.as_ref().map(Name::as_str),
            $filter.verified,
            $filter.decommissioned,
            $parts.macs.as_deref(),
            $filter.serial.as_ref().map(Text::as_str),
            $filter.kind.map(kind_text),
            $parts.pattern,
            $filter.deploying,
            $filter.tag.as_ref().map(Tag::as_str),
            $filter.locked,
            $parts.id
            $(, $argument)*
        )
    };
}

/// The rows by a key, which an index has, and their id.
macro_rules! up {
    ($filter:expr, $parts:expr, $at:expr, $limit:expr, $value:expr, $key:literal) => {
        matching!(
            devices,
            $filter,
            $parts,
            $at,
            "(" + $key + ", id) > ($17, $15)) ORDER BY " + $key + ", id LIMIT $16",
            $limit,
            $value
        )
    };
}

/// The same in the opposite order.
macro_rules! down {
    ($filter:expr, $parts:expr, $at:expr, $limit:expr, $value:expr, $key:literal) => {
        matching!(
            devices,
            $filter,
            $parts,
            $at,
            "(" + $key + ", id) < ($17, $15)) ORDER BY " + $key + " DESC, id DESC LIMIT $16",
            $limit,
            $value
        )
    };
}

/// The filter's fields as parameters of the query.
struct Parts {
    macs: Option<Vec<String>>,
    pattern: Option<String>,
    id: Option<uuid::Uuid>,
}

impl Parts {
    fn of(filter: &Filter, id: Option<DeviceId>) -> Self {
        Self { macs: filter.mac.map(|mac| vec![mac.to_string()]), pattern: pattern(filter.q.as_deref()), id: id.map(|id| id.0) }
    }
}

/// Up to `limit` devices, in the filter's order.
///
/// # Errors
/// Returns `Error::Cursor` if `after` is not a cursor of this list, `Error::Database` if the query fails, and `Error::Damaged` or
/// `Error::DamagedJson` if a row cannot be parsed.
pub async fn list(executor: impl PgExecutor<'_>, filter: &Filter, at: At, limit: i64) -> Result<Vec<Device>> {
    let (id, value) = place(filter.after.as_deref())?;
    let parts = Parts::of(filter, id);
    let foreign = || Error::Cursor(filter.after.clone().unwrap_or_default());
    let e = executor;
    let rows = match filter.sort {
        Sort::Oldest => matching!(devices, filter, parts, at, "id > $15) ORDER BY id LIMIT $16", limit).fetch_all(e).await?,
        Sort::Newest => matching!(devices, filter, parts, at, "id < $15) ORDER BY id DESC LIMIT $16", limit).fetch_all(e).await?,
        Sort::Name => up!(filter, parts, at, limit, value, "name").fetch_all(e).await?,
        Sort::NameBackwards => down!(filter, parts, at, limit, value, "name").fetch_all(e).await?,
        Sort::Serial => up!(filter, parts, at, limit, value, "coalesce(serial, '')").fetch_all(e).await?,
        Sort::SerialBackwards => down!(filter, parts, at, limit, value, "coalesce(serial, '')").fetch_all(e).await?,
        Sort::Asset => up!(filter, parts, at, limit, value, "coalesce(asset, '')").fetch_all(e).await?,
        Sort::AssetBackwards => down!(filter, parts, at, limit, value, "coalesce(asset, '')").fetch_all(e).await?,
        Sort::Site => up!(filter, parts, at, limit, value, "site").fetch_all(e).await?,
        Sort::SiteBackwards => down!(filter, parts, at, limit, value, "site").fetch_all(e).await?,
        Sort::Rack => {
            let rows = up!(
                filter,
                parts,
                at,
                limit,
                value,
                "(coalesce(rack, '') || ' ' || lpad(coalesce(rack_position, 0)::text, 4, '0'))"
            );
            rows.fetch_all(e).await?
        }
        Sort::RackBackwards => {
            let rows = down!(
                filter,
                parts,
                at,
                limit,
                value,
                "(coalesce(rack, '') || ' ' || lpad(coalesce(rack_position, 0)::text, 4, '0'))"
            );
            rows.fetch_all(e).await?
        }
        Sort::Role => {
            up!(filter, parts, at, limit, value, "(coalesce(venture, '') || ' ' || coalesce(role, ''))").fetch_all(e).await?
        }
        Sort::RoleBackwards => {
            down!(filter, parts, at, limit, value, "(coalesce(venture, '') || ' ' || coalesce(role, ''))").fetch_all(e).await?
        }
        Sort::Hostname => up!(filter, parts, at, limit, value, "coalesce(hostnames[1], '')").fetch_all(e).await?,
        Sort::HostnameBackwards => down!(filter, parts, at, limit, value, "coalesce(hostnames[1], '')").fetch_all(e).await?,
        Sort::Address | Sort::AddressBackwards => {
            let address = match parts.id {
                Some(_) => value.parse::<Ipv4Addr>().map_err(|_| foreign())?,
                None => Ipv4Addr::UNSPECIFIED,
            };
            let address = inet(address);
            if filter.sort == Sort::Address {
                up!(filter, parts, at, limit, address, "coalesce(addresses[1], '0.0.0.0'::inet)").fetch_all(e).await?
            } else {
                down!(filter, parts, at, limit, address, "coalesce(addresses[1], '0.0.0.0'::inet)").fetch_all(e).await?
            }
        }
        Sort::LongUnchanged | Sort::LatelyChanged => {
            let changed = match parts.id {
                Some(_) => value.parse::<Timestamp>().map_err(|_| foreign())?,
                None => Timestamp::default(),
            };
            if filter.sort == Sort::LongUnchanged {
                up!(filter, parts, at, limit, changed.0, "changed_at").fetch_all(e).await?
            } else {
                down!(filter, parts, at, limit, changed.0, "changed_at").fetch_all(e).await?
            }
        }
    };
    rows.into_iter().map(Device::try_from).collect()
}

/// How many devices match the filter, regardless of its cursor. The count ends at `most`, so that it stays quick.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn count(executor: impl PgExecutor<'_>, filter: &Filter, at: At, most: i64) -> Result<i64> {
    let parts = Parts::of(filter, None);
    Ok(matching!(devices_counted, filter, parts, at, "true) LIMIT $16", most).fetch_one(executor).await?)
}

/// The tags of devices in use, in alphabetical order, at most 500.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a tag cannot be parsed.
pub async fn tags(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Tag>> {
    let rows = sqlx::query_scalar!(
        r#"SELECT DISTINCT tag AS "tag!" FROM devices, unnest(tags) AS tag
           WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
             AND NOT decommissioned AND tags <> '{}'
           ORDER BY 1 LIMIT 500"#,
        at.position()
    );
    rows.fetch_all(executor).await?.into_iter().map(|tag| Ok(tag.parse()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_in_a_search_are_literal() {
        assert_eq!(pattern(Some(" A_1%\\ ")).as_deref(), Some("%a\\_1\\%\\\\%"));
        assert_eq!((pattern(Some("  ")), pattern(None)), (None, None));
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        assert!(place(Some("nonsense")).is_err());
        let id = DeviceId::default();
        assert_eq!(place(Some(&format!("{id} web no. 1"))).expect("a place"), (Some(id), "web no. 1".to_owned()));
        assert_eq!(place(None).expect("none"), (None, String::new()));
    }

    #[test]
    fn every_order_has_an_opposite_with_the_same_name() {
        for sort in [Sort::Oldest, Sort::Name, Sort::Serial, Sort::LongUnchanged, Sort::Asset, Sort::Site, Sort::Rack, Sort::Role]
        {
            let back = sort.reversed();
            assert_eq!((back.as_str(), back.reversed()), (format!("-{}", sort.as_str()).as_str(), sort));
        }
    }
}
