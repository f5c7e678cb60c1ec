//! Reports of the agents that run beside DHCP servers.

use super::CommandService;
use super::execute::Failure;
use crate::event_log::store::Terms;
use bootledger_aggregates::dhcp_server::{DhcpServer, DhcpServerCommand};
use bootledger_port::{Context, DhcpServerAction, Receipt};
use bootledger_projections::database::log;

impl CommandService {
    pub(super) async fn dhcp_server_command(&self, action: &DhcpServerAction, context: &Context) -> Result<Receipt, Failure> {
        let (server, command) = match action {
            DhcpServerAction::ConfirmConfiguration { server, revision, position } => {
                let last_position = log::last_position(&self.views).await?;
                let (revision, position) = (*revision, *position);
                (server, DhcpServerCommand::ConfirmConfiguration { revision, position, last_position })
            }
            DhcpServerAction::ReportConfigurationFailure { server, revision, message } => {
                (server, DhcpServerCommand::ReportFailure { revision: *revision, message: message.clone() })
            }
        };
        self.run::<DhcpServer>(server, command, Terms::default(), context).await
    }
}
