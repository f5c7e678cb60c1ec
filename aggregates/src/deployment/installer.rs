//! What an installer reports while it installs a server, and what the server's next network boot gets.
//!
//! The rules do not trust an installer to be brief: it may repeat itself, report every percent, or call in a loop. So the rules
//! keep what an operator wants to see, and limit the number of events that an installer can add to a deployment.

use super::event::DeploymentEvent;
use super::{Live, refusal};
use crate::rules::Refused;
use crate::values::name::Name;
use crate::values::percent::Percent;
use crate::values::sha256::Sha256;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

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

/// The file name under which serving the local-disk script to a server of a deployment in progress is recorded.
pub const LOCAL_DISK: &str = "local-disk";

/// The plugin whose retry installs a server again.
const REBOOT: &str = "reboot";

/// What a server gets when it boots from the network while its deployment is in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextBoot {
    /// The boot image's script, which installs the server.
    #[default]
    Network,
    /// The script that boots the local disk.
    Disk,
}

impl NextBoot {
    /// The value as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Disk => "disk",
        }
    }
}

impl std::str::FromStr for NextBoot {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Network, Self::Disk].into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| crate::values::ParseError::new(format!("{text:?} is not one of network, disk")))
    }
}

/// Why the next network boot gets something different from before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextBootReason {
    /// The boot image allows one network boot, and the installer has fetched its answer file.
    AnswersServed {
        /// The answer file's name.
        file: Name,
    },
    /// The installer requested the change.
    Installer {
        /// The address that the request came from.
        #[schema(value_type = String)]
        client: Ipv4Addr,
    },
    /// An operator set it.
    Operator {
        /// The actor's name.
        name: Text,
    },
    /// An operator retried the plugin that restarts the server.
    PluginRetry {
        /// The plugin's name.
        plugin: Name,
    },
    /// An operator ordered the server's management controller to boot it from the network.
    PowerOrder {},
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

/// The state of the installer that the rules need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Installer {
    stage: Option<Name>,
    percent: Option<Percent>,
    text: Text,
    failed: bool,
    reports: u32,
    failures: u32,
    next_boots: u32,
    logs: u32,
    last_log: Option<Sha256>,
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
            return Err(refusal("stage_missing", "the first report of an installer needs a stage, such as stage=partition"));
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
            return Err(refusal(
                "installer_reports_full",
                format!(
                    "{} reports are recorded, the most of a deployment; only failures and next_boot still count",
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
            let message = format!("{MOST_FAILURES} failures are recorded, the most of a deployment");
            return Err(refusal("installer_failures_full", message));
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
        let full = |refused: &Refused| refused.0.iter().any(|rule| rule.rule.ends_with("_full"));
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
                let message = format!("the installer has changed the next network boot {MOST_NEXT_BOOTS} times, the most");
                return Err(refusal("installer_next_boots_full", message));
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
            return Err(refusal("installer_logs_full", format!("{MOST_LOGS} logs are recorded, the most of a deployment")));
        }
        Ok(vec![DeploymentEvent::InstallerLogReceived { sha256, size }])
    }

    /// Returns the events for setting what the next network boot gets.
    pub(super) fn set_next_boot(&self, boot: NextBoot, reason: NextBootReason) -> Result<Vec<DeploymentEvent>, Refused> {
        if self.installed {
            return Err(refusal("server_installed", "the server is installed and boots its disk until the deployment ends"));
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
        let news = plugin.as_str() == REBOOT && self.next_boot == NextBoot::Disk;
        news.then_some(DeploymentEvent::NextBootSet { boot: NextBoot::Network, reason })
    }
}
