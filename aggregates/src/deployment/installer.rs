//! What an installer reports while it installs a server, and what the server's next network boot gets.
//!
//! The rules do not trust an installer to be brief: it may repeat itself, report every percent, or call in a loop. So the rules
//! keep what an operator wants to see, and limit the number of events that an installer can add to a deployment.

pub use super::next_boot::{NextBoot, NextBootReason};
pub use crate::boot_image::LOCAL_DISK;

use super::event::DeploymentEvent;
use super::live::{Installer, Live};
use crate::rules::{BrokenRule, Refused, Rule};
use crate::values::name::Name;
use crate::values::percent::Percent;
use crate::values::sha256::Sha256;
use crate::values::text::Text;
use std::net::Ipv4Addr;

/// The most reports that are recorded for a deployment. After them, only failures, the ends of failures and next boots are
/// recorded.
pub const MOST_REPORTS: u32 = 500;

/// After this many reports, only a report that names another stage is recorded, so that one stage with many reports leaves room
/// for the stages after it.
pub const REPORTS_WITHIN_STAGES: u32 = 400;

/// The most failures that are recorded for a deployment.
pub const MOST_FAILURES: u32 = 100;

/// The most times that an installer may change what the next network boot gets.
pub const MOST_NEXT_BOOTS: u32 = 100;

/// The most logs that are recorded for a deployment.
pub const MOST_LOGS: u32 = 20;

/// The smallest progress within a stage, in percent, that is recorded on its own.
const WORTH_RECORDING: u8 = 5;

/// The plugin whose retry installs a server again.
const REBOOT: &str = "reboot";

/// Whether a retry of this plugin restarts the server from the network, which installs it again.
pub fn installs_again(plugin: &Name) -> bool {
    plugin.as_str() == REBOOT
}

/// A report of an installer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallerReport {
    /// The stage that the installer is in. If omitted, the stage of the previous report.
    pub stage: Option<Name>,
    /// The progress of the stage in percent.
    pub percent: Option<Percent>,
    /// A message for operators.
    pub text: Option<Text>,
    /// Whether the stage failed.
    pub failed: bool,
    /// What the next network boot gets.
    pub next_boot: Option<NextBoot>,
    /// The address that the request came from.
    pub client: Ipv4Addr,
}

impl Installer {
    /// Applies an event to the state; ignores events that do not concern the installer.
    pub(super) fn evolve(&mut self, event: &DeploymentEvent) {
        use DeploymentEvent as E;
        match event {
            E::InstallerReported { stage, percent, text } => {
                (self.stage, self.percent, self.text) = (Some(stage.clone()), *percent, text.clone());
                self.failed = false;
                self.reports = self.reports.saturating_add(1);
            }
            E::InstallerFailed { stage, text } => {
                if *stage != self.stage {
                    self.percent = None;
                }
                (self.stage, self.text) = (stage.clone(), text.clone());
                self.failed = true;
                self.failures = self.failures.saturating_add(1);
            }
            E::InstallerLogReceived { sha256, .. } => {
                self.last_log = Some(*sha256);
                self.logs = self.logs.saturating_add(1);
            }
            E::NextBootSet { reason: NextBootReason::Installer { .. }, .. } => {
                self.next_boots = self.next_boots.saturating_add(1);
            }
            E::InstallationFinished { .. } => self.failed = false,
            _ => {}
        }
    }

    fn reported(&self, report: &InstallerReport) -> Result<Option<DeploymentEvent>, Refused> {
        let stage = report.stage.as_ref().or(self.stage.as_ref());
        let Some(stage) = stage.cloned() else {
            return Err(Refused::because(
                "",
                Rule::StageMissing,
                "the first report of an installer needs a stage, such as stage=partition",
            ));
        };
        let same_stage = self.stage.as_ref() == Some(&stage);
        // A report that only repeats the stage's progress must not hide that the stage failed.
        if self.failed && same_stage {
            return Ok(None);
        }
        let percent = report.percent.or(self.percent.filter(|_| same_stage));
        let text = report.text.clone().unwrap_or_else(|| if same_stage { self.text.clone() } else { Text::default() });
        let further = match (self.percent, percent) {
            (Some(before), Some(now)) => {
                now.get() >= before.get().saturating_add(WORTH_RECORDING) || (now == Percent::ALL && before < now)
            }
            (None, now) => now.is_some(),
            (Some(_), None) => false,
        };
        if same_stage && text == self.text && !further {
            return Ok(None);
        }
        let most = if same_stage { REPORTS_WITHIN_STAGES } else { MOST_REPORTS };
        if self.reports >= most && !self.failed {
            return Err(Refused::because(
                "",
                Rule::InstallerReportsFull,
                format!(
                    "the deployment has {} reports, the maximum; only failures and next_boot are still recorded",
                    self.reports
                ),
            ));
        }
        Ok(Some(DeploymentEvent::InstallerReported { stage, percent, text }))
    }

    fn failure(&self, report: &InstallerReport) -> Result<Option<DeploymentEvent>, Refused> {
        let stage = report.stage.clone().or_else(|| self.stage.clone());
        let text = report.text.clone().unwrap_or_default();
        if self.failed && stage == self.stage && text == self.text {
            return Ok(None);
        }
        if self.failures >= MOST_FAILURES {
            let message = format!("the deployment has {MOST_FAILURES} failures of its installer, the maximum");
            return Err(Refused::because("", Rule::InstallerFailuresFull, message));
        }
        Ok(Some(DeploymentEvent::InstallerFailed { stage, text }))
    }
}

impl Live {
    /// Returns the events for an installer's report.
    pub(super) fn installer_report(&self, report: &InstallerReport) -> Result<Vec<DeploymentEvent>, Refused> {
        let says = report.stage.is_some() || report.percent.is_some() || report.text.is_some();
        let mut events = vec![];
        let said = match (report.failed, says) {
            (true, _) => self.installer.failure(report),
            (false, true) => self.installer.reported(report),
            (false, false) => Ok(None),
        };
        let full = |refused: &Refused| refused.0.iter().any(BrokenRule::is_full);
        match said {
            Ok(event) => events.extend(event),
            // The next boot must be set even if no more reports are recorded: without it, the server would be installed again
            // and again.
            Err(refused) if report.next_boot.is_some() && full(&refused) => {}
            Err(refused) => return Err(refused),
        }
        // An installed server boots its disk, regardless of what its installer requests.
        if let Some(boot) = report.next_boot.filter(|boot| *boot != self.next_boot && !self.installed) {
            if self.installer.next_boots >= MOST_NEXT_BOOTS {
                let message = format!("the installer has changed the next network boot {MOST_NEXT_BOOTS} times, the maximum");
                return Err(Refused::because("", Rule::InstallerNextBootsFull, message));
            }
            events.push(DeploymentEvent::NextBootSet { boot, reason: NextBootReason::Installer { client: report.client } });
        }
        Ok(events)
    }

    /// Returns the events for an installer's log whose content is stored.
    pub(super) fn installer_log(&self, sha256: Sha256, size: u64) -> Result<Vec<DeploymentEvent>, Refused> {
        if self.installer.last_log == Some(sha256) {
            return Ok(vec![]);
        }
        if self.installer.logs >= MOST_LOGS {
            return Err(Refused::because(
                "",
                Rule::InstallerLogsFull,
                format!("the deployment has {MOST_LOGS} logs of its installer, the maximum"),
            ));
        }
        Ok(vec![DeploymentEvent::InstallerLogReceived { sha256, size }])
    }

    /// Returns the events for setting what the next network boot gets.
    pub(super) fn set_next_boot(&self, boot: NextBoot, reason: NextBootReason) -> Result<Vec<DeploymentEvent>, Refused> {
        if self.installed {
            return Err(Refused::because(
                "",
                Rule::ServerInstalled,
                "the server is installed and boots from its disk until the deployment ends",
            ));
        }
        Ok(if boot == self.next_boot { vec![] } else { vec![DeploymentEvent::NextBootSet { boot, reason }] })
    }

    /// Returns the additional event when a file is served that ends the network boots of its image.
    pub(super) fn answers_served(&self, file: Name) -> Option<DeploymentEvent> {
        let reason = NextBootReason::AnswersServed { file };
        let news = self.next_boot == NextBoot::Network && !self.installed;
        news.then_some(DeploymentEvent::NextBootSet { boot: NextBoot::Disk, reason })
    }

    /// Returns the additional event when an operator retries a plugin: the plugin that restarts the server installs it again.
    pub(super) fn installed_again(&self, plugin: &Name) -> Option<DeploymentEvent> {
        let reason = NextBootReason::PluginRetry { plugin: plugin.clone() };
        let news = installs_again(plugin) && self.next_boot == NextBoot::Disk;
        news.then_some(DeploymentEvent::NextBootSet { boot: NextBoot::Network, reason })
    }
}
