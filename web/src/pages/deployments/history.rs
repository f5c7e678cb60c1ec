//! The history of a deployment from its own events: what each plugin did when, and what was served. It is read in the same way
//! for now and for any past position.

use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::Allowed;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::event::DeploymentEvent;
use bootledger_aggregates::deployment::plan::PlannedPlugin;
use bootledger_aggregates::deployment::reason::{PluginFailure, Waiting};
use bootledger_aggregates::deployment::{Deployment as Rules, plan::Plan};
use bootledger_aggregates::event::Event;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::webhook::EventPattern;
use bootledger_projections::database::log::{self, Wanted};
use bootledger_projections::rows::plugin_runs::{Run, RunReason, RunStatus};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Maximum number of events of a deployment that are read. One that fails every five minutes for a month has fewer.
const MOST: i64 = 10_000;

/// The history of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// When the plugin succeeded.
    pub(super) succeeded: Option<Timestamp>,
    /// How often the plugin failed.
    pub(super) attempts: u32,
    /// The plugin's last failure: its time and reason, and the time of the next attempt.
    pub(super) failure: Option<(Timestamp, PluginFailure, Timestamp)>,
    /// The start and reason of the plugin's wait, and the keys of what it is waiting for.
    pub(super) waiting: Option<(Timestamp, Waiting, Vec<String>)>,
    /// When an operator last requested a retry.
    pub(super) retried: Option<Timestamp>,
}

/// A file that was served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServedFile {
    /// The position of the event.
    pub(super) position: i64,
    /// When the file was served.
    pub(super) at: Timestamp,
    /// The name of the file.
    pub(super) file: Name,
    /// The hash of the bytes.
    pub(super) sha256: Sha256,
    /// The address of the client.
    pub(super) client: Ipv4Addr,
}

/// The history as the events record it.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    rules: Rules,
    plan: Plan,
    started: Timestamp,
    in_progress: Option<Timestamp>,
    /// When the server was installed, if Puppet ends the deployment.
    pub(super) installed: Option<Timestamp>,
    ended: bool,
    work: BTreeMap<Name, Work>,
    /// The files that were served, in order.
    pub(super) served: Vec<ServedFile>,
}

impl History {
    /// Reads the history at the moment of a snapshot.
    pub(super) async fn read(snapshot: &mut Snapshot<'_>, id: DeploymentId) -> Result<Self, Error> {
        let wanted = Wanted::of(&[EventPattern::All]);
        let (key, last) = (id.to_string(), snapshot.position);
        let stored = log::read_stream(snapshot.connection(), &wanted, ("deployment", &key), 1, last, MOST).await?;
        let mut events = vec![];
        for event in stored {
            let recorded = event.recorded().map_err(|error| Error::Internal(error.into()))?;
            if let Event::Deployment(_, event) = recorded.event {
                events.push((recorded.position, recorded.recorded_at, event));
            }
        }
        Ok(Self::of(events))
    }

    /// The history from these events: position, time, event.
    pub(super) fn of(events: Vec<(i64, Timestamp, DeploymentEvent)>) -> Self {
        let mut history = Self::default();
        for (position, at, event) in &events {
            history.add(*position, *at, event);
        }
        history.rules = Rules::after(events.into_iter().map(|(_, _, event)| event));
        history
    }

    fn add(&mut self, position: i64, at: Timestamp, event: &DeploymentEvent) {
        use DeploymentEvent as E;
        match event {
            E::DeploymentStarted(started) => {
                self.started = at;
                self.plan = started.plan.clone();
            }
            E::PluginSucceeded { plugin } => {
                let work = self.work.entry(plugin.clone()).or_default();
                work.succeeded = Some(at);
                work.waiting = None;
            }
            E::PluginFailed { plugin, attempt, reason, retry_at } => {
                let work = self.work.entry(plugin.clone()).or_default();
                work.attempts = *attempt;
                work.failure = Some((at, reason.clone(), *retry_at));
                work.waiting = None;
            }
            E::PluginWaiting { plugin, reason, awaited } => {
                let work = self.work.entry(plugin.clone()).or_default();
                let since = work.waiting.as_ref().map_or(at, |(since, ..)| *since);
                work.waiting = Some((since, reason.clone(), awaited.iter().map(ToString::to_string).collect()));
            }
            E::PluginRetryRequested { plugin } => self.work.entry(plugin.clone()).or_default().retried = Some(at),
            E::DeploymentInProgress { .. } => self.in_progress = Some(at),
            E::InstallationFinished { .. } => self.installed = Some(at),
            E::BootFileServed { file, sha256, client, at } => {
                self.served.push(ServedFile { position, at: *at, file: file.clone(), sha256: *sha256, client: *client });
            }
            E::DeploymentDone { .. } | E::DeploymentCancelled { .. } => self.ended = true,
            E::PuppetRunFailed { .. }
            | E::InstallerReported { .. }
            | E::InstallerFailed { .. }
            | E::InstallerLogReceived { .. }
            | E::NextBootSet { .. }
            | E::RestartReported { .. }
            | E::DeploymentNoted(_)
            | E::DeploymentOverdue { .. } => {}
        }
    }

    /// The plugins of the plan, in order.
    pub(super) fn plugins(&self) -> &[PlannedPlugin] {
        &self.plan.0
    }

    /// The last failure of each plugin that failed.
    pub(super) fn failures(&self) -> impl Iterator<Item = &PluginFailure> {
        self.work.values().filter_map(|work| work.failure.as_ref().map(|(_, reason, _)| reason))
    }

    /// The history of a plugin; empty if it has done nothing yet.
    pub(super) fn work(&self, plugin: &Name) -> Work {
        self.work.get(plugin).cloned().unwrap_or_default()
    }

    /// The status of a plugin.
    pub(super) fn status(&self, plugin: &Name) -> RunStatus {
        let work = self.work(plugin);
        if work.succeeded.is_some() {
            RunStatus::Succeeded
        } else if self.ended {
            RunStatus::Stopped
        } else if work.waiting.is_some() {
            RunStatus::Waiting
        } else if let Some((failed, ..)) = work.failure {
            if work.retried.is_some_and(|retried| retried >= failed) { RunStatus::Due } else { RunStatus::Failed }
        } else if self.allows(DeploymentCommand::RetryPlugin { plugin: plugin.clone() }).is_ok() {
            RunStatus::Due
        } else {
            RunStatus::Blocked
        }
    }

    /// The plugins in the form of the views, as of the history's moment.
    pub(super) fn runs(&self, deployment: DeploymentId) -> Vec<Run> {
        let run = |(place, planned): (i32, &PlannedPlugin)| {
            let (status, work) = (self.status(&planned.name), self.work(&planned.name));
            let failed = work.failure.as_ref();
            let (reason, awaited, since) = match (status, work.waiting, failed) {
                (RunStatus::Waiting, Some((since, reason, keys)), _) => (Some(RunReason::Waiting(reason)), keys, Some(since)),
                (RunStatus::Failed, _, Some((since, reason, _))) => {
                    (Some(RunReason::Failed(reason.clone())), vec![], Some(*since))
                }
                (RunStatus::Succeeded, ..) => (None, vec![], work.succeeded),
                (RunStatus::Due, ..) => (None, vec![], work.retried.or_else(|| self.could_run_since(planned))),
                _ => (None, vec![], None),
            };
            Run {
                deployment,
                plugin: planned.name.clone(),
                place,
                stage: planned.stage,
                requires: planned.requires.clone(),
                status,
                attempts: i32::try_from(work.attempts).unwrap_or(i32::MAX),
                reason,
                awaited,
                since: since.unwrap_or(self.started),
                // Pages do not show these.
                since_position: 0,
                entry_position: None,
                retry_at: failed.filter(|_| status == RunStatus::Failed).map(|(_, _, retry_at)| *retry_at),
            }
        };
        (0_i32..).zip(&self.plan.0).map(run).collect()
    }

    /// When a plugin became able to run: its requirements were met, and its stage had begun. `None` before that.
    pub(super) fn could_run_since(&self, planned: &PlannedPlugin) -> Option<Timestamp> {
        use bootledger_aggregates::deployment::plan::PluginStage;
        let mut since = match planned.stage {
            PluginStage::Preparing => self.started,
            PluginStage::InProgress => self.in_progress?,
        };
        for required in &planned.requires {
            since = since.max(self.work(required).succeeded?);
        }
        Some(since)
    }

    /// Whether a command would be allowed, by the rule that decides it, and if not, why.
    pub(super) fn allows(&self, command: DeploymentCommand) -> Allowed {
        match self.rules.decide(command) {
            Ok(events) if events.is_empty() => Err("This action was already carried out.".to_owned()),
            Ok(_) => Ok(()),
            Err(refused) => Err(capital(&refused.to_string())),
        }
    }
}

/// The text with a capital letter at the beginning and a full stop at the end.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", characters.as_str())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pages::tests::samples::deployment;
    use bootledger_aggregates::boot_image::EndedBy;
    use bootledger_aggregates::deployment::event::{DeploymentStarted, Limits};

    pub(in super::super) fn at(seconds: i64) -> Timestamp {
        Timestamp::default().plus_seconds(seconds)
    }

    fn name(text: &str) -> Name {
        text.parse().expect("a name")
    }

    /// A failure of a plugin, which runs again.
    pub(in super::super) fn failed(plugin: &str) -> DeploymentEvent {
        DeploymentEvent::PluginFailed {
            plugin: name(plugin),
            attempt: 1,
            reason: PluginFailure::Deadline { seconds: 20 },
            retry_at: at(99),
        }
    }

    pub(in super::super) fn started() -> DeploymentEvent {
        DeploymentEvent::DeploymentStarted(Box::new(DeploymentStarted {
            assignment: deployment().assignment(),
            boot_image_revision: 1,
            network: name("prod"),
            site: name("dc1"),
            plan: Plan::standard().expect("a plan"),
            limits: Limits { open_minutes: 30, in_progress_minutes: 120 },
            took: vec![],
            import: None,
            done_by: EndedBy::Server,
            settings: bootledger_aggregates::settings::ResolvedSettings::default(),
            boot_chain: bootledger_aggregates::values::boot_chain::BootChain::Ipxe,
            notes: bootledger_aggregates::deployment::notes::Notes::default(),
        }))
    }

    #[test]
    fn the_state_of_a_plugin_is_that_of_its_last_event() {
        let failed = |attempt| DeploymentEvent::PluginFailed {
            plugin: name("clean"),
            attempt,
            reason: PluginFailure::Deadline { seconds: 20 },
            retry_at: at(99),
        };
        let mut events = vec![(1, at(0), started())];
        let now = |events: &[(i64, Timestamp, DeploymentEvent)]| History::of(events.to_vec());
        assert_eq!(
            (now(&events).status(&name("clean")), now(&events).status(&name("dhcp"))),
            (RunStatus::Due, RunStatus::Blocked)
        );
        events.push((2, at(1), failed(1)));
        assert_eq!(now(&events).status(&name("clean")), RunStatus::Failed);
        assert_eq!(now(&events).work(&name("clean")).attempts, 1);
        events.push((3, at(2), DeploymentEvent::PluginRetryRequested { plugin: name("clean") }));
        assert_eq!(now(&events).status(&name("clean")), RunStatus::Due);
        events.push((4, at(3), DeploymentEvent::PluginSucceeded { plugin: name("clean") }));
        let history = now(&events);
        assert_eq!((history.status(&name("clean")), history.status(&name("role"))), (RunStatus::Succeeded, RunStatus::Due));
        let role = history.plugins().iter().find(|planned| planned.name == name("role")).expect("planned");
        assert_eq!(history.could_run_since(role), Some(at(3)));
        let refused = history.allows(DeploymentCommand::RetryPlugin { plugin: name("clean") });
        assert!(refused.is_err(), "a plugin that succeeded runs again");
    }

    #[test]
    fn the_plugins_of_a_past_moment_have_the_form_of_the_views() {
        let waiting = DeploymentEvent::PluginWaiting {
            plugin: name("role"),
            reason: Waiting::ControllerBusy {},
            awaited: vec!["operator".parse().expect("a text")],
        };
        let succeeded = DeploymentEvent::PluginSucceeded { plugin: name("clean") };
        let runs = History::of(vec![(1, at(0), started()), (2, at(1), succeeded), (3, at(2), waiting)]).runs(deployment().id);
        let found: Vec<_> = runs.iter().map(|run| (run.plugin.as_str(), run.status, run.since)).collect();
        assert_eq!(found[..2], [("clean", RunStatus::Succeeded, at(1)), ("role", RunStatus::Waiting, at(2))]);
        assert_eq!((runs[1].awaited.as_slice(), runs[1].place), (["operator".to_owned()].as_slice(), 1));
        let runs = History::of(vec![(1, at(0), started()), (2, at(1), failed("clean"))]).runs(deployment().id);
        assert_eq!((runs[0].status, runs[0].retry_at, runs[0].attempts), (RunStatus::Failed, Some(at(99)), 1));
        assert!(runs[0].failure().is_some());
    }
}
