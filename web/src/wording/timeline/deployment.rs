//! Sentences about deployments: their plugins, installers and Puppet runs.

use super::{Actor, after_colon};
use crate::wording::plugins;
use bootledger_aggregates::deployment::event::{DeploymentEvent, DoneBy, Stage};
use bootledger_aggregates::deployment::installer::{LOCAL_DISK, NextBoot, NextBootReason};
use bootledger_aggregates::deployment::notes::Notes;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::rows::holders::HolderNames;

pub(super) fn deployment(hostname: &str, event: &DeploymentEvent, holders: &HolderNames, who: &Actor<'_>) -> String {
    use DeploymentEvent as E;
    match event {
        E::DeploymentStarted(started) => format!(
            "{who} started the deployment of {} with address {}: venture {}, role {}, boot image {}",
            started.assignment.hostname,
            started.assignment.ip,
            started.assignment.venture,
            started.assignment.role,
            started.assignment.boot_image
        ),
        E::PluginSucceeded { plugin } => format!("{hostname}: plugin {plugin} succeeded"),
        E::PluginFailed { plugin, attempt, reason, retry_at } => {
            format!(
                "{hostname}: plugin {plugin} failed (attempt {attempt}) and retries at {retry_at}: {}",
                plugins::failure(reason, holders)
            )
        }
        E::PluginWaiting { plugin, reason, .. } => {
            format!("{hostname}: plugin {plugin} is waiting{}", after_colon(&plugins::waiting(reason, hostname)))
        }
        E::PluginRetryRequested { plugin } => format!("{who} requested a retry of plugin {plugin} for {hostname}"),
        E::DeploymentInProgress { .. } => {
            format!("The deployment of {hostname} is in progress: the server can boot its boot image")
        }
        E::BootFileServed { file, client, .. } if file.as_str() == LOCAL_DISK => {
            format!("{hostname} at {client} booted from the network and continued with its local disk")
        }
        E::BootFileServed { file, client, .. } => format!("{hostname} at {client} fetched {file}"),
        E::InstallationFinished { by } => {
            format!("{hostname} is installed: {}. Its first successful Puppet run ends the deployment", reported(by, "installed"))
        }
        E::PuppetRunFailed { messages, .. } if messages.is_empty() => format!("{hostname}: Puppet failed without a message"),
        E::PuppetRunFailed { messages, .. } => {
            let messages: Vec<&str> = messages.iter().map(Text::as_str).collect();
            format!("{hostname}: Puppet failed: {}", messages.join("; "))
        }
        E::InstallerReported { stage, percent, text } => {
            let percent = percent.map(|percent| format!(" ({percent} %)")).unwrap_or_default();
            format!("{hostname}: the installer is at stage {stage}{percent}{}", after_colon(text.as_str()))
        }
        E::InstallerFailed { stage, text } => {
            let stage = stage.as_ref().map(|stage| format!(" at stage {stage}")).unwrap_or_default();
            format!("{hostname}: the installer failed{stage}{}", after_colon(text.as_str()))
        }
        E::InstallerLogReceived { size, .. } => format!("{hostname}: the installer sent its log ({size} bytes)"),
        E::NextBootSet { boot, reason } => {
            let boot = match boot {
                NextBoot::Network => "the boot image",
                NextBoot::Disk => "the local disk",
            };
            format!("{hostname}: the next network boot starts {boot}, because {}", because(reason, who))
        }
        E::RestartReported { .. } => format!("{who} reported that {hostname} was restarted"),
        E::DeploymentNoted(notes) if notes.is_empty() => format!("{who} removed the note and the ticket of {hostname}"),
        E::DeploymentNoted(Notes { note, ticket }) if note.is_empty() => {
            format!("{who} set the ticket of the deployment of {hostname} to {ticket}")
        }
        E::DeploymentNoted(Notes { note, ticket }) => {
            let ticket = if ticket.is_empty() { String::new() } else { format!(" [{ticket}]") };
            format!("{who} wrote a note about the deployment of {hostname}{ticket}{}", after_colon(note.as_str()))
        }
        E::DeploymentOverdue { stage, limit_minutes, .. } => {
            let stage = match stage {
                Stage::Open => "preparation",
                Stage::InProgress => "installation",
            };
            format!("{hostname} is overdue: its {stage} takes more than {limit_minutes} minutes")
        }
        E::DeploymentDone { by, .. } => format!("The deployment of {hostname} is done: {}", reported(by, "done")),
        E::DeploymentCancelled { by, reason, .. } => {
            format!("{} cancelled the deployment of {hostname}{}", Actor(by.as_str()), after_colon(reason.as_str()))
        }
    }
}

/// Who reported that an installation ended, and how.
fn reported(by: &DoneBy, status: &str) -> String {
    match by {
        DoneBy::Ip { address } => format!("server {address} reported it"),
        DoneBy::Token { address } => format!("{address} reported it with the deployment's token"),
        DoneBy::Operator { name, reason } => format!("{name} marked it as {status}{}", after_colon(reason.as_str())),
        DoneBy::Puppet { certname } => format!("the Puppet run of {certname} succeeded"),
    }
}

/// Why the next network boot starts something else than before.
fn because(reason: &NextBootReason, who: &Actor<'_>) -> String {
    let who = who.within();
    match reason {
        NextBootReason::AnswersServed { file } => {
            format!("the server fetched {file} and its boot image boots from the network only once")
        }
        NextBootReason::Installer { client } => format!("its installer at {client} requested it"),
        NextBootReason::Operator { .. } => format!("{who} set it"),
        NextBootReason::PluginRetry { plugin } => format!("{who} retried plugin {plugin}"),
        NextBootReason::PowerOrder {} => format!("{who} requested a network boot"),
    }
}
