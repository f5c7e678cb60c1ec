//! Commands about bulk actions. The rows' own commands are sent by the worker [`bulk`](crate::workers::bulk).

use super::CommandService;
use super::execute::Failure;
use crate::event_log::store::Terms;
use bootledger_aggregates::bulk::{Bulk, BulkAction, BulkCommand, BulkRow, MOST_ROWS};
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::values::ids::{BulkId, DeploymentId, DeviceId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{BulkOrder, Context, Receipt};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{deployments, devices, plugin_runs};
use std::collections::HashMap;
use uuid::Uuid;

impl CommandService {
    pub(super) async fn bulk_command(&self, order: &BulkOrder, context: &Context) -> Result<Receipt, Failure> {
        let (id, command) = match order {
            BulkOrder::StartBulk { action, ids, list } => {
                let rows = self.bulk_rows(action, ids).await?;
                let (action, list) = (action.clone(), list.clone());
                (BulkId(Uuid::now_v7()), BulkCommand::StartBulk { action, rows, list, level: context.level })
            }
            BulkOrder::RecordBulkResults { bulk, results } => {
                (*bulk, BulkCommand::RecordBulkResults { results: results.clone() })
            }
            // The routes require the role operator, as the command of each row does by itself. What a row needs beyond that, such
            // as a controller without TLS, is refused to a caller who may not do it, even if an administrator started the action.
            BulkOrder::RetryBulk(bulk) => (*bulk, BulkCommand::RetryBulk { by: context.actor.clone(), level: context.level }),
            BulkOrder::StopBulk { bulk, reason } => (*bulk, BulkCommand::StopBulk { reason: reason.clone() }),
        };
        self.run::<Bulk>(id, command, Terms::default(), context).await
    }

    /// The rows with their names, in the order of the IDs.
    async fn bulk_rows(&self, action: &BulkAction, ids: &[Uuid]) -> Result<Vec<BulkRow>, Failure> {
        // One more than the limit, so that the rule sees that there are too many.
        let ids = ids.get(..=MOST_ROWS).unwrap_or(ids);
        let (names, what, rule): (HashMap<Uuid, String>, _, _) = if action.is_of_deployments() {
            let ids: Vec<DeploymentId> = ids.iter().copied().map(DeploymentId).collect();
            let found = deployments::find_many(&self.views, &ids, At::Now).await?;
            (found.into_iter().map(|row| (row.id.0, row.hostname.to_string())).collect(), "deployment", Rule::DeploymentUnknown)
        } else {
            let ids: Vec<DeviceId> = ids.iter().copied().map(DeviceId).collect();
            let found = devices::find_many(&self.views, &ids, At::Now).await?;
            (found.into_iter().map(|row| (row.id.0, row.called())).collect(), "device", Rule::DeviceUnknown)
        };
        let unknown = |id: &Uuid| BrokenRule::new("ids", rule, format!("there is no {what} {id}; leave it out"));
        Refused::unless_empty(ids.iter().filter(|id| !names.contains_key(id)).take(10).map(unknown).collect())?;
        let mut plugins = if matches!(action, BulkAction::Retry {}) { self.stuck(ids).await? } else { HashMap::new() };
        let row = |id: &Uuid| {
            let name = Text::fitted(names.get(id)?);
            Some(BulkRow { target: *id, name, plugins: plugins.remove(id).unwrap_or_default() })
        };
        Ok(ids.iter().filter_map(row).collect())
    }

    /// The plugins of these deployments that have failed or wait, in the order of their plans.
    async fn stuck(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<Name>>, Failure> {
        let ids: Vec<DeploymentId> = ids.iter().copied().map(DeploymentId).collect();
        let mut stuck: HashMap<Uuid, Vec<Name>> = HashMap::new();
        for run in plugin_runs::of_many(&self.views, &ids).await?.into_iter().filter(|run| run.status.is_stuck()) {
            stuck.entry(run.deployment.0).or_default().push(run.plugin);
        }
        Ok(stuck)
    }
}
