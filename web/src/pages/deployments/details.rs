//! Reads a deployment: its row, and everything that its page shows.

use super::boot_path;
use super::changes::Changes;
use super::history::History;
use crate::english::as_sentence;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::Allowed;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::installer::installs_again;
use bootledger_aggregates::device::lock;
use bootledger_aggregates::settings::{Resolved, Source};
use bootledger_aggregates::values::hostname::reverse_name;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::SettingName;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{self, Deployment, Status};
use bootledger_projections::rows::devices::{self, Device};
use bootledger_projections::rows::durations::{self, Part, Usual};
use bootledger_projections::rows::holders::{self, HolderNames};
use bootledger_projections::rows::installations::{self, Installation};
use bootledger_projections::rows::plugin_runs::{self, Run};
use bootledger_projections::rows::timeline::{self, Line, Order};
use bootledger_projections::rows::{catalogue, drift, parked};
use std::collections::BTreeMap;

/// How many lines of the timeline the page shows.
pub(super) const LINES: i64 = 100;

/// The deployment with this ID.
pub(super) async fn find(snapshot: &mut Snapshot<'_>, id: DeploymentId, at: At) -> Result<Deployment, Error> {
    let found = deployments::find(snapshot.connection(), id, at).await?;
    found.ok_or_else(|| Error::NotFound(format!("there is no deployment {id}")))
}

/// The data of the page.
pub(super) struct DeploymentDetails {
    pub(super) deployment: Deployment,
    pub(super) device: Option<Device>,
    pub(super) history: History,
    /// The installer's state.
    pub(super) installation: Installation,
    /// How many seconds it usually takes from the last file to DONE.
    pub(super) usual: Option<i64>,
    /// Whether the last file that the server fetched is a boot loader, which is not part of its image.
    pub(super) loader: bool,
    /// How the server can get the signed chain, if it uses that and has fetched only a loader so far.
    pub(super) ways: Option<boot_path::Ways>,
    pub(super) runs: Vec<Run>,
    /// The names of those that hold values which failed plugins wanted.
    pub(super) holders: HolderNames,
    pub(super) lines: Vec<Line>,
    /// The usual durations of the deployments of this boot image.
    pub(super) durations: BTreeMap<Part, Usual>,
    /// The names of the server's records whose values in DNS are not the expected ones.
    pub(super) drifted: Vec<String>,
    /// The device's live deployment, if it is another one.
    pub(super) live: Option<DeploymentId>,
    /// What the deployment changed; read only for the tab that shows it.
    pub(super) changes: Changes,
    pub(super) blocked: bool,
    pub(super) settings: Vec<Setting>,
    /// Whether the visitor may make changes from the page.
    pub(super) may: Allowed,
}

impl DeploymentDetails {
    /// Whether an operator may install the server again: not while its device is locked.
    pub(super) fn may_install(&self) -> Allowed {
        match self.device.as_ref().and_then(|device| device.lock.as_ref()) {
            Some(present) => Err(as_sentence(&lock::installing(present, "").message)),
            None => Ok(()),
        }
    }

    /// Whether the visitor may retry a plugin.
    pub(super) fn may_retry(&self, plugin: &Name) -> Allowed {
        self.may.clone()?;
        self.history.allows(DeploymentCommand::RetryPlugin { plugin: plugin.clone() })?;
        if installs_again(plugin) { self.may_install() } else { Ok(()) }
    }
}

/// A setting that the deployment's files use.
pub(super) struct Setting {
    pub(super) name: SettingName,
    /// The value and its source; an optional setting may have none.
    pub(super) resolved: Option<Resolved>,
    /// What is wrong with the setting's secret, while the deployment still needs it.
    pub(super) problem: Option<String>,
}

/// The settings of a deployment: those that it was started with, and the defaults of its revision of the image.
async fn settings(snapshot: &mut Snapshot<'_>, application: &Application, of: &Deployment) -> Result<Vec<Setting>, Error> {
    let (key, revision) = (&of.boot_image, of.boot_image_revision);
    let Some(image) = catalogue::boot_image_revision(snapshot.connection(), key, revision).await? else { return Ok(vec![]) };
    let image = image.spec;
    let default = |name: &SettingName| {
        let value = image.declared().get(name)?.default.clone()?;
        Some(Resolved { value, from: Source::BootImage })
    };
    let matters = of.status.is_live() && snapshot.at == At::Now;
    let setting = |name: &SettingName| {
        let resolved = of.settings.get(name).cloned().or_else(|| default(name));
        let secret = resolved.as_ref().and_then(|resolved| resolved.value.secret()).filter(|_| matters);
        let problem = secret.and_then(|secret| application.commands.secret_problem(secret));
        Setting { name: name.clone(), resolved, problem }
    };
    Ok(image.used_settings().into_iter().map(setting).collect())
}

/// The tabs of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tab {
    /// The steps, the installation and the details.
    #[default]
    Overview,
    /// The files that the server fetched.
    Served,
    /// What the deployment created and removed.
    Changes,
    /// The events.
    Events,
}

impl Tab {
    /// The tabs in order.
    pub(super) const ALL: [Self; 4] = [Self::Overview, Self::Served, Self::Changes, Self::Events];

    /// The tab with this name in a URL; the first one without a name.
    ///
    /// # Errors
    /// Returns an error if there is no such tab.
    pub(super) fn of(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|tab| tab.name() == name);
        found.ok_or_else(|| Error::NotFound(format!("the page of a deployment has no tab {name:?}")))
    }

    /// The name in a URL; empty for the first tab.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Served => "served",
            Self::Changes => "changes",
            Self::Events => "events",
        }
    }

    /// The words of the link.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Served => "Served files",
            Self::Changes => "Changes made",
            Self::Events => "Events",
        }
    }
}

/// The names of a server's records whose values in DNS are not the expected ones.
async fn drifted(snapshot: &mut Snapshot<'_>, of: &Deployment) -> Result<Vec<String>, Error> {
    let at = snapshot.at;
    let mut names = vec![];
    for (name, record) in [(of.hostname.to_string(), "A"), (reverse_name(of.ip), "PTR")] {
        // A name that no key can have has no drift.
        let Ok(key) = format!("{}/dns/{name}/{record}", of.site).parse() else { continue };
        if drift::find(snapshot.connection(), &key, at).await?.is_some() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Reads the data of a tab of the page.
pub(super) async fn load(
    snapshot: &mut Snapshot<'_>,
    application: &Application,
    id: DeploymentId,
    tab: Tab,
    may: Allowed,
) -> Result<DeploymentDetails, Error> {
    let at = snapshot.at;
    let deployment = find(snapshot, id, at).await?;
    let device = devices::find(snapshot.connection(), deployment.device, at).await?;
    let filter = timeline::Filter { deployment: Some(id), before: Some(snapshot.position + 1), ..timeline::Filter::default() };
    let lines = timeline::list(snapshot.connection(), &filter, Order::NewestFirst, LINES + 1).await?;
    let blocked = parked::is_blocked(snapshot.connection(), "deployment", &id.to_string()).await?;
    let history = History::read(snapshot, id).await?;
    // The views have the plugins' runs only of now; the events have them of every moment.
    let runs = if at == At::Now { plugin_runs::of(snapshot.connection(), id).await? } else { history.runs(id) };
    let holders = holders::of_failures(history.failures().chain(runs.iter().filter_map(Run::failure)));
    let holders = HolderNames::load(snapshot.connection(), holders, at).await?;
    let installation = installations::find(snapshot.connection(), id, at).await?;
    let usual = boot_path::usual(snapshot.connection(), &deployment, &installation, at).await?;
    let loader = boot_path::fetched_a_loader(snapshot.connection(), &deployment, &installation).await?;
    let ways = boot_path::ways(snapshot, application, &deployment, &installation, loader).await?;
    let settings = settings(snapshot, application, &deployment).await?;
    let until = snapshot.recorded_at;
    let durations = durations::of_image(snapshot.connection(), &deployment.boot_image, id, until).await?;
    // A cancelled deployment has no records, and those of a later deployment are not its own.
    let live = deployments::live_of_device(snapshot.connection(), deployment.device, at).await?;
    let live = live.map(|live| live.id).filter(|live| *live != id);
    let has_records = deployment.status != Status::Cancelled && live.is_none();
    let drifted = if has_records { drifted(snapshot, &deployment).await? } else { vec![] };
    let mut found = DeploymentDetails {
        deployment,
        device,
        history,
        installation,
        usual,
        loader,
        ways,
        runs,
        holders,
        lines,
        blocked,
        settings,
        durations,
        drifted,
        live,
        changes: Changes::default(),
        may,
    };
    if tab == Tab::Changes {
        found.changes = Changes::load(snapshot, &found).await?;
    }
    Ok(found)
}

#[cfg(test)]
impl DeploymentDetails {
    /// The data of a deployment with this installation.
    pub(super) fn sample(deployment: Deployment, installation: Installation, usual: Option<i64>, may: Allowed) -> Self {
        let (history, runs, lines) = (History::default(), vec![], vec![]);
        let (settings, loader, ways) = (vec![], false, None);
        let (device, blocked, holders) = (None, false, HolderNames::default());
        let (durations, drifted, live, changes) = (BTreeMap::new(), vec![], None, Changes::default());
        Self {
            deployment,
            device,
            history,
            installation,
            usual,
            loader,
            ways,
            runs,
            holders,
            lines,
            durations,
            drifted,
            live,
            changes,
            blocked,
            settings,
            may,
        }
    }
}
