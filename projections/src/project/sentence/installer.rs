//! Sentences about an installer's reports and about what the next network boot gets.

use bootledger_aggregates::deployment::event::DeploymentEvent;
use bootledger_aggregates::deployment::installer::{NextBoot, NextBootReason};
use bootledger_aggregates::values::text::Text;

pub(super) fn installer(hostname: &str, event: &DeploymentEvent, by: &str) -> String {
    use DeploymentEvent as E;
    let words = |text: &Text| if text.is_empty() { String::new() } else { format!(": {text}") };
    match event {
        E::InstallerReported { stage, percent, text } => {
            let percent = percent.map(|percent| format!(", {percent} %")).unwrap_or_default();
            format!("{hostname}: the installer is at stage {stage}{percent}{}", words(text))
        }
        E::InstallerFailed { stage: Some(stage), text } => {
            format!("{hostname}: the installer failed at stage {stage}{}", words(text))
        }
        E::InstallerFailed { stage: None, text } => format!("{hostname}: the installer failed{}", words(text)),
        E::InstallerLogReceived { size, .. } => format!("{hostname}: the installer sent its log, {size} bytes"),
        E::NextBootSet { boot, reason } => {
            let boot = match boot {
                NextBoot::Network => "the boot image",
                NextBoot::Disk => "the local disk",
            };
            let reason = match reason {
                NextBootReason::AnswersServed { file } => {
                    format!("its boot image boots the network once, and {file} was fetched")
                }
                NextBootReason::Installer { client } => format!("its installer requested it at {client}"),
                NextBootReason::Operator { .. } => format!("it was set{by}"),
                NextBootReason::PluginRetry { plugin } => format!("{plugin} is retried{by}"),
                NextBootReason::PowerOrder {} => format!("a boot from the network was ordered{by}"),
            };
            format!("{hostname}: its next network boot gets {boot}, since {reason}")
        }
        _ => hostname.to_owned(),
    }
}
