//! Why a plugin waits, and why it failed, as codes and values. The web crate writes the sentences when it shows them.
//!
//! The JSON of these types is part of stored events, so it is stored permanently.

use crate::claims::Holder;
use crate::device::controller::Host;
use crate::device::power_failure::PowerFailure;
use crate::problem::PublishProblem;
use crate::rules::BrokenRule;
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use utoipa::ToSchema;

/// Why a plugin waits; waiting is not a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum Waiting {
    /// The site has no DHCP server that could give the server its address.
    NoDhcpServer {
        /// The site that lacks a DHCP server.
        site: Name,
    },
    /// DHCP servers have not yet confirmed a configuration with the server's entry.
    DhcpServers {
        /// The servers that have not confirmed.
        servers: Vec<UnconfirmedServer>,
        /// Why the site gets no new configuration, if it gets none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_back: Option<HeldBack>,
    },
    /// DNS primaries do not return the server's records yet.
    DnsPrimaries {
        /// The addresses and ports of the primaries.
        #[schema(value_type = Vec<String>)]
        primaries: Vec<SocketAddr>,
        /// Why the last updates failed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        problems: Vec<PublishProblem>,
    },
    /// The management controller carries out another order.
    ControllerBusy {},
    /// The management controller was ordered to restart the server and has not confirmed it yet.
    ControllerRestart {
        /// The management controller.
        controller: Host,
    },
    /// A restart was ordered, and its result is unknown. The server may boot, or an operator has to restart it.
    BootScript {
        /// When the restart was ordered.
        ordered_at: Timestamp,
        /// Why the result is unknown.
        unknown: UnknownResult,
    },
    /// An operator has to restart the server, because Bootledger cannot.
    ManualRestart {
        /// The interface that the server has to boot from.
        mac: MacAddress,
        /// What Bootledger needs for a restart.
        missing: MissingController,
    },
    /// An operator reported that they restarted the server, which has not requested its boot script since.
    RestartReported {
        /// When the operator reported it.
        at: Timestamp,
    },
    /// The reason in an event that was stored before reasons had codes.
    Text {
        /// The sentence as it was stored.
        text: Text,
    },
}

/// A DHCP server that has not confirmed a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnconfirmedServer {
    /// The name of the DHCP server.
    pub server: Name,
    /// The server's error message, if it cannot use its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Text>,
}

/// Why a site's DHCP configuration is held back: it would lack entries, because no network serves them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldBack {
    /// The site whose configuration is held back.
    pub site: Name,
    /// The first of the entries.
    pub entries: Vec<UnservedEntry>,
    /// How many entries there are besides these.
    pub more: usize,
    /// The network that the first entry was created for.
    pub network: Name,
    /// Why that network does not serve the entry.
    pub problem: NetworkProblem,
}

/// A DHCP entry that no network serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnservedEntry {
    /// The reserved address.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// The label of the device that the entry belongs to.
    pub device: Text,
}

/// Why a network does not serve a DHCP entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum NetworkProblem {
    /// There is no such network.
    Unknown {},
    /// The network is retired.
    Retired {},
    /// The network is not served by DHCP.
    WithoutDhcp {},
    /// The entry's address is not in the network.
    AddressOutside {
        /// The addresses of the network.
        cidr: Text,
    },
}

/// Why the result of a restart is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownResult {
    /// The service stopped during the request.
    ServiceStopped,
    /// The management controller did not confirm the restart.
    NotConfirmed,
}

/// What Bootledger needs to restart a server, and does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum MissingController {
    /// The device has no management address.
    Address {},
    /// The management controller has no credentials.
    Credentials {
        /// The management controller.
        controller: Host,
    },
}

/// Why a plugin failed. It is retried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum PluginFailure {
    /// Rules refused what the plugin wanted to change.
    Rules {
        /// The rules that refused the change.
        broken: Vec<Violation>,
    },
    /// Another system failed or refused a request.
    External {
        /// The system that failed or refused the request.
        system: ExternalSystem,
        /// The system's error message.
        detail: Text,
    },
    /// The server's records cannot be published at their DNS primary.
    Dns {
        /// Why they cannot be published.
        problem: Box<PublishProblem>,
    },
    /// The server's management controller did not carry out an order.
    Controller {
        /// Why the controller did not carry it out.
        failure: Box<PowerFailure>,
    },
    /// The credentials cannot be used for the management controller.
    CredentialsRefused {},
    /// This version of Bootledger does not have the plugin.
    NotSupported {},
    /// The plugin did not end in time.
    Deadline {
        /// The time limit in seconds.
        seconds: u64,
    },
    /// An internal error: a defect of the program, or damaged data.
    Internal {
        /// The error message.
        detail: Text,
    },
    /// The reason in an event that was stored before reasons had codes.
    Text {
        /// The sentence as it was stored.
        text: Text,
    },
}

impl PluginFailure {
    /// The failure of a plugin whose change these rules refuse.
    pub fn rules(broken: &[BrokenRule]) -> Self {
        Self::Rules { broken: broken.iter().map(Violation::from).collect() }
    }

    /// The devices and deployments that hold the values that a plugin wanted.
    pub fn holders(&self) -> Vec<Holder> {
        let Self::Rules { broken } = self else { return vec![] };
        broken.iter().filter_map(|violation| violation.holder.as_ref()?.as_str().parse().ok()).collect()
    }
}

/// A rule that refused a plugin's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// The stable code of the rule.
    #[schema(value_type = crate::rules::Rule)]
    pub rule: Text,
    /// The field that the error is about; empty if it is about the whole change.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub field: Text,
    /// What the error is about, such as the requested address or the plugins that have to succeed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Text>,
    /// The holder of the requested value, such as `device 0192…` or `deployment 0192…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Text>,
}

impl From<&BrokenRule> for Violation {
    fn from(broken: &BrokenRule) -> Self {
        Self {
            rule: Text::fitted(&broken.rule),
            field: Text::fitted(&broken.field),
            value: broken.value().map(Text::fitted),
            holder: broken.holder.as_deref().map(Text::fitted),
        }
    }
}

/// A system that plugins depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExternalSystem {
    /// The database of Bootledger itself.
    Database,
}
