//! Deployments and their plugins as the API returns them. The sentences are written when they are read; they are not stored.

use crate::wording::plugins;
use bootledger_aggregates::deployment::reason::{PluginFailure, Waiting};
use bootledger_projections::rows::deployments::Deployment;
use bootledger_projections::rows::holders::HolderNames;
use bootledger_projections::rows::plugin_runs::{Run, RunReason};
use serde::Serialize;
use utoipa::ToSchema;

/// A deployment of a server for a role, as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct DeploymentItem {
    #[serde(flatten)]
    deployment: Deployment,
    /// Who marked the deployment done or cancelled it.
    ended_by: Option<String>,
}

impl From<Deployment> for DeploymentItem {
    fn from(deployment: Deployment) -> Self {
        Self { ended_by: deployment.ended_by.as_ref().map(plugins::ended_by), deployment }
    }
}

/// A plugin of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct PluginItem {
    #[serde(flatten)]
    run: Run,
    /// Why the plugin failed or waits, as a sentence. The sentence may change between versions.
    reason: Option<String>,
    /// Why the plugin waits, as a code with its values. A stopped plugin keeps its last reason.
    waiting_for: Option<Waiting>,
    /// Why the plugin failed, as a code with its values. A stopped plugin keeps its last reason.
    failure: Option<PluginFailure>,
}

impl PluginItem {
    /// A plugin of the deployment of `hostname`.
    pub(super) fn of(run: Run, hostname: &str, holders: &HolderNames) -> Self {
        let reason = run.reason.as_ref().map(|reason| plugins::reason(reason, hostname, holders));
        let (waiting_for, failure) = match run.reason.clone() {
            Some(RunReason::Waiting(waiting)) => (Some(waiting), None),
            Some(RunReason::Failed(failure)) => (None, Some(failure)),
            None => (None, None),
        };
        Self { run, reason, waiting_for, failure }
    }
}
