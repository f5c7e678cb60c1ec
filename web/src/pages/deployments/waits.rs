//! What the deployments of a list wait for: their plugins, with the names of those that hold values which a failed plugin wanted,
//! and their installers.

use super::installer;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::awaited;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::Deployment;
use bootledger_projections::rows::holders::{self, HolderNames};
use bootledger_projections::rows::installations::{self, Installation};
use bootledger_projections::rows::plugin_runs::{self, Run};
use maud::{Markup, html};
use std::collections::HashMap;

/// What deployments wait for. Only live deployments wait, and plugins are known only of now.
#[derive(Default)]
pub(super) struct Waits {
    /// Whether the moment is a past one, of which only the page of a deployment reads what its plugins did.
    pub(super) is_past: bool,
    pub(super) runs: HashMap<DeploymentId, Vec<Run>>,
    pub(super) holders: HolderNames,
    pub(super) installations: HashMap<DeploymentId, Installation>,
}

impl Waits {
    /// Reads what these deployments wait for.
    pub(super) async fn load(snapshot: &mut Snapshot<'_>, rows: &[Deployment]) -> Result<Self, Error> {
        let mut waits = Self::default();
        let live: Vec<DeploymentId> = rows.iter().filter(|row| row.status.is_live()).map(|row| row.id).collect();
        if live.is_empty() {
            return Ok(waits);
        }
        let at = snapshot.at;
        waits.is_past = at != At::Now;
        if !waits.is_past {
            let runs = plugin_runs::of_many(snapshot.connection(), &live).await?;
            let held = holders::of_failures(runs.iter().filter_map(Run::failure));
            waits.holders = HolderNames::load(snapshot.connection(), held, at).await?;
            for run in runs {
                waits.runs.entry(run.deployment).or_default().push(run);
            }
        }
        let found = installations::find_many(snapshot.connection(), &live, at).await?;
        waits.installations = found.into_iter().map(|installation| (installation.deployment, installation)).collect();
        Ok(waits)
    }

    /// What one of the deployments waits for.
    pub(super) fn of(&self, deployment: &Deployment, now: Timestamp) -> Markup {
        let runs = self.runs.get(&deployment.id).map_or(&[][..], Vec::as_slice);
        html! {
            (awaited::of_deployment(deployment, (!self.is_past).then_some(runs), &self.holders, now))
            @if let Some(installation) = self.installations.get(&deployment.id) { (installer::short(installation)) }
        }
    }
}
