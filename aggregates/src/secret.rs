//! Where a secret may be sent: to which management controllers. The key is the secret's name; the secret itself is nowhere
//! here. A secret without a scope is sent to no controller.
//!
//! `(none) ─DefineSecret─► defined ─RetireSecret─► retired ─DefineSecret─► defined`

#[cfg(test)]
mod tests;

use crate::device::event::{Management, ManagementProtocol};
use crate::device::management::Tls;
use crate::rules::{BrokenRule, Refused, aggregate, domain_event};
use crate::values::name::Name;
use crate::values::schema::IpNetwork;
use crate::values::setting::BOOT_SECRET_PREFIX;
use crate::values::text::Text;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;
use utoipa::ToSchema;

/// The most networks, ports or sites of one secret.
const MOST: usize = 200;

/// The shortest prefixes of networks, for IPv4 and IPv6: a scope that is all of the internet is none.
const SHORTEST: (u8, u8) = (8, 16);

/// To which management controllers a secret may be sent. A controller has to fit all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretSpec {
    /// For people.
    #[serde(default)]
    pub description: Text,
    /// The networks that the controllers' addresses are in; at least one.
    #[schema(value_type = Vec<IpNetwork>)]
    pub networks: Vec<IpNet>,
    /// The protocols that it may be sent by; at least one.
    pub protocols: BTreeSet<ManagementProtocol>,
    /// The ports that it may be sent to. Left out or empty: only the usual one of each protocol, which is 443 for Redfish (80
    /// without TLS) and 623 for IPMI.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ports: BTreeSet<u16>,
    /// The sites of the devices that it may be used for; at least one.
    pub sites: BTreeSet<Name>,
    /// Whether it may be sent by Redfish without TLS, readable for all on the way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain_http: bool,
}

/// Why a secret may not be sent to a controller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfScope {
    /// Its address is in none of the networks.
    #[error("the secret {0} may not be sent to the address {1}")]
    Address(Name, IpAddr),
    /// Its name has no address, so that nothing says whether it is in the networks.
    #[error("the secret {0} may not be sent to {1}, whose address is not known")]
    Unresolved(Name, String),
    /// Its protocol is none of the protocols.
    #[error("the secret {0} may not be sent by {1}")]
    Protocol(Name, &'static str),
    /// Its port is none of the ports.
    #[error("the secret {0} may not be sent to port {1}")]
    Port(Name, u16),
    /// The device is in none of the sites.
    #[error("the secret {0} may not be used in site {1}")]
    Site(Name, Name),
    /// It is reached without TLS.
    #[error("the secret {0} may not be sent without TLS (management.tls is off)")]
    PlainHttp(Name),
}

impl SecretSpec {
    /// Whether the secret, whose name is `name`, may be sent to the controller of a device in this site, which is at these
    /// addresses.
    ///
    /// # Errors
    /// Where it may not: the first reason.
    pub fn check(&self, name: &Name, site: &Name, management: &Management, addresses: &[IpAddr]) -> Result<(), OutOfScope> {
        let name = || name.clone();
        let protocol = management.protocol;
        let plain = protocol == ManagementProtocol::Redfish && management.access.tls == Tls::Off;
        let (usual, port) = (management.usual_port(), management.port());
        if !self.sites.contains(site) {
            return Err(OutOfScope::Site(name(), site.clone()));
        }
        if addresses.is_empty() {
            return Err(OutOfScope::Unresolved(name(), management.address.to_string()));
        }
        // Whichever of the addresses of a host name the connection leads to, it has to be in scope.
        let outside = |address: &&IpAddr| !self.networks.iter().any(|network| network.contains(*address));
        if let Some(address) = addresses.iter().find(outside) {
            return Err(OutOfScope::Address(name(), *address));
        }
        if !self.protocols.contains(&protocol) {
            return Err(OutOfScope::Protocol(name(), protocol.as_str()));
        }
        if plain && !self.plain_http {
            return Err(OutOfScope::PlainHttp(name()));
        }
        let fits = if self.ports.is_empty() { port == usual } else { self.ports.contains(&port) };
        if fits { Ok(()) } else { Err(OutOfScope::Port(name(), port)) }
    }
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum SecretCommand {
    /// Sets the scope of a secret.
    DefineSecret {
        /// The secret's name.
        name: Name,
        /// The scope.
        spec: Box<SecretSpec>,
        /// Those of its sites that are unknown or out of use.
        unknown_sites: Vec<Name>,
        /// What else the secret is for, such as `site dc1`: such a secret is no controller's.
        used_by: Vec<String>,
    },
    /// Takes the scope away: the secret is sent to no controller.
    RetireSecret,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SecretEvent {
    /// The secret may now be sent to these controllers, and no others.
    SecretScopeDefined {
        /// All of the scope.
        spec: Box<SecretSpec>,
    },
    /// The secret is sent to no controller.
    SecretScopeRetired {},
}

/// The state that the rules need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Secret {
    defined: Option<Box<SecretSpec>>,
}

impl Secret {
    /// The scope, where there is one.
    pub fn scope(&self) -> Option<&SecretSpec> {
        self.defined.as_deref()
    }

    /// What the command leads to.
    pub fn decide(&self, command: SecretCommand) -> Result<Vec<SecretEvent>, Refused> {
        match command {
            SecretCommand::DefineSecret { name, spec, unknown_sites, used_by } => {
                Refused::unless_empty(broken(&name, &spec, &unknown_sites, &used_by))?;
                let same = self.defined.as_ref() == Some(&spec);
                Ok(if same { vec![] } else { vec![SecretEvent::SecretScopeDefined { spec }] })
            }
            SecretCommand::RetireSecret => Ok(self.defined.iter().map(|_| SecretEvent::SecretScopeRetired {}).collect()),
        }
    }

    fn evolve(&mut self, event: SecretEvent) {
        self.defined = match event {
            SecretEvent::SecretScopeDefined { spec } => Some(spec),
            SecretEvent::SecretScopeRetired {} => None,
        };
    }
}

/// Whether a secret of this name can be for controllers at all: those for boot files are rendered into files that servers read.
pub fn is_for_boot_files(name: &Name) -> bool {
    name.as_str().starts_with(BOOT_SECRET_PREFIX)
}

fn broken(name: &Name, spec: &SecretSpec, unknown_sites: &[Name], used_by: &[String]) -> Vec<BrokenRule> {
    let mut broken = vec![];
    let mut refuse = |field: &str, rule: &str, message: String| broken.push(BrokenRule::new(field, rule, message));
    if is_for_boot_files(name) {
        let message = format!(
            "secrets whose names begin with {BOOT_SECRET_PREFIX} are for boot files, and are sent to no controller. Choose a secret with another name"
        );
        refuse("name", "secret_for_boot_files", message);
    }
    if let [first, ..] = used_by {
        let message = format!(
            "the secret {name} is used by {first}. A secret for controllers is for nothing else: choose another one for the controllers"
        );
        refuse("name", "secret_used_elsewhere", message);
    }
    for (field, count, what) in [
        ("networks", spec.networks.len(), "a network that the controllers are in, such as 10.20.12.0/24"),
        ("protocols", spec.protocols.len(), "a protocol: redfish or ipmi"),
        ("sites", spec.sites.len(), "a site whose devices it is for"),
    ] {
        if count == 0 {
            refuse(field, &format!("{field}_missing"), format!("name at least {what}: what is not named is not allowed"));
        }
    }
    for (field, count) in [("networks", spec.networks.len()), ("sites", spec.sites.len()), ("ports", spec.ports.len())] {
        if count > MOST {
            refuse(field, &format!("{field}_too_many"), format!("a scope has at most {MOST} {field}; this one has {count}"));
        }
    }
    for (n, network) in spec.networks.iter().enumerate() {
        let shortest = if network.addr().is_ipv4() { SHORTEST.0 } else { SHORTEST.1 };
        if network.prefix_len() < shortest {
            let message = format!("{network} is too wide for a scope: name networks with a prefix of at least /{shortest}");
            refuse(&format!("networks[{n}]"), "network_too_wide", message);
        }
    }
    if spec.ports.contains(&0) {
        refuse("ports", "port_range", "ports are 1 to 65535".to_owned());
    }
    for site in unknown_sites {
        refuse("sites", "site_unknown", format!("there is no site {site}"));
    }
    broken
}

aggregate!(Secret, "secret", SecretCommand, SecretEvent);
domain_event!(SecretEvent { SecretScopeDefined, SecretScopeRetired });
