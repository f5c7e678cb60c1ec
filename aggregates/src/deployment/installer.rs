//! What an installer reports while it installs a server, and what the server's next network boot gets.
//!
//! An installer is not trusted to be brief: it may repeat itself, report every percent, or call in a loop. So the rules
//! keep what a person wants to see, and the number of events a deployment can get from it is limited.

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

/// The most reports of a deployment that are recorded. After them only failures, their ends and next boots count.
pub const MOST_REPORTS: u32 = 500;

/// After how many reports one counts only if it names another stage, so that a chatty stage leaves room for those behind it.
pub const REPORTS_WITHIN_STAGES: u32 = 400;

/// The most failures of a deployment that are recorded.
pub const MOST_FAILURES: u32 = 100;

/// How often an installer may change what the next network boot gets.
pub const MOST_NEXT_BOOTS: u32 = 100;

/// The most logs of a deployment that are recorded.
pub const MOST_LOGS: u32 = 20;

/// By how many percent a stage has to get on before that alone is recorded.
const WORTH_RECORDING: u8 = 5;

/// How the script that boots the local disk is recorded where a server of a deployment in progress gets it.
pub const LOCAL_DISK: &str = "local-disk";

/// The plugin whose retry installs a server again.
const REBOOT: &str = "reboot";

/// What a server gets when it boots from the network while its deployment is in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextBoot {
    /// The boot image's script: it is installed.
    #[default]
    Network,
    /// The script that boots the local disk.
    Disk,
}

impl NextBoot {
    /// As in JSON.
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

/// Why the next network boot gets something else than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextBootReason {
    /// The boot image allows one network boot, and the installer has fetched its answers.
    AnswersServed {
        /// The file.
        file: Name,
    },
    /// The installer requested it.
    Installer {
        /// The address of the request.
        #[schema(value_type = String)]
        client: Ipv4Addr,
    },
    /// A person set it.
    Operator {
        /// The actor's name.
        name: Text,
    },
    /// A person retried the plugin that restarts the server.
    PluginRetry {
        /// The plugin.
        plugin: Name,
    },
    /// A person ordered the server's management controller to boot it from the network.
    PowerOrder {},
}

/// What an installer reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallerReport {
    /// What the installer is doing; the stage of the report before, where it is left out.
    pub stage: Option<Name>,
    /// How far the stage is.
    pub percent: Option<Percent>,
    /// Words for a person.
    pub text: Option<Text>,
    /// Whether the stage failed.
    pub failed: bool,
    /// What the next network boot is to get.
    pub next_boot: Option<NextBoot>,
    /// The address of the request.
    pub client: Ipv4Addr,
}

/// What the rules know of an installer.
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
    /// Takes an event in; those of others are none of its business.
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
        // Something that only repeats how far a stage is must not hide that it failed.
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
    /// What a report leads to.
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
            // What the next network boot gets counts all the same: without it, the server would be installed again and again.
            Err(refused) if report.next_boot.is_some() && full(&refused) => {}
            Err(refused) => return Err(refused),
        }
        // An installed server boots its disk, whatever its installer wants.
        if let Some(boot) = report.next_boot.filter(|boot| *boot != self.next_boot && !self.installed) {
            if self.installer.next_boots >= MOST_NEXT_BOOTS {
                let message = format!("the installer has changed the next network boot {MOST_NEXT_BOOTS} times, the most");
                return Err(refusal("installer_next_boots_full", message));
            }
            events.push(DeploymentEvent::NextBootSet { boot, reason: NextBootReason::Installer { client: report.client } });
        }
        Ok(events)
    }

    /// What a log leads to whose content is stored.
    pub(super) fn installer_log(&self, sha256: Sha256, size: u64) -> Result<Vec<DeploymentEvent>, Refused> {
        if self.installer.last_log == Some(sha256) {
            return Ok(vec![]);
        }
        if self.installer.logs >= MOST_LOGS {
            return Err(refusal("installer_logs_full", format!("{MOST_LOGS} logs are recorded, the most of a deployment")));
        }
        Ok(vec![DeploymentEvent::InstallerLogReceived { sha256, size }])
    }

    /// What setting the next network boot leads to.
    pub(super) fn set_next_boot(&self, boot: NextBoot, reason: NextBootReason) -> Result<Vec<DeploymentEvent>, Refused> {
        if self.installed {
            return Err(refusal("server_installed", "the server is installed and boots its disk until the deployment ends"));
        }
        Ok(if boot == self.next_boot { vec![] } else { vec![DeploymentEvent::NextBootSet { boot, reason }] })
    }

    /// What else the serving of a file leads to that ends the network boots of its image.
    pub(super) fn answers_served(&self, file: Name) -> Option<DeploymentEvent> {
        let reason = NextBootReason::AnswersServed { file };
        let news = self.next_boot == NextBoot::Network && !self.installed;
        news.then_some(DeploymentEvent::NextBootSet { boot: NextBoot::Disk, reason })
    }

    /// What else a person's retry of a plugin leads to: the one that restarts the server installs it again.
    pub(super) fn installed_again(&self, plugin: &Name) -> Option<DeploymentEvent> {
        let reason = NextBootReason::PluginRetry { plugin: plugin.clone() };
        let news = plugin.as_str() == REBOOT && self.next_boot == NextBoot::Disk;
        news.then_some(DeploymentEvent::NextBootSet { boot: NextBoot::Network, reason })
    }
}
