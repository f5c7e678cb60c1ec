//! A DHCP server of a site, and the configuration that it last confirmed. The key is the server's name.
//!
//! `(none) ─DefineDhcpServer─► defined ─Confirm / ReportFailure─► … ─RetireDhcpServer─► retired`

#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, Rule, aggregate, domain_event};
use crate::values::name::Name;
use crate::values::schema::Ipv4Address;
use crate::values::sha256::Sha256;
use crate::values::special;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// The software of a DHCP server; determines the configuration format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DhcpKind {
    /// ISC dhcpd, which reads `isc.conf`.
    Isc,
    /// Kea, which reads `kea.json`.
    Kea,
    /// dnsmasq, which reads `dnsmasq.conf`.
    Dnsmasq,
}

/// The description of a DHCP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DhcpServerSpec {
    /// The site whose networks the server serves.
    pub site: Name,
    /// The server's own address. It is shown to operators, and new devices cannot get it.
    #[schema(value_type = Option<Ipv4Address>)]
    pub address: Option<Ipv4Addr>,
    /// The server's software; determines the configuration format.
    pub kind: DhcpKind,
}

/// A command on a DHCP server.
#[derive(Clone, Debug)]
pub enum DhcpServerCommand {
    /// Creates the server or changes its description.
    DefineDhcpServer {
        /// The new description.
        spec: DhcpServerSpec,
        /// Whether the site exists and is not retired, as looked up.
        site_exists: bool,
    },
    /// Retires the server: deployments no longer wait for it.
    RetireDhcpServer,
    /// Records that the server runs a configuration.
    ConfirmConfiguration {
        /// The SHA-256 of the configuration that the server runs.
        revision: Sha256,
        /// The event number at which the configuration was rendered.
        position: i64,
        /// The last event number of the log, as looked up. No configuration can have been rendered after it.
        last_position: i64,
    },
    /// Records that the server could not check, write or load a configuration and keeps the previous one.
    ReportFailure {
        /// The SHA-256 of the configuration that failed, if it was fetched.
        revision: Option<Sha256>,
        /// The error message of the configuration checker or the init system.
        message: Text,
    },
}

/// An event of a DHCP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DhcpServerEvent {
    /// The server's description was set.
    DhcpServerDefined {
        /// The new description.
        spec: DhcpServerSpec,
    },
    /// The server was retired.
    DhcpServerRetired {
        /// The site that the server served.
        site: Name,
    },
    /// The server runs this configuration.
    ConfigurationConfirmed {
        /// The site that the server serves.
        site: Name,
        /// The SHA-256 of the configuration that the server runs.
        revision: Sha256,
        /// The event number at which the configuration was rendered.
        position: i64,
    },
    /// The server could not use a configuration and keeps the previous one.
    ConfigurationFailed {
        /// The site that the server serves.
        site: Name,
        /// The SHA-256 of the configuration that failed, if it was fetched.
        revision: Option<Sha256>,
        /// The reported error message.
        message: Text,
    },
}

/// The state of a DHCP server, as far as the rules need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DhcpServer {
    defined: Option<DhcpServerSpec>,
    confirmed: Option<(Sha256, i64)>,
    failing: Option<(Option<Sha256>, Text)>,
}

impl DhcpServer {
    /// Returns the events that the command produces. A confirmation that is older than the last one produces no event, not even
    /// the end of a failure. So a late or repeated report cannot revoke a confirmation or fake one.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: DhcpServerCommand) -> Result<Vec<DhcpServerEvent>, Refused> {
        match (command, &self.defined) {
            (DhcpServerCommand::DefineDhcpServer { spec, site_exists }, defined) => {
                if !site_exists {
                    let message = format!("there is no site {}; create it first", spec.site);
                    return Err(Refused::because("site", Rule::SiteUnknown, message));
                }
                let changed = defined.as_ref().is_none_or(|before| before.address != spec.address);
                let address = spec.address.filter(|address| changed && !address.is_loopback());
                if let Some(wrong) = address.and_then(special::of_no_server) {
                    let message = format!("{wrong}; enter the DHCP server's own address, or leave it out");
                    return Err(Refused::because("address", Rule::AddressNotAHost, message));
                }
                Ok(if defined.as_ref() == Some(&spec) { vec![] } else { vec![DhcpServerEvent::DhcpServerDefined { spec }] })
            }
            (DhcpServerCommand::RetireDhcpServer, None) => Ok(vec![]),
            (DhcpServerCommand::RetireDhcpServer, Some(spec)) => {
                Ok(vec![DhcpServerEvent::DhcpServerRetired { site: spec.site.clone() }])
            }
            (_, None) => Err(Refused::unknown(Rule::DhcpServerUnknown, "DHCP server", "create it first")),
            (DhcpServerCommand::ConfirmConfiguration { revision, position, last_position }, Some(spec)) => {
                if position < 1 {
                    let message = "event numbers start at 1; send the event number of the configuration";
                    return Err(Refused::because("position", Rule::PositionRange, message));
                }
                if position > last_position {
                    return Err(Refused(vec![BrokenRule::new(
                        "position",
                        Rule::PositionInFuture,
                        format!("event {position} does not exist yet; the last event is {last_position}"),
                    )]));
                }
                let late = self.confirmed.is_some_and(|(_, at)| position < at);
                let repeated = self.confirmed == Some((revision, position)) && self.failing.is_none();
                if late || repeated {
                    return Ok(vec![]);
                }
                Ok(vec![DhcpServerEvent::ConfigurationConfirmed { site: spec.site.clone(), revision, position }])
            }
            (DhcpServerCommand::ReportFailure { revision, message }, Some(spec)) => {
                if self.failing.as_ref() == Some(&(revision, message.clone())) {
                    return Ok(vec![]);
                }
                Ok(vec![DhcpServerEvent::ConfigurationFailed { site: spec.site.clone(), revision, message }])
            }
        }
    }

    fn evolve(&mut self, event: DhcpServerEvent) {
        match event {
            DhcpServerEvent::DhcpServerDefined { spec } => {
                // After a change of site or kind, the server has not confirmed any of its new configuration.
                if self.defined.as_ref().is_some_and(|old| old.site != spec.site || old.kind != spec.kind) {
                    (self.confirmed, self.failing) = (None, None);
                }
                self.defined = Some(spec);
            }
            DhcpServerEvent::DhcpServerRetired { .. } => *self = Self::default(),
            DhcpServerEvent::ConfigurationConfirmed { revision, position, .. } => {
                self.confirmed = Some((revision, position));
                self.failing = None;
            }
            DhcpServerEvent::ConfigurationFailed { revision, message, .. } => self.failing = Some((revision, message)),
        }
    }
}

aggregate!(DhcpServer, "dhcp_server", DhcpServerCommand, DhcpServerEvent);
domain_event!(DhcpServerEvent { DhcpServerDefined, DhcpServerRetired, ConfigurationConfirmed, ConfigurationFailed });
