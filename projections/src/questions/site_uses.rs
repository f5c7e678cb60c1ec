//! What still belongs to a site and prevents its retirement.

use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::catalogue::{dhcp_servers_of, networks};
use crate::rows::devices::{self, Filter};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use std::fmt;

/// The maximum number of devices that are named.
const NAMED: u8 = 3;

/// Something that belongs to a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteUse {
    /// A network of the site.
    Network(Name),
    /// A DHCP server of the site.
    DhcpServer(Name),
    /// A device of the site, with its label.
    Device(DeviceId, String),
    /// The site has more devices than are named.
    FurtherDevices,
}

impl fmt::Display for SiteUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(key) => write!(f, "network {key}"),
            Self::DhcpServer(key) => write!(f, "DHCP server {key}"),
            Self::Device(_, called) => write!(f, "device {called}"),
            Self::FurtherDevices => f.write_str("further devices"),
        }
    }
}

/// Everything that belongs to the site; at most three devices are named.
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn of(connection: &mut Connection, site: &Name, at: At) -> Result<Vec<SiteUse>> {
    let networks = networks(&mut *connection, at).await?.into_iter().filter(|entry| entry.spec.site == *site);
    let mut uses: Vec<SiteUse> = networks.map(|entry| SiteUse::Network(entry.key)).collect();
    uses.extend(dhcp_servers_of(&mut *connection, site, at).await?.into_iter().map(|entry| SiteUse::DhcpServer(entry.key)));
    let filter = Filter { site: Some(site.clone()), decommissioned: Some(false), ..Filter::default() };
    let found = devices::list(connection, &filter, at, i64::from(NAMED) + 1).await?;
    let further = found.len() > usize::from(NAMED);
    uses.extend(found.into_iter().take(NAMED.into()).map(|device| SiteUse::Device(device.id, device.called())));
    uses.extend(further.then_some(SiteUse::FurtherDevices));
    Ok(uses)
}
