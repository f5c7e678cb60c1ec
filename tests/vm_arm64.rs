//! A server with 64-bit ARM processors is deployed over the network. Its UEFI firmware gets an iPXE from the operator's folder,
//! because Debian 12's package has none; that iPXE gets its script, and the script reports DONE.

use crate::support::lab::{Firmware, Lab, VmOptions};
use crate::support::service::Service;
use crate::vm_deploys::{Kind, PATIENCE, site};
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::Duration;

const MAC: &str = "52:54:00:00:0b:64";

#[tokio::test]
async fn an_arm64_server_boots_over_the_network_to_its_script_and_is_done() -> Result<()> {
    let lab = Lab::new().await?;
    let loaders = crate::support::target().join("lab/ipxe");
    let missing = std::fs::read_to_string(loaders.join("missing"));
    let why = missing.as_deref().map_or("has `scripts/setup test` run?", str::trim);
    ensure!(loaders.join("ipxe-arm64.efi").exists(), "no {}/ipxe-arm64.efi; {why}", loaders.display());
    let options = ["--tftp-listen", &format!("{}:69", lab.host_address()), "--loaders", &loaders.display().to_string()];
    let service = Service::start_with(lab.host_address(), lab.program()?, options.map(str::to_owned).to_vec()).await?;
    let missing = service.get("/readyz").await?["boot_loaders_missing"].to_string();
    ensure!(
        !missing.contains("64-bit ARM") && missing.contains("32-bit ARM (architectures 10, 18; ipxe-arm32.efi)"),
        "{missing}"
    );

    service.put("/api/v1/sites/lab", &site(&lab)).await?;
    service.put("/api/v1/racks/r1", &json!({ "site": "lab" })).await?;
    let network = json!({ "cidr": lab.network(), "site": "lab", "racks": ["r1"], "gateway": lab.host_address() });
    service.put("/api/v1/networks/lab-net", &network).await?;
    service.put("/api/v1/dhcp-servers/dhcp-1", &json!({ "site": "lab", "kind": Kind::Isc.name() })).await?;
    service.put("/api/v1/boot-images/arm", &json!({})).await?;
    let script = "#!ipxe\necho An ${buildarch} iPXE has the script of {{ hostname }}\nimgfetch {{ done_url }}\necho It is done\n\
                  sleep 3600\n";
    service.put_bytes("/api/v1/boot-images/arm/files/boot.ipxe?kind=boot_ipxe&template=true", script).await?;
    service.put("/api/v1/ventures/shop", &json!({ "default_boot_image": "arm" })).await?;
    service.put("/api/v1/ventures/shop/roles/web", &json!({})).await?;

    let configuration = lab.folder().join("served.conf");
    let agent = service.dhcp_agent("lab", Kind::Isc.name(), &configuration).await?;
    agent.fetch_first().await?;
    let dhcp = Kind::Isc.start(&lab, &configuration).await?;
    let mut keeper = agent.keep(&dhcp.check_command(), &dhcp.reload_command())?;
    let device = json!({ "site": "lab", "rack": "r1", "macs": [MAC], "serial": "ARM-1", "venture": "shop", "role": "web" });
    let device = service.register(&device).await?;
    let path = service.start_deployment(&json!({ "device": device })).await?;
    service.reaches(&path, "in_progress", Duration::from_mins(1)).await?;

    let mut server = lab.boot_vm(MAC, &VmOptions { firmware: Firmware::Arm64, memory_megabytes: 256, ..VmOptions::default() })?;
    let console = server.wait_for_console("It is done", PATIENCE).await?;
    ensure!(console.contains("An arm64 iPXE has the script of h200.lab.example"), "{console}");
    service.reaches(&path, "done", Duration::from_secs(30)).await?;
    server.power_off().await?;
    keeper.kill().await?;
    let sent = service.measured("bootledger_tftp_transfers_total{outcome=\"sent\"}").await?;
    ensure!(sent == 1, "{sent} files were sent over TFTP");
    Ok(())
}
