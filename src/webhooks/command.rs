//! `bootledger webhook`: shows the state of webhooks, and pings, pauses, resumes, moves and retires them.

use crate::administrator::{by, shown};
use crate::config::StoreArguments;
use crate::tool::Tool;
use anyhow::{Result, bail};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::at::At;
use bootledger_projections::{catalogue, checkpoint, webhooks};
use bootledger_web::commands::{Command, Commands, Kind};
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
    /// Skips an event whose delivery fails, so that later events of the same aggregate are delivered.
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
pub async fn run(arguments: Arguments) -> Result<()> {
    let tool = Tool::open(&arguments.store).await?;
    let done = act(&tool, arguments.action).await;
    // What was done is already in the log. A running service updates its views from the log by itself.
    tool.catch_up().await?;
    tool.close().await?;
    done
}

async fn act(tool: &Tool, action: Action) -> Result<()> {
    let command = match action {
        Action::List => return list(tool).await,
        Action::Ping { name } => return ping(tool, &name).await,
        Action::Pause { name, reason } => Command::PauseWebhook { webhook: name, reason },
        Action::Resume { name } => Command::ResumeWebhook(name),
        Action::Skip { name, position, reason } => Command::SkipWebhookEvent { webhook: name, position, reason },
        Action::Position { name, after, reason } => Command::SetWebhookPosition { webhook: name, after, reason },
        Action::Retire { name } => Command::Retire(Kind::Webhook, name),
    };
    let receipt = tool.ledger.execute(command, by("command line")).await.map_err(shown)?;
    println!("done, at position {}", receipt.position);
    Ok(())
}

async fn list(tool: &Tool) -> Result<()> {
    let mut connection = tool.database.pool.acquire().await?;
    let position = checkpoint::position(&mut connection).await?;
    for webhook in catalogue::webhooks(&mut connection, At::Now).await? {
        let (name, view) = (webhook.key, webhook.spec);
        let delivery =
            webhooks::delivery(&mut connection, &name, &view, position, (tool.ledger.now)(), webhooks::Details::Shown).await?;
        println!("{name}  {}  {}", view.spec.url.origin(), delivery.message);
        for failing in delivery.failing {
            println!(
                "    position {}  {}  attempts: {}, next {}: {}",
                failing.position, failing.aggregate, failing.attempts, failing.next_try, failing.problem
            );
        }
    }
    Ok(())
}

async fn ping(tool: &Tool, name: &Name) -> Result<()> {
    let ping = tool.ledger.ping_webhook(name).await.map_err(shown)?;
    match ping.status {
        Some(status) if ping.taken => println!("taken: {status} after {} ms", ping.milliseconds),
        _ => bail!("not taken: {}", ping.message),
    }
    Ok(())
}
