//! `bootledger lock` and `bootledger unlock`: whether a device may be installed again. A user who may run them on the machine of the
//! database acts as an administrator.

use crate::cli::power::find;
use crate::commands::administrator::{by, shown};
use crate::config::StoreArguments;
use crate::service::tool;
use anyhow::Result;
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{Command, Commands, DeviceAction};
use clap::Args;

/// The arguments of `bootledger lock`.
#[derive(Debug, Args)]
pub struct LockArguments {
    /// The device: its ID, the MAC address of an interface, or its serial number.
    device: String,
    /// Why the device must not be installed again.
    #[arg(long)]
    reason: Text,
    #[command(flatten)]
    store: StoreArguments,
}

/// The arguments of `bootledger unlock`.
#[derive(Debug, Args)]
pub struct UnlockArguments {
    /// The device: its ID, the MAC address of an interface, or its serial number.
    device: String,
    #[command(flatten)]
    store: StoreArguments,
}

/// Runs `bootledger lock`.
///
/// # Errors
/// Returns an error if there is no such device, or if it is locked for another reason.
pub async fn lock(arguments: LockArguments) -> Result<()> {
    let LockArguments { device, reason, store } = arguments;
    let id = tool::with(&store, async |tool| {
        let device = find(&tool.database.pool, &device).await?;
        let command = Command::Device(DeviceAction::LockDevice { device, reason: reason.clone() });
        tool.commands.execute(command, by(SystemActor::CommandLine)).await.map_err(shown)?;
        Ok(device)
    });
    println!("{} is locked; a deployment that has started is not affected", id.await?);
    Ok(())
}

/// Runs `bootledger unlock`.
///
/// # Errors
/// Returns an error if there is no such device.
pub async fn unlock(arguments: UnlockArguments) -> Result<()> {
    let UnlockArguments { device, store } = arguments;
    let id = tool::with(&store, async |tool| {
        let device = find(&tool.database.pool, &device).await?;
        tool.commands
            .execute(Command::Device(DeviceAction::UnlockDevice(device)), by(SystemActor::CommandLine))
            .await
            .map_err(shown)?;
        Ok(device)
    });
    println!("{} is not locked", id.await?);
    Ok(())
}
