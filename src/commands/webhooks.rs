//! Commands about webhooks.

use super::CommandService;
use super::execute::Failure;
use super::webhook_message::{Message, Signer};
use super::webhook_receiver::Receiver;
use crate::event_log::store::Terms;
use crate::event_log::webhooks as progress;
use bootledger_aggregates::event::unknown_events;
use bootledger_aggregates::rules::{Refused, Rule};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::webhook::{Webhook, WebhookCommand, WebhookSpec};
use bootledger_port::{CommandError, Context, Ping, Receipt, WebhookAction};
use bootledger_projections::database::log;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, WebhookView};
use bootledger_web::wording::webhooks as wording;
use std::time::Instant;

impl CommandService {
    pub(super) async fn webhook_command(&self, action: &WebhookAction, context: &Context) -> Result<Receipt, Failure> {
        let (name, command) = match action {
            WebhookAction::DefineWebhook(name, spec) => {
                if let Err(refused) = self.outbound.guard.check_text(spec.url.as_str()) {
                    return Err(Refused::because("url", Rule::AddressNotAllowed, refused.to_string()).into());
                }
                let unreadable = Signer::read(&self.secrets, &spec.secret).err().map(|problem| problem.to_string());
                let secret_problem = unreadable.or(self.controllers_problem(&spec.secret).await?);
                let unknown_events = unknown_events(&spec.events);
                (name, WebhookCommand::DefineWebhook { spec: spec.clone(), secret_problem, unknown_events })
            }
            WebhookAction::PauseWebhook { webhook, reason } => (webhook, WebhookCommand::PauseWebhook { reason: reason.clone() }),
            WebhookAction::ResumeWebhook(name) => (name, WebhookCommand::ResumeWebhook),
            WebhookAction::SetWebhookPosition { webhook, after, reason } => {
                let last_position = log::last_position(&self.views).await?;
                (webhook, WebhookCommand::SetPosition { after: *after, reason: reason.clone(), last_position })
            }
            WebhookAction::SkipWebhookEvent { webhook, position, reason } => {
                let failing = match self.webhook_in_use(webhook).await? {
                    Some(view) => progress::is_failing(&self.views, webhook.as_str(), view.begins.set_at, *position).await?,
                    None => false,
                };
                (webhook, WebhookCommand::SkipEvent { position: *position, reason: reason.clone(), failing })
            }
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
        let view = view.ok_or_else(|| {
            CommandError::NotFound(format!("there is no webhook {name} in use; `bootledger webhook list` shows all"))
        })?;
        let sent = self.send_ping(name, &view.spec).await;
        let refused = |problem| bootledger_aggregates::rules::BrokenRule::new("secret", Rule::SecretMissing, problem);
        sent.map_err(|problem| CommandError::Refused(vec![refused(problem)]))
    }

    /// Sends a receiver a signed test message once, and returns its response, or why nothing can be sent.
    async fn send_ping(&self, name: &Name, spec: &WebhookSpec) -> Result<Ping, String> {
        let signer = Signer::read(&self.secrets, &spec.secret).map_err(|problem| problem.to_string())?;
        let receiver = Receiver::new(&spec.url, 1, &self.outbound.guard)
            .map_err(|error| format!("cannot create an HTTP client: {error}"))?;
        let now = (self.now)();
        let message = Message::ping(name, now);
        let begun = Instant::now();
        let tried = receiver.send(&message, &signer, now.0).await;
        let message_id = message.id;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = tried.status.map(|status| status.as_u16());
        let taken = tried.problem.is_none();
        let message = tried.problem.map_or(tried.answer, |problem| Text::fitted(&wording::problem(&problem)));
        Ok(Ping { webhook_id: message_id, taken, status, message, milliseconds })
    }
}
