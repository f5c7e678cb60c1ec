//! Commands about saved views of lists.

use super::CommandService;
use super::execute::Failure;
use crate::event_log::store::Terms;
use bootledger_aggregates::saved_view::{SavedView, SavedViewCommand};
use bootledger_aggregates::values::text::Text;
use bootledger_port::{Context, Receipt, SavedViewAction};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;

impl CommandService {
    /// Saves or deletes a view. Two views that one owner saves at the same moment may get the same name, which does no harm.
    pub(super) async fn saved_view_command(&self, action: &SavedViewAction, context: &Context) -> Result<Receipt, Failure> {
        let by = Text::fitted(&context.actor);
        let (id, command) = match action {
            SavedViewAction::SaveView { view, spec } => {
                let own = catalogue::saved_views_of(&self.views, &by, At::Now).await?;
                let mut others = own.iter().filter(|other| other.key != *view);
                let is_same = |other: &catalogue::SavedViewView| other.spec.list == spec.list && other.spec.name == spec.name;
                let (count, name_taken) = (others.clone().count(), others.any(|other| is_same(&other.spec)));
                (view, SavedViewCommand::SaveView { by, spec: spec.clone(), name_taken, others: count })
            }
            SavedViewAction::DeleteView(view) => (view, SavedViewCommand::DeleteView { by }),
        };
        self.run::<SavedView>(id, command, Terms::default(), context).await
    }
}
