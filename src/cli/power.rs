//! `bootledger power`: shows and changes the power state of a device.

use crate::commands::administrator::{by, shown};
use crate::config::StoreArguments;
use crate::service::tool::{self, Tool};
use anyhow::{Context, Result, bail, ensure};
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::device::power::PowerAction;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, OrderId};
use bootledger_port::{Command, Commands};
use bootledger_projections::database::pool::Pool;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::devices::{self, Filter};
use bootledger_projections::rows::power_orders::{self, OrderStatus};
use clap::{Args, ValueEnum};

/// The arguments of `bootledger power`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to do; off and cycle take effect immediately, without shutting down the operating system.
    #[arg(value_enum)]
    action: Action,
    /// The device: its ID, the MAC address of an interface, or its serial number.
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
///
/// # Errors
/// Returns an error if there is no such device, if the order is refused, or if the controller does not confirm it.
pub async fn run(arguments: Arguments) -> Result<()> {
    let state = tool::with(&arguments.store, async |tool| act(tool, &arguments).await).await?;
    println!("{state}");
    Ok(())
}

async fn act(tool: &Tool, arguments: &Arguments) -> Result<String> {
    let pool = &tool.database.pool;
    let device = find(pool, &arguments.device).await?;
    let action = match arguments.action {
        Action::Status => {
            ensure!(
                !arguments.network_boot && arguments.interrupts.is_none(),
                "`power status` only queries the power state; remove --network-boot and --interrupts"
            );
            return Ok(tool
                .commands
                .power_state(device, by(SystemActor::CommandLine))
                .await
                .map_err(shown)?
                .state
                .as_str()
                .to_owned());
        }
        Action::On => PowerAction::On,
        Action::Off => PowerAction::Off,
        Action::Cycle => PowerAction::Cycle,
    };
    let (network_boot, interrupts) = (arguments.network_boot, arguments.interrupts);
    let command = Command::OrderPower { device, action, network_boot, interrupts };
    let receipt = tool.commands.execute(command, by(SystemActor::CommandLine)).await.map_err(shown)?;
    let order: OrderId = receipt.id.parse()?;
    let order = power_orders::find(pool, device, order).await?.context("the order is not in the log")?;
    let reason = order.failure.map(|failure| failure.to_string()).unwrap_or_default();
    match order.status {
        OrderStatus::Confirmed => Ok(order.state.map_or("unknown", |state| state.as_str()).to_owned()),
        OrderStatus::Failed => bail!("{reason}"),
        OrderStatus::Uncertain => bail!("{reason}; the request may still have taken effect"),
        OrderStatus::Ordered => bail!("the controller has not answered yet; the result is unknown"),
    }
}

/// Finds the one device in use that has this id, MAC address or serial number.
pub(super) async fn find(pool: &Pool, text: &str) -> Result<DeviceId> {
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
        [] => bail!("no device in use has the ID, MAC address or serial number {text:?}"),
        _ => bail!("several devices have {text:?}; name one by its ID"),
    }
}
