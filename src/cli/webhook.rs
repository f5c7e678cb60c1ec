//! `bootledger webhook`: shows the state of webhooks, and pings, pauses, resumes, moves and retires them.

use crate::commands::administrator::{by, shown};
use crate::config::StoreArguments;
use crate::service::tool::{self, Tool};
use anyhow::{Result, bail};
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{CatalogueAction, Command, Commands, Kind, WebhookAction};
use bootledger_projections::progress::webhooks;
use bootledger_projections::projector::checkpoint;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_web::wording::webhooks::{message, problem};
use clap::{Args, Subcommand};

/// The arguments of `bootledger webhook`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists the webhooks in use, with the state of each.
    List,
    /// Sends the receiver a signed test message, and shows its response.
    Ping {
        /// The webhook's name.
        name: Name,
    },
    /// Pauses deliveries until the webhook is resumed; no event is lost.
    Pause {
        /// The webhook's name.
        name: Name,
        /// The reason, which is recorded.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: Text,
    },
    /// Resumes deliveries after the last delivered event.
    Resume {
        /// The webhook's name.
        name: Name,
    },
    /// Skips an event whose delivery fails, so that later events of the same object are delivered.
    Skip {
        /// The webhook's name.
        name: Name,
        /// The position of the event in the log, as shown by `bootledger webhook list`.
        position: i64,
        /// The reason, which is recorded.
        #[arg(long)]
        reason: Text,
    },
    /// Delivers all events after a position, including those that were delivered before.
    Position {
        /// The webhook's name.
        name: Name,
        /// The position in the log after which delivery starts; 0 delivers everything.
        #[arg(long, value_name = "POSITION")]
        after: i64,
        /// The reason, which is recorded.
        #[arg(long)]
        reason: Text,
    },
    /// Retires the webhook, which ends its deliveries.
    Retire {
        /// The webhook's name.
        name: Name,
    },
}

/// Runs `bootledger webhook`.
///
/// # Errors
/// Returns an error if the database fails, if a rule refuses the change, or if the receiver does not accept the test message.
pub async fn run(arguments: Arguments) -> Result<()> {
    tool::with(&arguments.store, async |tool| act(tool, arguments.action).await).await
}

async fn act(tool: &Tool, action: Action) -> Result<()> {
    let command = match action {
        Action::List => return list(tool).await,
        Action::Ping { name } => return ping(tool, &name).await,
        Action::Pause { name, reason } => Command::Webhook(WebhookAction::PauseWebhook { webhook: name, reason }),
        Action::Resume { name } => Command::Webhook(WebhookAction::ResumeWebhook(name)),
        Action::Skip { name, position, reason } => {
            Command::Webhook(WebhookAction::SkipWebhookEvent { webhook: name, position, reason })
        }
        Action::Position { name, after, reason } => {
            Command::Webhook(WebhookAction::SetWebhookPosition { webhook: name, after, reason })
        }
        Action::Retire { name } => Command::Catalogue(CatalogueAction::Retire(Kind::Webhook, name)),
    };
    let receipt = tool.commands.execute(command, by(SystemActor::CommandLine)).await.map_err(shown)?;
    println!("done (event {})", receipt.position);
    Ok(())
}

async fn list(tool: &Tool) -> Result<()> {
    let mut connection = tool.database.pool.acquire().await?;
    let position = checkpoint::position(&mut connection).await?;
    for webhook in catalogue::webhooks(&mut connection, At::Now).await? {
        let (name, view) = (webhook.key, webhook.spec);
        let delivery = webhooks::delivery(&mut connection, &name, &view, position, (tool.commands.now)()).await?;
        println!("{name}  {}  {}", view.spec.url.origin(), message(&delivery, view.paused.as_ref()));
        for failing in delivery.failing {
            println!(
                "    position {}  {}  attempts: {}, next {}: {}",
                failing.position,
                failing.aggregate,
                failing.attempts,
                failing.next_try,
                problem(&failing.problem)
            );
        }
    }
    Ok(())
}

async fn ping(tool: &Tool, name: &Name) -> Result<()> {
    let ping = tool.commands.ping_webhook(name).await.map_err(shown)?;
    match ping.status {
        Some(status) if ping.taken => println!("accepted: {status} after {} ms", ping.milliseconds),
        _ => bail!("not accepted: {}", ping.message),
    }
    Ok(())
}
