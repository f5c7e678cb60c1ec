//! The scope of a secret: the management controllers that the secret may be sent to. The key is the secret's name; the secret
//! itself is never stored here. A secret without a scope is sent to no controller.
//!
//! `(none) ─DefineSecret─► defined ─RetireSecret─► retired ─DefineSecret─► defined`

#[cfg(test)]
mod tests;

use crate::controller::management::{Management, ManagementProtocol, Tls};
use crate::rules::{BrokenRule, Refused, Rule, aggregate, domain_event};
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

/// The shortest network prefixes, for IPv4 and IPv6: a scope that covers the whole Internet would not limit anything.
const SHORTEST: (u8, u8) = (8, 16);

/// The management controllers that a secret may be sent to. A controller must match every field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretSpec {
    /// A description for operators.
    #[serde(default)]
    pub description: Text,
    /// The networks that contain the controllers' addresses; at least one.
    #[schema(value_type = Vec<IpNetwork>)]
    pub networks: Vec<IpNet>,
    /// The protocols that the secret may be sent over; at least one.
    pub protocols: BTreeSet<ManagementProtocol>,
    /// The ports that the secret may be sent to. If empty or omitted, only the usual port of each protocol: 443 for Redfish (80
    /// without TLS) and 623 for IPMI.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ports: BTreeSet<u16>,
    /// The sites whose devices the secret may be used for; at least one.
    pub sites: BTreeSet<Name>,
    /// Whether the secret may be sent over Redfish without TLS, where anyone on the network path can read it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain_http: bool,
}

/// Why a secret may not be sent to a controller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfScope {
    /// The controller's address is in none of the networks.
    #[error("the secret {0} may not be sent to the address {1}")]
    Address(Name, IpAddr),
    /// The controller's name has no address, so it is unknown whether the controller is in the networks.
    #[error("the secret {0} may not be sent to {1}, whose address is not known")]
    Unresolved(Name, String),
    /// The controller's protocol is not in the scope.
    #[error("the secret {0} may not be sent by {1}")]
    Protocol(Name, &'static str),
    /// The controller's port is not in the scope.
    #[error("the secret {0} may not be sent to port {1}")]
    Port(Name, u16),
    /// The device's site is not in the scope.
    #[error("the secret {0} may not be used in site {1}")]
    Site(Name, Name),
    /// The controller is reached without TLS.
    #[error("the secret {0} may not be sent without TLS (management.tls is off)")]
    PlainHttp(Name),
}

impl SecretSpec {
    /// Checks whether the secret `name` may be sent to the controller of a device at `site`, which is at these addresses.
    ///
    /// # Errors
    /// The first reason why the secret may not be sent.
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
        // The connection may use any address of a host name, so every one of them must be in scope.
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

/// A command on the scope of a secret.
#[derive(Clone, Debug)]
pub enum SecretCommand {
    /// Sets the scope of a secret.
    DefineSecret {
        /// The secret's name.
        name: Name,
        /// The new scope.
        spec: Box<SecretSpec>,
        /// Those of the scope's sites that do not exist or are retired.
        unknown_sites: Vec<Name>,
        /// What else the secret is used for, such as `site dc1`: such a secret cannot be for controllers.
        used_by: Vec<String>,
    },
    /// Removes the scope: the secret is sent to no controller.
    RetireSecret,
}

/// An event of the scope of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SecretEvent {
    /// The scope was set: the secret may be sent to these controllers and no others.
    SecretScopeDefined {
        /// The new scope.
        spec: Box<SecretSpec>,
    },
    /// The scope was removed: the secret is sent to no controller.
    SecretScopeRetired {},
}

/// The state of a secret's scope, as far as the rules need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Secret {
    defined: Option<Box<SecretSpec>>,
}

impl Secret {
    /// The scope, if there is one.
    pub fn scope(&self) -> Option<&SecretSpec> {
        self.defined.as_deref()
    }

    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
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

/// Whether a secret of this name is for boot files. Such a secret is rendered into files that servers read, so it cannot be for
/// controllers.
pub fn is_for_boot_files(name: &Name) -> bool {
    name.as_str().starts_with(BOOT_SECRET_PREFIX)
}

fn broken(name: &Name, spec: &SecretSpec, unknown_sites: &[Name], used_by: &[String]) -> Vec<BrokenRule> {
    let mut broken = vec![];
    let mut refuse = |field: &str, rule: Rule, message: String| broken.push(BrokenRule::new(field, rule, message));
    if is_for_boot_files(name) {
        let message = format!(
            "secrets whose names begin with {BOOT_SECRET_PREFIX} are for boot files, and are sent to no controller. Choose a secret with another name"
        );
        refuse("name", Rule::SecretForBootFiles, message);
    }
    if let [first, ..] = used_by {
        let message = format!(
            "the secret {name} is used by {first}. A secret for controllers cannot have another use: choose another secret \
             for the controllers"
        );
        refuse("name", Rule::SecretUsedElsewhere, message);
    }
    for (field, rule, count, what) in [
        (
            "networks",
            Rule::NetworksMissing,
            spec.networks.len(),
            "one network that the controllers are in, such as 10.20.12.0/24",
        ),
        ("protocols", Rule::ProtocolsMissing, spec.protocols.len(), "one protocol (redfish or ipmi)"),
        ("sites", Rule::SitesMissing, spec.sites.len(), "one site whose devices use it"),
    ] {
        if count == 0 {
            refuse(field, rule, format!("name at least {what}: the scope allows only what it names"));
        }
    }
    for (field, rule, count) in [
        ("networks", Rule::NetworksTooMany, spec.networks.len()),
        ("sites", Rule::SitesTooMany, spec.sites.len()),
        ("ports", Rule::PortsTooMany, spec.ports.len()),
    ] {
        if count > MOST {
            refuse(field, rule, format!("a scope has at most {MOST} {field}; this one has {count}"));
        }
    }
    for (n, network) in spec.networks.iter().enumerate() {
        let shortest = if network.addr().is_ipv4() { SHORTEST.0 } else { SHORTEST.1 };
        if network.prefix_len() < shortest {
            let message = format!("{network} is too large for a scope; use a prefix of /{shortest} or longer");
            refuse(&format!("networks[{n}]"), Rule::NetworkTooWide, message);
        }
    }
    if spec.ports.contains(&0) {
        refuse("ports", Rule::PortRange, "a port is a number from 1 to 65535".to_owned());
    }
    for site in unknown_sites {
        refuse("sites", Rule::SiteUnknown, format!("there is no site {site}; create it first, or leave it out"));
    }
    broken
}

aggregate!(Secret, "secret", SecretCommand, SecretEvent);
domain_event!(SecretEvent { SecretScopeDefined, SecretScopeRetired });
