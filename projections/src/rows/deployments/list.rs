//! Lists of deployments: filters, orders and cursors.

use super::{Deployment, Raw, Status, all};
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::plugin_runs::RunStatus;
use bootledger_aggregates::values::ParseError;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, ImportId};
use bootledger_aggregates::values::name::Name;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use utoipa::ToSchema;

/// The order of a list. Each order is that of an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Sort {
    /// The newest first.
    #[default]
    #[serde(rename = "-started")]
    Newest,
    /// The oldest first.
    #[serde(rename = "started")]
    Oldest,
    /// By host name, ascending.
    #[serde(rename = "hostname")]
    Hostname,
    /// By host name, descending.
    #[serde(rename = "-hostname")]
    HostnameBackwards,
    /// Deployments that have been in their status longest first.
    #[serde(rename = "since")]
    LongestInState,
    /// Deployments that changed their status most recently first.
    #[serde(rename = "-since")]
    ShortestInState,
    /// By status, ascending: cancelled, done, in progress, open.
    #[serde(rename = "status")]
    Status,
    /// By status, descending.
    #[serde(rename = "-status")]
    StatusBackwards,
    /// By address, ascending.
    #[serde(rename = "ip")]
    Ip,
    /// By address, descending.
    #[serde(rename = "-ip")]
    IpBackwards,
    /// By venture, then role, ascending.
    #[serde(rename = "role")]
    Role,
    /// By venture, then role, descending.
    #[serde(rename = "-role")]
    RoleBackwards,
    /// By boot image, ascending.
    #[serde(rename = "image")]
    Image,
    /// By boot image, descending.
    #[serde(rename = "-image")]
    ImageBackwards,
    /// By site, ascending.
    #[serde(rename = "site")]
    Site,
    /// By site, descending.
    #[serde(rename = "-site")]
    SiteBackwards,
}

impl Sort {
    /// The order as it is written in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "-started",
            Self::Oldest => "started",
            Self::Hostname => "hostname",
            Self::HostnameBackwards => "-hostname",
            Self::LongestInState => "since",
            Self::ShortestInState => "-since",
            Self::Status => "status",
            Self::StatusBackwards => "-status",
            Self::Ip => "ip",
            Self::IpBackwards => "-ip",
            Self::Role => "role",
            Self::RoleBackwards => "-role",
            Self::Image => "image",
            Self::ImageBackwards => "-image",
            Self::Site => "site",
            Self::SiteBackwards => "-site",
        }
    }

    /// The opposite order, in which the page before a cursor is read.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Newest => Self::Oldest,
            Self::Oldest => Self::Newest,
            Self::Hostname => Self::HostnameBackwards,
            Self::HostnameBackwards => Self::Hostname,
            Self::LongestInState => Self::ShortestInState,
            Self::ShortestInState => Self::LongestInState,
            Self::Status => Self::StatusBackwards,
            Self::StatusBackwards => Self::Status,
            Self::Ip => Self::IpBackwards,
            Self::IpBackwards => Self::Ip,
            Self::Role => Self::RoleBackwards,
            Self::RoleBackwards => Self::Role,
            Self::Image => Self::ImageBackwards,
            Self::ImageBackwards => Self::Image,
            Self::Site => Self::SiteBackwards,
            Self::SiteBackwards => Self::Site,
        }
    }
}

/// The end of a page of a list. The next page begins after it, regardless of later changes to the deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    id: DeploymentId,
    /// The value that the list is sorted by, unless that is the id.
    key: Option<String>,
}

impl Cursor {
    /// A cursor after this deployment, in this order.
    pub fn behind(deployment: &Deployment, sort: Sort) -> Self {
        let key = match sort {
            Sort::Newest | Sort::Oldest => None,
            Sort::Hostname | Sort::HostnameBackwards => Some(deployment.hostname.to_string()),
            Sort::LongestInState | Sort::ShortestInState => Some(deployment.status_since.to_string()),
            Sort::Status | Sort::StatusBackwards => Some(deployment.status.as_str().to_owned()),
            Sort::Ip | Sort::IpBackwards => Some(deployment.ip.to_string()),
            Sort::Role | Sort::RoleBackwards => Some(format!("{} {}", deployment.venture, deployment.role)),
            Sort::Image | Sort::ImageBackwards => Some(deployment.boot_image.to_string()),
            Sort::Site | Sort::SiteBackwards => Some(deployment.site.to_string()),
        };
        Self { id: deployment.id, key }
    }

    fn fits(&self, sort: Sort) -> bool {
        match sort {
            Sort::Newest | Sort::Oldest => self.key.is_none(),
            Sort::Hostname
            | Sort::HostnameBackwards
            | Sort::Status
            | Sort::StatusBackwards
            | Sort::Role
            | Sort::RoleBackwards
            | Sort::Image
            | Sort::ImageBackwards
            | Sort::Site
            | Sort::SiteBackwards => self.key.is_some(),
            Sort::Ip | Sort::IpBackwards => self.key.as_ref().is_some_and(|key| key.parse::<Ipv4Addr>().is_ok()),
            Sort::LongestInState | Sort::ShortestInState => {
                self.key.as_ref().is_some_and(|key| key.parse::<bootledger_aggregates::values::timestamp::Timestamp>().is_ok())
            }
        }
    }
}

/// Writes the cursor as `ID`, or as `KEY~ID`.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}~{}", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}

impl FromStr for Cursor {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.rsplit_once('~') {
            Some((key, id)) => Ok(Self { id: id.parse()?, key: Some(key.to_owned()) }),
            None => Ok(Self { id: text.parse()?, key: None }),
        }
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A filter for deployments. Fields that are `None` match every deployment.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only deployments with this status.
    pub status: Option<Status>,
    /// Only live deployments (open or in progress), or only ended ones.
    pub live: Option<bool>,
    /// Only deployments in this site.
    pub site: Option<Name>,
    /// Only deployments for this venture.
    pub venture: Option<Name>,
    /// Only deployments for this role.
    pub role: Option<Name>,
    /// Only deployments with this boot image.
    pub boot_image: Option<Name>,
    /// Only deployments of this device.
    pub device: Option<DeviceId>,
    /// Only deployments that this import started.
    pub import: Option<ImportId>,
    /// Only overdue deployments, or only those that are not overdue.
    pub overdue: Option<bool>,
    /// Only deployments with a plugin that has this status now; `failed` also matches deployments whose installer failed. The
    /// past status of plugins is not available.
    pub plugin: Option<RunStatus>,
    /// Only deployments with a plugin that waits for this now, such as `dhcp-server:kea-1`.
    pub awaiting: Option<String>,
    /// Only deployments with this text in host name, address, MAC address, note, ticket or reason of cancellation,
    /// case-insensitively.
    pub q: Option<String>,
    /// The order of the list.
    pub sort: Sort,
    /// Only deployments after this cursor, in that order.
    pub after: Option<Cursor>,
}

/// A pattern of SQL's LIKE for any text that contains this one, in lower case.
pub(crate) fn containing(text: &str) -> String {
    let mut pattern = "%".to_owned();
    for character in text.trim().to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

macro_rules! matching {
    ($select:ident, $filter:expr, $at:expr, $limit:expr, $order:literal $(+ $more:literal)*) => {{
        let filter = $filter;
        let pattern = filter.q.as_deref().map(containing);
        $select!(
            $at,
            "($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR site = $3)
             AND ($4::text IS NULL OR venture = $4) AND ($5::text IS NULL OR role = $5)
             AND ($6::text IS NULL OR boot_image = $6) AND ($7::uuid IS NULL OR device = $7)
             AND ($8::uuid IS NULL OR import = $8) AND ($9::bool IS NULL OR overdue = $9)
             AND ($10::text IS NULL OR search LIKE $10)
             AND ($11::bool IS NULL OR (status IN ('open', 'in_progress')) = $11)
             AND ($12::text IS NULL OR id = ANY(ARRAY(
                      SELECT deployment FROM plugin_runs WHERE plugin_runs.status = $12
                      UNION ALL SELECT deployment FROM installations WHERE $12 = 'failed' AND failing AND valid_to IS NULL)))
             AND ($13::text IS NULL OR id = ANY(ARRAY(SELECT deployment FROM plugin_runs
                                                      WHERE plugin_runs.status = 'waiting' AND awaited @> ARRAY[$13])))
             AND ($14::uuid IS NULL OR $15::text IS NULL OR true) AND "
                + $order
                $(+ $more)*
                + " LIMIT $16",
            filter.status.map(Status::as_str),
            filter.site.as_ref().map(Name::as_str),
            filter.venture.as_ref().map(Name::as_str),
            filter.role.as_ref().map(Name::as_str),
            filter.boot_image.as_ref().map(Name::as_str),
            filter.device.map(|id| id.0),
            filter.import.map(|id| id.0),
            filter.overdue,
            pattern,
            filter.live,
            filter.plugin.map(RunStatus::as_str),
            filter.awaiting.as_deref(),
            filter.after.as_ref().map(|after| after.id.0),
            filter.after.as_ref().and_then(|after| after.key.as_deref()),
            $limit
        )
    }};
}

/// The rows by a key, which an index has, and their id.
macro_rules! up {
    ($filter:expr, $at:expr, $limit:expr, $key:literal, $value:literal) => {
        matching!(
            deployments,
            $filter,
            $at,
            $limit,
            "($14 IS NULL OR (" + $key + ", id) > (" + $value + ", $14)) ORDER BY " + $key + ", id"
        )
    };
}

/// The same in the opposite order.
macro_rules! down {
    ($filter:expr, $at:expr, $limit:expr, $key:literal, $value:literal) => {
        matching!(
            deployments,
            $filter,
            $at,
            $limit,
            "($14 IS NULL OR (" + $key + ", id) < (" + $value + ", $14)) ORDER BY " + $key + " DESC, id DESC"
        )
    };
}

/// Up to `limit` deployments.
///
/// # Errors
/// Returns [`Error::Cursor`](crate::error::Error::Cursor) if the cursor belongs to a list in another order.
pub async fn list(executor: impl PgExecutor<'_>, filter: &Filter, at: At, limit: i64) -> Result<Vec<Deployment>> {
    if let Some(after) = filter.after.as_ref().filter(|after| !after.fits(filter.sort)) {
        return Err(crate::Error::Cursor(after.to_string()));
    }
    let e = executor;
    let rows = match filter.sort {
        Sort::Newest => {
            matching!(deployments, filter, at, limit, "($14 IS NULL OR id < $14) ORDER BY id DESC").fetch_all(e).await
        }
        Sort::Oldest => matching!(deployments, filter, at, limit, "($14 IS NULL OR id > $14) ORDER BY id").fetch_all(e).await,
        Sort::Hostname => up!(filter, at, limit, "hostname", "$15").fetch_all(e).await,
        Sort::HostnameBackwards => down!(filter, at, limit, "hostname", "$15").fetch_all(e).await,
        Sort::LongestInState => up!(filter, at, limit, "status_since", "$15::timestamptz").fetch_all(e).await,
        Sort::ShortestInState => down!(filter, at, limit, "status_since", "$15::timestamptz").fetch_all(e).await,
        Sort::Status => up!(filter, at, limit, "status", "$15").fetch_all(e).await,
        Sort::StatusBackwards => down!(filter, at, limit, "status", "$15").fetch_all(e).await,
        Sort::Ip => up!(filter, at, limit, "ip", "$15::inet").fetch_all(e).await,
        Sort::IpBackwards => down!(filter, at, limit, "ip", "$15::inet").fetch_all(e).await,
        Sort::Role => up!(filter, at, limit, "(venture || ' ' || role)", "$15").fetch_all(e).await,
        Sort::RoleBackwards => down!(filter, at, limit, "(venture || ' ' || role)", "$15").fetch_all(e).await,
        Sort::Image => up!(filter, at, limit, "boot_image", "$15").fetch_all(e).await,
        Sort::ImageBackwards => down!(filter, at, limit, "boot_image", "$15").fetch_all(e).await,
        Sort::Site => up!(filter, at, limit, "site", "$15").fetch_all(e).await,
        Sort::SiteBackwards => down!(filter, at, limit, "site", "$15").fetch_all(e).await,
    };
    all(rows?)
}

/// How many deployments match the filter, regardless of its cursor. The count ends at `most`, so that it stays quick.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn count(executor: impl PgExecutor<'_>, filter: &Filter, at: At, most: i64) -> Result<i64> {
    let filter = &Filter { after: None, ..filter.clone() };
    Ok(matching!(deployments_counted, filter, at, most, "true").fetch_one(executor).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_its_text_and_nothing_else() {
        assert_eq!(containing(" H2_0%\\ "), "%h2\\_0\\%\\\\%");
    }

    #[test]
    fn a_cursor_is_read_back_and_fits_its_own_order_only() {
        let id = DeploymentId::default();
        for (key, sort, other) in
            [(None, Sort::Oldest, Sort::Hostname), (Some("h200.dc1.example"), Sort::Hostname, Sort::LongestInState)]
        {
            let cursor = Cursor { id, key: key.map(str::to_owned) };
            assert_eq!(cursor.to_string().parse::<Cursor>().expect("a cursor"), cursor);
            assert!(cursor.fits(sort) && !cursor.fits(other), "{cursor:?}");
        }
    }
}
