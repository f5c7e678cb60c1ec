//! The catalogue that a change is checked against.

use crate::dhcp_server::DhcpServerSpec;
use crate::network::NetworkSpec;
use crate::rack::RackSpec;
use crate::site::SiteSpec;
use crate::values::name::Name;
use crate::venture::{RoleSpec, VentureSpec};
use std::collections::{BTreeMap, BTreeSet};

/// Every catalogue entry that is in use, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    /// The sites, by code.
    pub sites: BTreeMap<Name, SiteSpec>,
    /// The racks, by name.
    pub racks: BTreeMap<Name, RackSpec>,
    /// The networks, by name.
    pub networks: BTreeMap<Name, NetworkSpec>,
    /// The DHCP servers, by name.
    pub dhcp_servers: BTreeMap<Name, DhcpServerSpec>,
    /// The ventures with their roles, by name.
    pub ventures: BTreeMap<Name, (VentureSpec, BTreeMap<Name, RoleSpec>)>,
    /// The names of the boot images.
    pub boot_images: BTreeSet<Name>,
}
