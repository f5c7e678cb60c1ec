//! The events of a deployment. Their JSON is stored permanently.

use super::assignment::Assignment;
use super::next_boot::{NextBoot, NextBootReason};
use super::notes::Notes;
use super::plan::Plan;
use super::reason::{PluginFailure, Waiting};
use crate::boot_image::EndedBy;
use crate::claims::{Claim, ClaimChange, Holder};
use crate::rules::domain_event;
use crate::settings::ResolvedSettings;
use crate::values::boot_chain::BootChain;
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId, ImportId};
use crate::values::name::Name;
use crate::values::percent::Percent;
use crate::values::sha256::Sha256;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// The stage of a deployment that a time limit applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The deployment is being prepared.
    Open,
    /// The server boots and installs.
    InProgress,
}

/// The time limits of a deployment, taken from its boot image at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// The number of minutes after which an open deployment is overdue.
    pub open_minutes: u32,
    /// The number of minutes after which a deployment in progress is overdue.
    pub in_progress_minutes: u32,
}

/// Who reported that a deployment is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoneBy {
    /// The server, identified by its address alone.
    Ip {
        /// The server's address.
        #[schema(value_type = String)]
        address: Ipv4Addr,
    },
    /// A client that used the deployment's token.
    Token {
        /// The client's address.
        #[schema(value_type = String)]
        address: Ipv4Addr,
    },
    /// An operator, by name.
    Operator {
        /// The actor's name.
        name: Text,
        /// Why the operator knows it; may be empty.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        reason: Text,
    },
    /// Puppet, for the node with this certificate name.
    Puppet {
        /// The certificate name of the node.
        certname: Text,
    },
}

/// Everything that was decided when the deployment started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentStarted {
    /// The server, with its new address, name, owner, role and boot image. Its fields are stored beside the others.
    #[serde(flatten)]
    pub assignment: Assignment,
    /// The revision of the boot image at the start.
    pub boot_image_revision: u32,
    /// The network that the address belongs to.
    pub network: Name,
    /// The site of the network and the server.
    pub site: Name,
    /// The plugins to run.
    pub plan: Plan,
    /// The time limits after which the deployment is overdue.
    pub limits: Limits,
    /// The claims that the device did not hold before the deployment. A cancellation releases exactly these.
    pub took: Vec<Claim>,
    /// The bulk import that started the deployment, if any.
    pub import: Option<ImportId>,
    /// Who marks the deployment done, as the boot image said at the start.
    #[serde(default, skip_serializing_if = "EndedBy::is_server")]
    pub done_by: EndedBy,
    /// The values that device, role, venture and site set for the image's templates. Defaults belong to the image.
    #[serde(default, skip_serializing_if = "ResolvedSettings::is_empty")]
    pub settings: ResolvedSettings,
    /// The boot loaders that the server's firmware starts, as chosen at the start.
    #[serde(default, skip_serializing_if = "BootChain::is_ipxe")]
    pub boot_chain: BootChain,
    /// What the operator wrote about the deployment.
    #[serde(default, skip_serializing_if = "Notes::is_empty")]
    pub notes: Notes,
}

/// An event of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DeploymentEvent {
    /// The deployment started.
    DeploymentStarted(Box<DeploymentStarted>),
    /// A plugin succeeded.
    PluginSucceeded {
        /// The plugin's name.
        plugin: Name,
    },
    /// A plugin failed and will run again.
    PluginFailed {
        /// The plugin's name.
        plugin: Name,
        /// The number of this failure, starting at 1.
        attempt: u32,
        /// Why the plugin failed.
        reason: PluginFailure,
        /// When the plugin runs again.
        retry_at: Timestamp,
    },
    /// A plugin waits for something; waiting is not a failure.
    PluginWaiting {
        /// The plugin's name.
        plugin: Name,
        /// Why the plugin waits.
        reason: Waiting,
        /// What the plugin waits for, such as `dhcp-server:kea-1`. The plugin runs again when one of these changes.
        awaited: Vec<Text>,
    },
    /// An operator requested that a plugin run again now.
    PluginRetryRequested {
        /// The plugin's name.
        plugin: Name,
    },
    /// Every preparing plugin succeeded: the server may boot.
    DeploymentInProgress {
        /// The server that is deployed.
        device: DeviceId,
    },
    /// A file was served to the server.
    BootFileServed {
        /// The file's name.
        file: Name,
        /// The SHA-256 of the bytes that were served, after rendering.
        sha256: Sha256,
        /// The address of the client.
        client: Ipv4Addr,
        /// When the file was served.
        at: Timestamp,
    },
    /// The server is installed and boots its disk from now on. Puppet's first successful run ends the deployment.
    InstallationFinished {
        /// Who reported it.
        by: DoneBy,
    },
    /// A run of Puppet's agent on the server failed.
    PuppetRunFailed {
        /// The certificate name of the node.
        certname: Hostname,
        /// The first error messages of the agent.
        messages: Vec<Text>,
        /// The transaction id that the agent gave the run; may be empty.
        transaction: Text,
        /// When the run was reported.
        at: Timestamp,
    },
    /// The installer reported its progress.
    InstallerReported {
        /// The stage that the installer reported.
        stage: Name,
        /// The progress of the stage in percent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<Percent>,
        /// The installer's message; may be empty.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        text: Text,
    },
    /// The installer reported a failure.
    InstallerFailed {
        /// The stage that failed, if the installer reported it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<Name>,
        /// The installer's own error message; may be empty.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        text: Text,
    },
    /// The installer sent the end of its log, which is now in the file store.
    InstallerLogReceived {
        /// The SHA-256 of the log, which is its name in the file store.
        sha256: Sha256,
        /// The length of the log in bytes.
        size: u64,
    },
    /// The server's next network boot gets something different from before.
    NextBootSet {
        /// Network installation or local disk.
        boot: NextBoot,
        /// Why the next boot changes.
        reason: NextBootReason,
    },
    /// An operator reported that they restarted the server, which Bootledger could not restart or whose restart it could not
    /// confirm.
    RestartReported {
        /// When the operator reported it.
        at: Timestamp,
    },
    /// An operator changed the deployment's note or ticket. The event contains both as they are from now on.
    DeploymentNoted(Notes),
    /// The deployment takes longer than its boot image allows. It continues.
    DeploymentOverdue {
        /// The stage whose limit has passed.
        stage: Stage,
        /// When the stage began.
        since: Timestamp,
        /// The limit in minutes.
        limit_minutes: u32,
    },
    /// The server is installed and, if Puppet ends the deployment, configured for its role. The deployment is archived.
    DeploymentDone {
        /// The server that was deployed.
        device: DeviceId,
        /// Who reported it.
        by: DoneBy,
    },
    /// The deployment was cancelled.
    DeploymentCancelled {
        /// The server of the deployment.
        device: DeviceId,
        /// Who cancelled the deployment.
        by: Text,
        /// The reason for cancelling.
        reason: Text,
        /// The claims that the deployment took and that the cancellation releases.
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
    RestartReported,
    DeploymentNoted,
    DeploymentOverdue,
    DeploymentDone,
    DeploymentCancelled,
});

impl DeploymentEvent {
    /// The claims that the event releases and takes for the deployment `id`.
    pub fn claims(&self, id: DeploymentId) -> Vec<ClaimChange> {
        match self {
            Self::DeploymentStarted(started) => {
                let taken = &started.assignment;
                let device = Holder::Device(taken.device);
                vec![
                    ClaimChange::Take(Claim::Deployment(taken.device), Holder::Deployment(id)),
                    ClaimChange::Take(Claim::Ip(taken.ip), device),
                    ClaimChange::Take(Claim::Hostname(taken.hostname.clone()), device),
                    ClaimChange::Take(Claim::Mac(taken.mac), device),
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
