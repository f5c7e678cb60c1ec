//! The answer of `/pxe/` to a virtual server without a deployment, and what the server does then.

use crate::dhcp_clients::{MAC, serve};
use crate::support::lab::{Firmware, LOCAL_DISK_BOOTED, Lab, VmOptions};
use crate::support::service::Service;
use anyhow::{Result, ensure};
use bootledger_web::machines::dhcp::format::Format;
use std::time::Duration;

/// Long enough for an emulated processor on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(4);

#[tokio::test]
async fn a_bios_server_without_a_deployment_boots_its_disk() -> Result<()> {
    boots_its_disk(Firmware::Bios).await
}

#[tokio::test]
async fn a_uefi_server_without_a_deployment_boots_its_disk() -> Result<()> {
    boots_its_disk(Firmware::UefiPxe).await
}

/// DHCP still names the boot file, as another DHCP server might, or ours for a moment; `/pxe/` finds no deployment.
async fn boots_its_disk(firmware: Firmware) -> Result<()> {
    let lab = Lab::new().await?;
    let tftp = ["--tftp-listen".to_owned(), format!("{}:69", lab.host_address())];
    let service = Service::start_with(lab.host_address(), lab.program()?, tftp.to_vec()).await?;
    let _dhcp = serve(&lab, Format::Isc, &service.url(""), lab.host_address()).await?;
    let mut server = lab.boot_vm(MAC, &VmOptions { firmware, ..VmOptions::default() })?;
    let console = server.wait_for_console(LOCAL_DISK_BOOTED, PATIENCE).await?;
    ensure!(console.contains("/pxe/... ok"), "it has not requested its script:\n{console}");
    server.power_off().await
}
