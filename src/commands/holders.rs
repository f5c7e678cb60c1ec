//! Replaces ids with names in refusals that mention a holder, because operators know their servers by name.

use super::CommandService;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_port::CommandError;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{deployments, devices};
use std::collections::HashMap;

/// How many holders are looked up for one response; the others keep their ids.
const MOST: usize = 1_000;

impl CommandService {
    /// A command's error with the names of holders.
    pub(super) async fn with_names(&self, error: CommandError) -> CommandError {
        match error {
            CommandError::Refused(mut broken) => {
                self.name_holders(broken.iter_mut()).await;
                CommandError::Refused(broken)
            }
            other => other,
        }
    }

    /// Inserts the names of holders into validation messages. `holder` keeps the id, for programs. If the views cannot be read,
    /// messages are unchanged.
    pub(super) async fn name_holders(&self, broken: impl Iterator<Item = &mut BrokenRule>) {
        let mut held: Vec<(Holder, &mut BrokenRule)> =
            broken.filter_map(|rule| Some((rule.holder.as_ref()?.parse().ok()?, rule))).take(MOST).collect();
        if held.is_empty() {
            return;
        }
        let (mut of_devices, mut of_deployments) = (vec![], vec![]);
        for (holder, _) in &held {
            match holder {
                Holder::Device(id) => of_devices.push(*id),
                Holder::Deployment(id) => of_deployments.push(*id),
            }
        }
        let mut names: HashMap<Holder, String> = HashMap::new();
        match devices::find_many(&self.views, &of_devices, At::Now).await {
            Ok(found) => names.extend(found.iter().map(|one| (Holder::Device(one.id), format!("device {}", one.words())))),
            Err(error) => tracing::debug!(%error, "holders keep their ids"),
        }
        match deployments::find_many(&self.views, &of_deployments, At::Now).await {
            Ok(found) => {
                names.extend(found.iter().map(|one| (Holder::Deployment(one.id), format!("the deployment of {}", one.hostname))));
            }
            Err(error) => tracing::debug!(%error, "holders keep their ids"),
        }
        for (holder, rule) in &mut held {
            if let Some(name) = names.get(holder) {
                rule.message = rule.message.replace(&holder.to_string(), name);
            }
        }
    }
}
