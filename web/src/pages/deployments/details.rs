//! Reads a deployment: its row, and everything that its page shows.

use super::boot_path;
use super::history::History;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::Allowed;
use bootledger_aggregates::settings::{Resolved, Source};
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::setting::SettingName;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{self, Deployment};
use bootledger_projections::rows::devices::{self, Device};
use bootledger_projections::rows::holders::{self, HolderNames};
use bootledger_projections::rows::installations::{self, Installation};
use bootledger_projections::rows::plugin_runs::{self, Run};
use bootledger_projections::rows::timeline::{self, Line, Order};
use bootledger_projections::rows::{catalogue, parked};

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
    pub(super) blocked: bool,
    pub(super) settings: Vec<Setting>,
    /// Whether the visitor may make changes from the page.
    pub(super) may: Allowed,
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

/// Reads the data of the page.
pub(super) async fn load(
    snapshot: &mut Snapshot<'_>,
    application: &Application,
    id: DeploymentId,
    may: Allowed,
) -> Result<DeploymentDetails, Error> {
    let at = snapshot.at;
    let deployment = find(snapshot, id, at).await?;
    let device = devices::find(snapshot.connection(), deployment.device, at).await?;
    let runs = if at == At::Now { plugin_runs::of(snapshot.connection(), id).await? } else { vec![] };
    let filter = timeline::Filter { deployment: Some(id), before: Some(snapshot.position + 1), ..timeline::Filter::default() };
    let lines = timeline::list(snapshot.connection(), &filter, Order::NewestFirst, LINES + 1).await?;
    let blocked = parked::is_blocked(snapshot.connection(), "deployment", &id.to_string()).await?;
    let history = History::read(snapshot, id).await?;
    let holders = holders::of_failures(history.failures().chain(runs.iter().filter_map(Run::failure)));
    let holders = HolderNames::load(snapshot.connection(), holders, at).await?;
    let installation = installations::find(snapshot.connection(), id, at).await?;
    let usual = boot_path::usual(snapshot.connection(), &deployment, &installation, at).await?;
    let loader = boot_path::fetched_a_loader(snapshot.connection(), &deployment, &installation).await?;
    let ways = boot_path::ways(snapshot, application, &deployment, &installation, loader).await?;
    let settings = settings(snapshot, application, &deployment).await?;
    Ok(DeploymentDetails {
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
        may,
    })
}

#[cfg(test)]
impl DeploymentDetails {
    /// The data of a deployment with this installation.
    pub(super) fn sample(deployment: Deployment, installation: Installation, usual: Option<i64>, may: Allowed) -> Self {
        let (history, runs, lines) = (History::default(), vec![], vec![]);
        let (settings, loader, ways) = (vec![], false, None);
        let (device, blocked, holders) = (None, false, HolderNames::default());
        Self { deployment, device, history, installation, usual, loader, ways, runs, holders, lines, blocked, settings, may }
    }
}
