//! Commands about webhooks.

use super::Ledger;
use super::devices::unreachable_command;
use super::execute::Failure;
use crate::store::repository::Terms;
use crate::store::webhooks as progress;
use crate::webhooks::{self, Signer};
use bootledger_aggregates::rules::Refused;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::webhook::{Webhook, WebhookCommand};
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, WebhookView};
use bootledger_projections::log;
use bootledger_web::commands::{Command, CommandError, Context, Ping, Receipt};

impl Ledger {
    pub(super) async fn webhook_command(&self, command: &Command, context: &Context) -> Result<Receipt, Failure> {
        let (name, command) = match command {
            Command::DefineWebhook(name, spec) => {
                if let Err(refused) = self.outbound.guard.check_text(spec.url.as_str()) {
                    return Err(Refused::because("url", "address_not_allowed", refused.to_string()).into());
                }
                let unreadable = Signer::read(&self.secrets, &spec.secret).err().map(|problem| problem.to_string());
                let secret_problem = unreadable.or(self.controllers_problem(&spec.secret).await?);
                (name, WebhookCommand::DefineWebhook { spec: spec.clone(), secret_problem })
            }
            Command::PauseWebhook { webhook, reason } => (webhook, WebhookCommand::PauseWebhook { reason: reason.clone() }),
            Command::ResumeWebhook(name) => (name, WebhookCommand::ResumeWebhook),
            Command::SetWebhookPosition { webhook, after, reason } => {
                let last_position = log::last_position(&self.views).await?;
                (webhook, WebhookCommand::SetPosition { after: *after, reason: reason.clone(), last_position })
            }
            Command::SkipWebhookEvent { webhook, position, reason } => {
                let failing = match self.webhook_in_use(webhook).await? {
                    Some(view) => progress::is_failing(&self.views, webhook.as_str(), view.begins.set_at, *position).await?,
                    None => false,
                };
                (webhook, WebhookCommand::SkipEvent { position: *position, reason: reason.clone(), failing })
            }
            other => return unreachable_command(other),
        };
        self.run::<Webhook>(name, command, Terms::default(), context).await
    }

    async fn webhook_in_use(&self, name: &Name) -> Result<Option<WebhookView>, Failure> {
        let found = catalogue::webhook(&self.views, name, At::Now).await?;
        Ok(found.filter(|webhook| !webhook.retired).map(|webhook| webhook.spec))
    }

    /// Sends a test message to the receiver of a webhook. The message is not an event.
    pub(super) async fn ping(&self, name: &Name) -> Result<Ping, CommandError> {
        let view = self.webhook_in_use(name).await?;
        let view = view.ok_or_else(|| CommandError::NotFound(format!("there is no webhook {name} in use")))?;
        let sent = webhooks::ping(name, &view.spec, self).await;
        let refused = |problem| bootledger_aggregates::rules::BrokenRule::new("secret", "secret_missing", problem);
        sent.map_err(|problem| CommandError::Refused(vec![refused(problem)]))
    }
}
