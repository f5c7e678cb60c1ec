//! `bootledger power`: the power of a device, from the command line.

use crate::administrator::{by, shown};
use crate::config::StoreArguments;
use crate::tool::Tool;
use anyhow::{Context, Result, bail, ensure};
use bootledger_aggregates::device::power::PowerAction;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, OrderId};
use bootledger_projections::at::At;
use bootledger_projections::devices::{self, Filter};
use bootledger_projections::pool::Pool;
use bootledger_projections::power_orders::{self, OrderStatus};
use bootledger_web::commands::{Command, Commands};
use clap::{Args, ValueEnum};

/// What is to be done, and of which device.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What is to be done; off and cycle are at once, without asking the operating system.
    #[arg(value_enum)]
    action: Action,
    /// The device: its id, the MAC address of an interface, or its serial number.
    device: String,
    /// Has the next boot, and only that, be one from the network.
    #[arg(long)]
    network_boot: bool,
    /// The deployment in progress whose installation may be interrupted.
    #[arg(long, value_name = "DEPLOYMENT")]
    interrupts: Option<DeploymentId>,
    #[command(flatten)]
    store: StoreArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Asks whether it is on.
    Status,
    /// Switches it on.
    On,
    /// Switches it off.
    Off,
    /// Switches it off and on, or on where it is off.
    Cycle,
}

/// Does it.
pub async fn run(arguments: Arguments) -> Result<()> {
    let tool = Tool::open(&arguments.store).await?;
    let done = act(&tool, &arguments).await;
    // What was done is in the log; the views of a running service show it by themselves.
    tool.catch_up().await?;
    tool.close().await?;
    println!("{}", done?);
    Ok(())
}

async fn act(tool: &Tool, arguments: &Arguments) -> Result<String> {
    let pool = &tool.database.pool;
    let device = find(pool, &arguments.device).await?;
    let action = match arguments.action {
        Action::Status => {
            ensure!(
                !arguments.network_boot && arguments.interrupts.is_none(),
                "a question about the power changes nothing; leave the options out"
            );
            return Ok(tool.ledger.power_state(device).await.map_err(shown)?.as_str().to_owned());
        }
        Action::On => PowerAction::On,
        Action::Off => PowerAction::Off,
        Action::Cycle => PowerAction::Cycle,
    };
    let (network_boot, interrupts) = (arguments.network_boot, arguments.interrupts);
    let command = Command::OrderPower { device, action, network_boot, interrupts };
    let receipt = tool.ledger.execute(command, by("command line")).await.map_err(shown)?;
    let order: OrderId = receipt.id.parse()?;
    let order = power_orders::find(pool, device, order).await?.context("the order is not in the log")?;
    let reason = order.reason.unwrap_or_default();
    match order.status {
        OrderStatus::Confirmed => Ok(order.state.map_or("unknown", |state| state.as_str()).to_owned()),
        OrderStatus::Failed => bail!("{reason}"),
        OrderStatus::Uncertain => bail!("{reason}; it may have been done all the same"),
        OrderStatus::Ordered => bail!("the controller takes long; whether it did it is not known"),
    }
}

/// The one device that is meant.
async fn find(pool: &Pool, text: &str) -> Result<DeviceId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let filter = match text.parse() {
        Ok(mac) => Filter { mac: Some(mac), ..Filter::default() },
        Err(_) => Filter { serial: Some(text.parse()?), ..Filter::default() },
    };
    let filter = Filter { decommissioned: Some(false), ..filter };
    match &devices::list(pool, &filter, At::Now, 2).await?[..] {
        [only] => Ok(only.id),
        [] => bail!("there is no device in use with the id, interface or serial number {text:?}"),
        _ => bail!("several devices have {text:?}; name one by its id"),
    }
}
