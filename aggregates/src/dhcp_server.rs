//! A DHCP server of a site, and which configuration it has confirmed. The key is its name.
//!
//! `(none) ─DefineDhcpServer─► defined ─Confirm / ReportFailure─► … ─RetireDhcpServer─► retired`

#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, aggregate, domain_event};
use crate::values::name::Name;
use crate::values::schema::Ipv4Address;
use crate::values::sha256::Sha256;
use crate::values::special;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// Which software it runs, hence which configuration it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DhcpKind {
    /// ISC dhcpd: `isc.conf`.
    Isc,
    /// Kea: `kea.json`.
    Kea,
    /// dnsmasq: `dnsmasq.conf`.
    Dnsmasq,
}

/// What a DHCP server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DhcpServerSpec {
    /// The site whose networks it serves.
    pub site: Name,
    /// Its own address, for people.
    #[schema(value_type = Option<Ipv4Address>)]
    pub address: Option<Ipv4Addr>,
    /// Which software it runs.
    pub kind: DhcpKind,
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum DhcpServerCommand {
    /// Creates or changes the server's description.
    DefineDhcpServer {
        /// What it shall be.
        spec: DhcpServerSpec,
        /// Whether the site is known and not retired; looked up.
        site_exists: bool,
    },
    /// Takes the server out of use: nobody waits for it any more.
    RetireDhcpServer,
    /// The server runs this configuration.
    ConfirmConfiguration {
        /// Hash of the bytes that it runs.
        revision: Sha256,
        /// The position of the log that the configuration was rendered at.
        position: i64,
        /// The log's last position, looked up: nothing later can have been rendered.
        last_position: i64,
    },
    /// The server could not check, write or load a configuration and keeps the old one.
    ReportFailure {
        /// The configuration that failed, where it was fetched.
        revision: Option<Sha256>,
        /// What its checker or init system said.
        message: Text,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DhcpServerEvent {
    /// The server is now this.
    DhcpServerDefined {
        /// All of it.
        spec: DhcpServerSpec,
    },
    /// The server is out of use.
    DhcpServerRetired {
        /// The site it served.
        site: Name,
    },
    /// The server runs this configuration.
    ConfigurationConfirmed {
        /// The site it serves.
        site: Name,
        /// Hash of the bytes that it runs.
        revision: Sha256,
        /// The position of the log that the configuration was rendered at.
        position: i64,
    },
    /// The server could not use a configuration and keeps the old one.
    ConfigurationFailed {
        /// The site it serves.
        site: Name,
        /// The configuration that failed, where it was fetched.
        revision: Option<Sha256>,
        /// What was said.
        message: Text,
    },
}

/// The state that the rules need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DhcpServer {
    defined: Option<DhcpServerSpec>,
    confirmed: Option<(Sha256, i64)>,
    failing: Option<(Option<Sha256>, Text)>,
}

impl DhcpServer {
    /// What the command leads to. An older confirmation than the last is nothing new, not even the
    /// end of a failure, so a late or repeated report can never take a confirmation back or fake one.
    pub fn decide(&self, command: DhcpServerCommand) -> Result<Vec<DhcpServerEvent>, Refused> {
        match (command, &self.defined) {
            (DhcpServerCommand::DefineDhcpServer { spec, site_exists }, defined) => {
                if !site_exists {
                    return Err(Refused::because("site", "site_unknown", format!("there is no site {}", spec.site)));
                }
                let changed = defined.as_ref().is_none_or(|before| before.address != spec.address);
                let address = spec.address.filter(|address| changed && !address.is_loopback());
                if let Some(wrong) = address.and_then(special::of_no_server) {
                    let message = format!("{wrong}; enter the DHCP server's own address, or leave it out");
                    return Err(Refused::because("address", "address_not_a_host", message));
                }
                Ok(if defined.as_ref() == Some(&spec) { vec![] } else { vec![DhcpServerEvent::DhcpServerDefined { spec }] })
            }
            (DhcpServerCommand::RetireDhcpServer, None) => Ok(vec![]),
            (DhcpServerCommand::RetireDhcpServer, Some(spec)) => {
                Ok(vec![DhcpServerEvent::DhcpServerRetired { site: spec.site.clone() }])
            }
            (_, None) => Err(Refused::because("", "dhcp_server_unknown", "there is no such DHCP server; define it first")),
            (DhcpServerCommand::ConfirmConfiguration { revision, position, last_position }, Some(spec)) => {
                if position < 1 {
                    return Err(Refused::because("position", "position_range", "positions of the log are counted from 1"));
                }
                if position > last_position {
                    return Err(Refused(vec![BrokenRule::new(
                        "position",
                        "position_in_future",
                        format!("position {position} does not exist yet; the last one is {last_position}"),
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
                // A server of another site or kind has confirmed nothing of its new configuration.
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
