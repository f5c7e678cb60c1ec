//! `bootledger power`: shows and changes the power state of a device.

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

/// The arguments of `bootledger power`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to do; off and cycle take effect immediately, without shutting down the operating system.
    #[arg(value_enum)]
    action: Action,
    /// The device: its id, the MAC address of an interface, or its serial number.
    device: String,
    /// Boots the device from the network once, at its next boot only.
    #[arg(long)]
    network_boot: bool,
    /// The deployment in progress whose installation this action may interrupt.
    #[arg(long, value_name = "DEPLOYMENT")]
    interrupts: Option<DeploymentId>,
    #[command(flatten)]
    store: StoreArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Shows whether the device is on.
    Status,
    /// Switches the device on.
    On,
    /// Switches the device off.
    Off,
    /// Switches the device off and on again, or on if it is off.
    Cycle,
}

/// Runs `bootledger power`.
pub async fn run(arguments: Arguments) -> Result<()> {
    let tool = Tool::open(&arguments.store).await?;
    let done = act(&tool, &arguments).await;
    // What was done is already in the log. A running service updates its views from the log by itself.
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
            return Ok(tool.ledger.power_state(device, by("command line")).await.map_err(shown)?.state.as_str().to_owned());
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

/// Finds the one device in use that has this id, MAC address or serial number.
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
