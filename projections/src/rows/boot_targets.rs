//! The boot targets: deployments in progress, by boot address. `/pxe/` answers requests from them.

use crate::error::Result;
use crate::rows::at::At;
use crate::rows::convert::{address, cursor, inet, part};
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::installer::NextBoot;
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use ipnet::IpNet;
use serde::Serialize;
use sqlx::PgExecutor;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use utoipa::ToSchema;
use uuid::Uuid;

/// A server that may boot its image from the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BootTarget {
    /// The address that the server boots with.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// The deployment of the server.
    pub deployment: DeploymentId,
    /// The device id of the server.
    pub device: DeviceId,
    /// The MAC address of the interface that the server boots from.
    pub mac: MacAddress,
    /// The server's host name.
    pub hostname: Hostname,
    /// The venture that the server is deployed for.
    pub venture: Name,
    /// The role that the server is deployed for.
    pub role: Name,
    /// The boot image that the server boots.
    pub boot_image: Name,
    /// The revision of the boot image.
    pub boot_image_revision: i32,
    /// The network of the server's address.
    pub network: Name,
    /// The site of the server.
    pub site: Name,
    /// What the server's next network boot gets.
    pub next_boot: NextBoot,
    /// The settings that the deployment was started with, in addition to the image's defaults.
    #[serde(skip_serializing_if = "ResolvedSettings::is_empty")]
    pub settings: ResolvedSettings,
}

impl BootTarget {
    /// The target's cursor in a list, for `after` of the next page.
    pub fn cursor(&self) -> String {
        format!("{} {}", self.ip, self.deployment)
    }

    /// The server, with the address, name, owner, role and boot image that it gets.
    pub fn assignment(&self) -> Assignment {
        Assignment {
            device: self.device,
            mac: self.mac,
            ip: self.ip,
            hostname: self.hostname.clone(),
            venture: self.venture.clone(),
            role: self.role.clone(),
            boot_image: self.boot_image.clone(),
        }
    }
}

/// A target that was added or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The boot target that was added or removed.
    pub target: BootTarget,
    /// Whether the target was added; otherwise it was removed.
    pub present: bool,
}

struct Raw {
    ip: IpNet,
    deployment: Uuid,
    device: Uuid,
    mac: String,
    hostname: String,
    venture: String,
    role: String,
    boot_image: String,
    boot_image_revision: i32,
    network: String,
    site: String,
    next_boot: String,
    settings: Option<String>,
    valid_to: Option<i64>,
}

/// Settings by their JSON. Most targets of a list have the same settings, so they share one copy.
#[derive(Debug, Default)]
struct Shared(HashMap<String, ResolvedSettings>);

impl Shared {
    fn settings(&mut self, json: Option<String>) -> Result<ResolvedSettings> {
        let Some(json) = json else { return Ok(ResolvedSettings::default()) };
        if let Some(known) = self.0.get(&json) {
            return Ok(known.clone());
        }
        let settings: ResolvedSettings = serde_json::from_str(&json)?;
        self.0.insert(json, settings.clone());
        Ok(settings)
    }

    fn target(&mut self, raw: Raw) -> Result<BootTarget> {
        Ok(BootTarget {
            settings: self.settings(raw.settings)?,
            ip: address(raw.ip)?,
            deployment: DeploymentId(raw.deployment),
            device: DeviceId(raw.device),
            mac: raw.mac.parse()?,
            hostname: raw.hostname.parse()?,
            venture: raw.venture.parse()?,
            role: raw.role.parse()?,
            boot_image: raw.boot_image.parse()?,
            boot_image_revision: raw.boot_image_revision,
            network: raw.network.parse()?,
            site: raw.site.parse()?,
            next_boot: raw.next_boot.parse()?,
        })
    }
}

macro_rules! boot_targets {
    ($condition:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Raw,
            "SELECT ip, deployment, device, mac, hostname, venture, role, boot_image, boot_image_revision, network, site,
                    next_boot, settings::text AS settings, valid_to
             FROM boot_targets WHERE " + $condition
            $(, $argument)*
        )
    };
}

/// A filter for targets. Fields that are `None` match every target.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only the target with this address.
    pub ip: Option<Ipv4Addr>,
    /// Only targets with this MAC address.
    pub mac: Option<MacAddress>,
    /// Only targets in this site.
    pub site: Option<Name>,
    /// Only targets with this boot image.
    pub boot_image: Option<Name>,
    /// Only targets with this text in address, MAC address or host name, case-insensitively.
    pub q: Option<String>,
    /// Only targets after the one with this cursor.
    pub after: Option<String>,
}

/// Up to `limit` targets by address and deployment.
///
/// # Errors
/// Returns `Error::Cursor` if `after` is not a cursor of this list, `Error::Database` if the query fails, and `Error::Damaged`
/// or `Error::DamagedJson` if a row cannot be parsed.
pub async fn list(executor: impl PgExecutor<'_>, filter: &Filter, at: At, limit: i64) -> Result<Vec<BootTarget>> {
    let after = cursor::<2>(filter.after.as_deref())?;
    let after_ip = after.as_ref().map(|parts| part(&parts[0]).map(inet)).transpose()?;
    let after_deployment = after.as_ref().map(|parts| part::<Uuid>(&parts[1])).transpose()?;
    let rows = boot_targets!(
        "(($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
         AND ($2::inet IS NULL OR ip = $2) AND ($3::text IS NULL OR mac = $3)
         AND ($4::text IS NULL OR site = $4) AND ($5::text IS NULL OR boot_image = $5)
         AND ($6::text IS NULL OR strpos(lower(concat_ws(' ', host(ip), mac, hostname)), lower($6)) > 0)
         AND ($7::inet IS NULL OR (ip, deployment) > ($7, $8::uuid))
         ORDER BY ip, deployment LIMIT $9",
        at.position(),
        filter.ip.map(inet),
        filter.mac.map(|mac| mac.to_string()),
        filter.site.as_ref().map(Name::as_str),
        filter.boot_image.as_ref().map(Name::as_str),
        filter.q.as_deref(),
        after_ip,
        after_deployment,
        limit
    );
    let mut shared = Shared::default();
    rows.fetch_all(executor).await?.into_iter().map(|row| shared.target(row)).collect()
}

/// Every target, by address and deployment.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn all(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<BootTarget>> {
    list(executor, &Filter::default(), at, i64::MAX).await
}

/// The targets that were added or removed after a position, in the order to apply them: removals first, then additions.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn changed_since(executor: impl PgExecutor<'_>, position: i64) -> Result<Vec<Change>> {
    let rows = boot_targets!(
        "valid_from > $1 OR (valid_to IS NOT NULL AND valid_to > $1) ORDER BY valid_to NULLS LAST, valid_from",
        position
    );
    let (rows, mut shared) = (rows.fetch_all(executor).await?, Shared::default());
    rows.into_iter()
        .map(|row| {
            let present = row.valid_to.is_none();
            Ok(Change { target: shared.target(row)?, present })
        })
        .collect()
}

/// The target that last had an address, whether it still is a target or not.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn last_of_ip(executor: impl PgExecutor<'_>, ip: Ipv4Addr) -> Result<Option<BootTarget>> {
    let row = boot_targets!("ip = $1 ORDER BY valid_from DESC LIMIT 1", inet(ip));
    row.fetch_optional(executor).await?.map(|row| Shared::default().target(row)).transpose()
}
