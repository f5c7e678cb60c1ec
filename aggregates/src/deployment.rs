//! A deployment: one server, one venture and role, one address, one name, one boot image.
//!
//! ```text
//!            StartDeployment          every preparing plugin succeeded          MarkDone
//!   (none) ───────────────► Open ───────────────────────────────► InProgress ───────────► Done
//!                             │ Cancel                                │ Cancel
//!                             └───────────────► Cancelled ◄───────────┘
//! ```
//!
//! Where the boot image says that Puppet marks its deployments done, the server's own `MarkDone` ends only the installation:
//! from then on the server boots its disk, and the deployment stays in progress until Puppet's first run on it succeeds.
//!
//! Done and Cancelled are final: no command reopens a deployment. The plan of plugins is part of the first event, so that
//! replay never depends on the current set of plugins.

pub mod assignment;
pub mod command;
pub mod event;
pub mod installer;
mod live;
mod next_boot;
pub mod notes;
pub mod plan;
pub mod puppet;
pub mod reason;
pub mod start;
#[cfg(test)]
mod tests;

pub use live::{Live, Served};

use crate::rules::{BrokenRule, Refused, Rule, aggregate};
use crate::values::ids::DeviceId;
use crate::values::name::Name;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use command::DeploymentCommand;
use event::{DeploymentEvent, Stage};
use live::{Installer, Run, SECONDS_A_MINUTE};
use next_boot::NextBoot;
use notes::Notes;
use plan::PluginStage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// For this many seconds, serving the same file with the same content again is not recorded again.
pub const SERVED_AGAIN_SECONDS: i64 = 60;

static NO_NOTES: Notes = Notes { note: Text::EMPTY, ticket: Text::EMPTY };

/// The state of a deployment, as far as the rules need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub enum Deployment {
    /// The state before the deployment starts.
    #[default]
    None,
    /// Preparing: plugins prepare the device, DNS and DHCP.
    Open(Live),
    /// Installing: the server may boot its image.
    InProgress(Live),
    /// Done: the server is installed.
    Done(Served, Notes),
    /// Cancelled before it was done.
    Cancelled(Notes),
}

impl Deployment {
    /// Builds the state from events, for callers that only check what would be allowed.
    pub fn after(events: impl IntoIterator<Item = DeploymentEvent>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.evolve(event);
        }
        state
    }

    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: DeploymentCommand) -> Result<Vec<DeploymentEvent>, Refused> {
        use DeploymentCommand as C;
        match (command, self) {
            (C::StartDeployment(request), Self::None) => start::start(*request),
            (C::StartDeployment(_), _) => Err(refusal(Rule::DeploymentExists, "a deployment with this ID already exists")),
            (_, Self::None) => Err(Refused::unknown(Rule::DeploymentUnknown, "deployment", "check its ID")),

            (C::PluginSucceeded { plugin }, Self::Open(live) | Self::InProgress(live)) => self.plugin_succeeded(live, plugin),
            // After the installation, the plugins that led to it no longer matter: do not retry them.
            (C::PluginFailed { .. } | C::PluginWaiting { .. }, Self::InProgress(Live { installed: true, .. })) => Ok(vec![]),
            (C::RetryPlugin { .. }, Self::InProgress(Live { installed: true, .. })) => Err(refusal(
                Rule::ServerInstalled,
                "the server is installed and waits only for Puppet; its plugins no longer run",
            )),
            (C::PluginFailed { plugin, reason, retry_at }, Self::Open(live) | Self::InProgress(live)) => {
                let run = self.due(live, &plugin)?;
                let attempt = run.attempts.saturating_add(1);
                Ok(if run.succeeded { vec![] } else { vec![DeploymentEvent::PluginFailed { plugin, attempt, reason, retry_at }] })
            }
            (C::PluginWaiting { plugin, reason, awaited }, Self::Open(live) | Self::InProgress(live)) => {
                let run = self.due(live, &plugin)?;
                let same = run.waiting.as_ref().is_some_and(|(r, a)| *r == reason && *a == awaited);
                Ok(if run.succeeded || same { vec![] } else { vec![DeploymentEvent::PluginWaiting { plugin, reason, awaited }] })
            }
            (C::RetryPlugin { plugin }, Self::Open(live) | Self::InProgress(live)) => {
                if self.due(live, &plugin)?.succeeded {
                    return Err(refusal(
                        Rule::PluginSucceeded,
                        format!("the plugin {plugin} has already succeeded and does not run again"),
                    ));
                }
                let again = live.installed_again(&plugin);
                Ok([DeploymentEvent::PluginRetryRequested { plugin }].into_iter().chain(again).collect())
            }
            (C::MarkOverdue { stage, since, now }, Self::Open(live) | Self::InProgress(live)) => {
                Ok(self.overdue(live, stage, since, now))
            }
            (C::ReportPuppetRun { run, now }, Self::InProgress(live)) => Ok(live.puppet_run(run, now).into_iter().collect()),
            // Late clocks and repeated reports change nothing, and Puppet runs every half hour for as long as the server exists.
            (C::MarkOverdue { .. } | C::ReportPuppetRun { .. }, _)
            | (C::MarkDone { .. }, Self::Done(..))
            | (C::CancelDeployment { .. }, Self::Cancelled(_)) => Ok(vec![]),

            (
                C::RecordBoot { file, sha256, client, at, then_disk },
                Self::InProgress(Live { served, .. }) | Self::Done(served, _),
            ) => {
                let last = served.get(&file).and_then(|contents| contents.get(&sha256));
                let known = last.is_some_and(|last| at < last.plus_seconds(SERVED_AGAIN_SECONDS));
                let ends = match self {
                    Self::InProgress(live) if then_disk => live.answers_served(file.clone()),
                    _ => None,
                };
                let served = (!known).then_some(DeploymentEvent::BootFileServed { file, sha256, client, at });
                Ok(served.into_iter().chain(ends).collect())
            }
            (C::RecordBoot { .. }, _) => Err(refusal(Rule::NotInProgress, "only a deployment in progress serves files")),

            (C::ReportInstaller { report }, Self::InProgress(live)) => live.installer_report(&report),
            (C::RecordInstallerLog { sha256, size }, Self::InProgress(live)) => live.installer_log(sha256, size),
            (C::SetNextBoot { boot, reason }, Self::InProgress(live)) => live.set_next_boot(boot, reason),
            (C::ReportRestart { now }, Self::InProgress(live)) => live.restarted(now),
            (C::ReportRestart { .. }, Self::Open(_)) => Err(refusal(
                Rule::NotInProgress,
                "the deployment is still being prepared; its server is restarted when it is in progress",
            )),
            (C::NoteDeployment { notes }, state) => {
                Ok(if *state.notes() == notes { vec![] } else { vec![DeploymentEvent::DeploymentNoted(notes)] })
            }
            (C::ReportInstaller { .. } | C::RecordInstallerLog { .. } | C::SetNextBoot { .. }, Self::Open(_)) => Err(refusal(
                Rule::NotInProgress,
                "the deployment is still being prepared, so its server cannot boot the image yet; wait until it is in progress",
            )),

            (C::MarkDone { by }, Self::InProgress(live)) => Ok(live.done(by).into_iter().collect()),
            (C::MarkDone { .. }, Self::Open(_)) => Err(refusal(
                Rule::NotInProgress,
                "the deployment is still being prepared; wait until it is in progress, or cancel it",
            )),
            (C::CancelDeployment { by, reason }, Self::Open(live) | Self::InProgress(live)) => {
                Ok(vec![DeploymentEvent::DeploymentCancelled { device: live.device, by, reason, released: live.took.clone() }])
            }
            (C::CancelDeployment { .. }, Self::Done(..)) => {
                Err(refusal(Rule::DeploymentEnded, "the deployment is done; start a new one to install the server again"))
            }
            (_, Self::Done(..)) => {
                let message = "the deployment is done and can no longer change; start a new one to install the server again";
                Err(refusal(Rule::DeploymentEnded, message))
            }
            (_, Self::Cancelled(_)) => Err(refusal(Rule::DeploymentEnded, "the deployment was cancelled; start a new one")),
        }
    }

    /// Whether any file was served to the server since the deployment became In progress, that is, whether the server has
    /// booted.
    pub fn has_booted(&self) -> bool {
        matches!(self, Self::InProgress(Live { served, .. }) | Self::Done(served, _) if !served.is_empty())
    }

    /// When an operator last reported that they restarted the server, if that is what the deployment waits for.
    pub fn restarted_at(&self) -> Option<Timestamp> {
        let Self::InProgress(live) = self else { return None };
        live.restarted_at
    }

    /// What operators wrote about the deployment.
    pub fn notes(&self) -> &Notes {
        match self {
            Self::None => &NO_NOTES,
            Self::Open(Live { notes, .. })
            | Self::InProgress(Live { notes, .. })
            | Self::Done(_, notes)
            | Self::Cancelled(notes) => notes,
        }
    }

    /// Whether the server may boot its image.
    pub fn is_in_progress(&self) -> bool {
        matches!(self, Self::InProgress(_))
    }

    /// Whether a server that is not installed yet would boot its disk if it booted from the network now.
    pub fn boots_disk_next(&self) -> bool {
        matches!(self, Self::InProgress(Live { next_boot: NextBoot::Disk, installed: false, .. }))
    }

    /// The device, while the deployment is live.
    pub fn device(&self) -> Option<DeviceId> {
        let (Self::Open(live) | Self::InProgress(live)) = self else { return None };
        Some(live.device)
    }

    /// How often an operator requested a retry of this plugin.
    pub fn retries(&self, plugin: &Name) -> u32 {
        let (Self::Open(live) | Self::InProgress(live)) = self else { return 0 };
        live.runs.get(plugin).map_or(0, |run| run.retries)
    }

    /// The first plugin of the plan that may run now and has not succeeded.
    pub fn next_due(&self) -> Option<&Name> {
        let (Self::Open(live) | Self::InProgress(live)) = self else { return None };
        let due = |name: &&Name| self.due(live, name).is_ok_and(|run| !run.succeeded);
        live.plan.0.iter().map(|planned| &planned.name).find(due)
    }

    /// The run of a plugin that may report now: it is in the plan, its stage is the current one, and its requirements are met.
    fn due(&self, live: &Live, plugin: &Name) -> Result<Run, Refused> {
        let Some(planned) = live.plan.find(plugin) else {
            return Err(refusal(Rule::PluginUnknown, format!("the deployment's plan has no plugin {plugin}")));
        };
        let run = live.runs.get(plugin).cloned().unwrap_or_default();
        let early = matches!((planned.stage, self), (PluginStage::InProgress, Self::Open(_)));
        let succeeded = |name: &Name| live.runs.get(name).is_some_and(|run| run.succeeded);
        let mut missing: Vec<&str> = planned.requires.iter().filter(|&name| !succeeded(name)).map(Name::as_str).collect();
        if early && missing.is_empty() {
            let preparing = live.plan.preparing().map(|other| &other.name);
            missing = preparing.filter(|&name| !succeeded(name)).map(Name::as_str).collect();
        }
        if early || !missing.is_empty() {
            let have = if missing.len() == 1 { "has" } else { "have" };
            // Only names: the text is stored with the failure of the plugin.
            let awaited = missing.join(", ");
            let message = format!("the plugin {plugin} cannot run before {awaited} {have} succeeded; wait until then");
            return Err(Refused(vec![BrokenRule::new("", Rule::PluginTooEarly, message).about(awaited)]));
        }
        Ok(run)
    }

    fn plugin_succeeded(&self, live: &Live, plugin: Name) -> Result<Vec<DeploymentEvent>, Refused> {
        if self.due(live, &plugin)?.succeeded {
            return Ok(vec![]);
        }
        let prepared = matches!(self, Self::Open(_))
            && live
                .plan
                .preparing()
                .all(|planned| planned.name == plugin || live.runs.get(&planned.name).is_some_and(|run| run.succeeded));
        let mut events = vec![DeploymentEvent::PluginSucceeded { plugin }];
        if prepared {
            events.push(DeploymentEvent::DeploymentInProgress { device: live.device });
        }
        Ok(events)
    }

    fn overdue(&self, live: &Live, stage: Stage, since: Timestamp, now: Timestamp) -> Vec<DeploymentEvent> {
        let current = if matches!(self, Self::Open(_)) { Stage::Open } else { Stage::InProgress };
        let limit_minutes = match current {
            Stage::Open => live.limits.open_minutes,
            Stage::InProgress => live.limits.in_progress_minutes,
        };
        let late = now >= since.plus_seconds(i64::from(limit_minutes) * SECONDS_A_MINUTE);
        let marked = live.overdue || stage != current || !late;
        if marked { vec![] } else { vec![DeploymentEvent::DeploymentOverdue { stage, since, limit_minutes }] }
    }

    fn evolve(&mut self, event: DeploymentEvent) {
        use DeploymentEvent as E;
        match (event, &mut *self) {
            (E::DeploymentStarted(started), _) => {
                *self = Self::Open(Live {
                    device: started.assignment.device,
                    took: started.took,
                    plan: started.plan,
                    limits: started.limits,
                    runs: BTreeMap::new(),
                    overdue: false,
                    served: BTreeMap::new(),
                    ended_by: started.done_by,
                    installed: false,
                    puppet_failure: None,
                    installer: Installer::default(),
                    next_boot: NextBoot::default(),
                    restarted_at: None,
                    notes: started.notes,
                });
            }
            (E::DeploymentInProgress { .. }, Self::Open(live)) => {
                *self = Self::InProgress(Live { overdue: false, ..live.clone() });
            }
            (E::DeploymentDone { .. }, Self::InProgress(live)) => {
                *self = Self::Done(std::mem::take(&mut live.served), std::mem::take(&mut live.notes));
            }
            (E::DeploymentCancelled { .. }, _) => *self = Self::Cancelled(self.notes().clone()),
            (E::DeploymentNoted(new), Self::Done(_, notes) | Self::Cancelled(notes)) => *notes = new,
            (E::BootFileServed { file, sha256, at, .. }, Self::InProgress(Live { served, .. }) | Self::Done(served, _)) => {
                served.entry(file).or_default().insert(sha256, at);
            }
            (event, Self::Open(live) | Self::InProgress(live)) => live.evolve(event),
            _ => {}
        }
    }
}

impl Live {
    fn evolve(&mut self, event: DeploymentEvent) {
        use DeploymentEvent as E;
        self.installer.evolve(&event);
        match event {
            E::PluginSucceeded { plugin } => {
                let run = self.runs.entry(plugin).or_default();
                *run = Run { succeeded: true, waiting: None, ..run.clone() };
            }
            E::PluginFailed { plugin, attempt, .. } => {
                let run = self.runs.entry(plugin).or_default();
                *run = Run { attempts: attempt, waiting: None, ..run.clone() };
            }
            E::PluginWaiting { plugin, reason, awaited } => {
                self.runs.entry(plugin).or_default().waiting = Some((reason, awaited));
            }
            E::PluginRetryRequested { plugin } => {
                let run = self.runs.entry(plugin).or_default();
                run.retries = run.retries.saturating_add(1);
                self.restarted_at = None;
            }
            E::DeploymentOverdue { .. } => self.overdue = true,
            E::InstallationFinished { .. } => self.is_installed(),
            E::PuppetRunFailed { messages, at, .. } => self.puppet_failed(messages, at),
            E::NextBootSet { boot, .. } => self.next_boot = boot,
            E::RestartReported { at } => self.restarted_at = Some(at),
            E::DeploymentNoted(notes) => self.notes = notes,
            _ => {}
        }
    }
}

fn refusal(rule: Rule, message: impl Into<String>) -> Refused {
    Refused(vec![BrokenRule::new("", rule, message)])
}

aggregate!(Deployment, "deployment", DeploymentCommand, DeploymentEvent);
