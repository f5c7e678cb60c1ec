//! What happened to a deployment. The JSON of these is stored for ever.

use super::installer::{NextBoot, NextBootReason};
use super::plan::Plan;
use crate::boot_image::EndedBy;
use crate::claims::{Claim, ClaimChange, Holder};
use crate::rules::domain_event;
use crate::settings::ResolvedSettings;
use crate::values::boot_chain::BootChain;
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId, ImportId};
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use crate::values::percent::Percent;
use crate::values::sha256::Sha256;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// Which part of a deployment's life a time limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Being prepared.
    Open,
    /// Booting and installing.
    InProgress,
}

/// After how many minutes a stage is overdue, as the boot image said at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// For an open deployment.
    pub open_minutes: u32,
    /// For one in progress.
    pub in_progress_minutes: u32,
}

/// Who said that a deployment is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoneBy {
    /// The server at this address.
    Ip {
        /// Its address.
        #[schema(value_type = String)]
        address: Ipv4Addr,
    },
    /// Somebody at this address with the deployment's token.
    Token {
        /// Where it was used.
        #[schema(value_type = String)]
        address: Ipv4Addr,
    },
    /// A person.
    Operator {
        /// The actor's name.
        name: Text,
    },
    /// Puppet, for the node with this certificate name.
    Puppet {
        /// The node.
        certname: Text,
    },
}

/// Everything that was decided at the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentStarted {
    /// The server.
    pub device: DeviceId,
    /// The interface that it boots from.
    pub mac: MacAddress,
    /// Its new address.
    pub ip: Ipv4Addr,
    /// Its new name.
    pub hostname: Hostname,
    /// Its new owner.
    pub venture: Name,
    /// Its new role.
    pub role: Name,
    /// What it boots.
    pub boot_image: Name,
    /// Which revision of that image.
    pub boot_image_revision: u32,
    /// The network of its address.
    pub network: Name,
    /// The site of network and server.
    pub site: Name,
    /// The plugins to run.
    pub plan: Plan,
    /// When it is overdue.
    pub limits: Limits,
    /// The claims that the device did not hold before; cancelling gives back these and no others.
    pub took: Vec<Claim>,
    /// The bulk import that started it.
    pub import: Option<ImportId>,
    /// Whose word ends it, as the boot image said at the start.
    #[serde(default, skip_serializing_if = "EndedBy::is_server")]
    pub done_by: EndedBy,
    /// The settings that device, role, venture and site gave for the image's templates; defaults are the image's.
    #[serde(default, skip_serializing_if = "ResolvedSettings::is_empty")]
    pub settings: ResolvedSettings,
    /// The loaders that the server's firmware starts, as they were chosen at the start.
    #[serde(default, skip_serializing_if = "BootChain::is_ipxe")]
    pub boot_chain: BootChain,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DeploymentEvent {
    /// It began.
    DeploymentStarted(Box<DeploymentStarted>),
    /// A plugin did its work.
    PluginSucceeded {
        /// Which.
        plugin: Name,
    },
    /// A plugin could not do its work and will try again.
    PluginFailed {
        /// Which.
        plugin: Name,
        /// The how manieth failure, from 1.
        attempt: u32,
        /// Why, for a person.
        reason: Text,
        /// When it tries again.
        retry_at: Timestamp,
    },
    /// A plugin waits for others; that is no failure.
    PluginWaiting {
        /// Which.
        plugin: Name,
        /// Why, for a person.
        reason: Text,
        /// What for, such as `dhcp-server:kea-1`; it goes on when one of these changes.
        awaited: Vec<Text>,
    },
    /// Somebody wants a plugin to be tried now.
    PluginRetryRequested {
        /// Which.
        plugin: Name,
    },
    /// Every preparing plugin has succeeded: the server may boot.
    DeploymentInProgress {
        /// The server.
        device: DeviceId,
    },
    /// A file was served to the server.
    BootFileServed {
        /// The file's name.
        file: Name,
        /// Hash of the bytes that were served, rendered.
        sha256: Sha256,
        /// To whom.
        client: Ipv4Addr,
        /// When.
        at: Timestamp,
    },
    /// The server is installed and boots its disk from now on; Puppet's first successful run ends the deployment.
    InstallationFinished {
        /// Who said so.
        by: DoneBy,
    },
    /// A run of Puppet's agent on the server failed.
    PuppetRunFailed {
        /// The node.
        certname: Hostname,
        /// What the agent said: its first errors.
        messages: Vec<Text>,
        /// What the agent calls the run; may be empty.
        transaction: Text,
        /// When it was reported.
        at: Timestamp,
    },
    /// The installer reported what it is doing.
    InstallerReported {
        /// What it is doing.
        stage: Name,
        /// How far that is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<Percent>,
        /// Its words for a person; may be empty.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        text: Text,
    },
    /// The installer reported that it failed.
    InstallerFailed {
        /// What it was doing, where it said that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<Name>,
        /// Why, in its own words; may be empty.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        text: Text,
    },
    /// The installer sent the end of its log, which is in the store of files.
    InstallerLogReceived {
        /// The content's name there.
        sha256: Sha256,
        /// Its length in bytes.
        size: u64,
    },
    /// The server's next network boot gets something else than before.
    NextBootSet {
        /// What it gets.
        boot: NextBoot,
        /// Why.
        reason: NextBootReason,
    },
    /// It takes longer than its boot image allows. It goes on all the same.
    DeploymentOverdue {
        /// Which limit.
        stage: Stage,
        /// When the stage began.
        since: Timestamp,
        /// The limit.
        limit_minutes: u32,
    },
    /// The server is installed, and where Puppet has the last word, as its role says. The deployment is archived.
    DeploymentDone {
        /// The server.
        device: DeviceId,
        /// Who said so.
        by: DoneBy,
    },
    /// It was given up.
    DeploymentCancelled {
        /// The server.
        device: DeviceId,
        /// Who gave it up.
        by: Text,
        /// Why.
        reason: Text,
        /// The claims that it had taken and gives back.
        released: Vec<Claim>,
    },
}

domain_event!(DeploymentEvent {
    DeploymentStarted,
    PluginSucceeded,
    PluginFailed,
    PluginWaiting,
    PluginRetryRequested,
    DeploymentInProgress,
    BootFileServed,
    InstallationFinished,
    PuppetRunFailed,
    InstallerReported,
    InstallerFailed,
    InstallerLogReceived,
    NextBootSet,
    DeploymentOverdue,
    DeploymentDone,
    DeploymentCancelled,
});

impl DeploymentEvent {
    /// The claims that the event of this deployment releases and takes.
    pub fn claims(&self, id: DeploymentId) -> Vec<ClaimChange> {
        match self {
            Self::DeploymentStarted(started) => {
                let device = Holder::Device(started.device);
                vec![
                    ClaimChange::Take(Claim::Deployment(started.device), Holder::Deployment(id)),
                    ClaimChange::Take(Claim::Ip(started.ip), device),
                    ClaimChange::Take(Claim::Hostname(started.hostname.clone()), device),
                    ClaimChange::Take(Claim::Mac(started.mac), device),
                ]
            }
            Self::DeploymentDone { device, .. } => vec![ClaimChange::Release(Claim::Deployment(*device), Holder::Deployment(id))],
            Self::DeploymentCancelled { device, released, .. } => {
                let given_back = released.iter().map(|claim| ClaimChange::Release(claim.clone(), Holder::Device(*device)));
                given_back.chain([ClaimChange::Release(Claim::Deployment(*device), Holder::Deployment(id))]).collect()
            }
            _ => vec![],
        }
    }
}
