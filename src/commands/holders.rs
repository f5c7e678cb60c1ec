//! Completes validation messages with the names of holders, because operators know their servers by name.

use super::CommandService;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_port::CommandError;
use bootledger_projections::error::Error;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::holders::HolderNames;
use bootledger_projections::rows::{deployments, devices, reservations};

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

    /// Completes validation messages with the names of holders. `holder` keeps the id, for programs. If the views cannot be
    /// read, messages keep the ids.
    pub(super) async fn name_holders(&self, broken: impl Iterator<Item = &mut BrokenRule>) {
        let held: Vec<(Holder, &mut BrokenRule)> =
            broken.filter_map(|rule| Some((rule.holder.as_ref()?.parse().ok()?, rule))).take(MOST).collect();
        if held.is_empty() {
            return;
        }
        let (mut of_devices, mut of_deployments, mut of_reservations) = (vec![], vec![], vec![]);
        for (holder, _) in &held {
            match holder {
                Holder::Device(id) => of_devices.push(*id),
                Holder::Deployment(id) => of_deployments.push(*id),
                Holder::Reservation(ip) => of_reservations.push(*ip),
            }
        }
        // If a query fails, the error itself still reaches the caller.
        let unnamed = |error: &Error| tracing::debug!(%error, "holders keep their ids");
        let devices = devices::find_many(&self.views, &of_devices, At::Now).await.inspect_err(unnamed).unwrap_or_default();
        let deployments = deployments::find_many(&self.views, &of_deployments, At::Now).await;
        let deployments = deployments.inspect_err(unnamed).unwrap_or_default();
        let reserved = reservations::find_many(&self.views, &of_reservations, At::Now).await;
        let names = HolderNames::of(&devices, &deployments).and(&reserved.inspect_err(unnamed).unwrap_or_default());
        for (_, rule) in held {
            names.complete(rule);
        }
    }
}
