//! Lists of devices: filtered, searched, sorted and divided into pages.

use super::{Device, Raw, kind_text};
use crate::error::{Error, Result};
use crate::rows::at::At;
use bootledger_aggregates::device::event::DeviceKind;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::tag::Tag;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::Deserialize;
use sqlx::PgExecutor;
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

macro_rules! listed {
    ($filter:expr, $parts:expr, $at:expr, $tail:literal $(, $argument:expr)*) => {
        devices!(
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
             AND ($15::uuid IS NULL OR " + $tail,
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

/// The filter's fields as parameters of the query.
struct Parts {
    macs: Option<Vec<String>>,
    pattern: Option<String>,
    id: Option<uuid::Uuid>,
}

/// Up to `limit` devices, in the filter's order.
///
/// # Errors
/// Returns `Error::Cursor` if `after` is not a cursor of this list, `Error::Database` if the query fails, and `Error::Damaged` or
/// `Error::DamagedJson` if a row cannot be parsed.
pub async fn list(executor: impl PgExecutor<'_>, filter: &Filter, at: At, limit: i64) -> Result<Vec<Device>> {
    let (id, value) = place(filter.after.as_deref())?;
    let parts =
        Parts { macs: filter.mac.map(|mac| vec![mac.to_string()]), pattern: pattern(filter.q.as_deref()), id: id.map(|id| id.0) };
    let rows = match filter.sort {
        Sort::Oldest => listed!(filter, parts, at, "id > $15) ORDER BY id LIMIT $16", limit).fetch_all(executor).await?,
        Sort::Newest => listed!(filter, parts, at, "id < $15) ORDER BY id DESC LIMIT $16", limit).fetch_all(executor).await?,
        Sort::Name => {
            let ordered = listed!(filter, parts, at, "(name, id) > ($17, $15)) ORDER BY name, id LIMIT $16", limit, value);
            ordered.fetch_all(executor).await?
        }
        Sort::NameBackwards => {
            let ordered =
                listed!(filter, parts, at, "(name, id) < ($17, $15)) ORDER BY name DESC, id DESC LIMIT $16", limit, value);
            ordered.fetch_all(executor).await?
        }
        Sort::Serial => {
            let ordered = listed!(
                filter,
                parts,
                at,
                "(coalesce(serial, ''), id) > ($17, $15)) ORDER BY coalesce(serial, ''), id LIMIT $16",
                limit,
                value
            );
            ordered.fetch_all(executor).await?
        }
        Sort::SerialBackwards => {
            let ordered = listed!(
                filter,
                parts,
                at,
                "(coalesce(serial, ''), id) < ($17, $15)) ORDER BY coalesce(serial, '') DESC, id DESC LIMIT $16",
                limit,
                value
            );
            ordered.fetch_all(executor).await?
        }
        Sort::LongUnchanged | Sort::LatelyChanged => {
            let changed = match parts.id {
                Some(_) => value.parse::<Timestamp>().map_err(|_| Error::Cursor(filter.after.clone().unwrap_or_default()))?,
                None => Timestamp::default(),
            };
            if filter.sort == Sort::LongUnchanged {
                let ordered = listed!(
                    filter,
                    parts,
                    at,
                    "(changed_at, id) > ($17, $15)) ORDER BY changed_at, id LIMIT $16",
                    limit,
                    changed.0
                );
                ordered.fetch_all(executor).await?
            } else {
                let ordered = listed!(
                    filter,
                    parts,
                    at,
                    "(changed_at, id) < ($17, $15)) ORDER BY changed_at DESC, id DESC LIMIT $16",
                    limit,
                    changed.0
                );
                ordered.fetch_all(executor).await?
            }
        }
    };
    rows.into_iter().map(Device::try_from).collect()
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
}
