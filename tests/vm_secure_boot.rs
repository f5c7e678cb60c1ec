//! Secure Boot: a server with Microsoft's keys boots Debian's installer through shim and GRUB as Debian signs them, refuses an
//! iPXE, and also starts its own disk through them.

use crate::support::debian::{Debian, define_site};
use crate::support::lab::{Firmware, Lab, VmOptions};
use crate::support::service::{Service, wait_for};
use crate::vm_deploys::{Kind, site};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SIGNED_MAC: &str = "52:54:00:00:0e:01";
const UNSIGNED_MAC: &str = "52:54:00:00:0e:02";

/// Long enough for an emulated processor on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(5);

/// shim and GRUB as Debian signs them, from the packages that `scripts/setup test` has unpacked.
pub(crate) fn signed_loaders() -> Result<[(&'static str, PathBuf); 2]> {
    let packages = crate::support::target().join("lab/signed");
    let loaders = [
        ("shimx64.efi", packages.join("usr/lib/shim/shimx64.efi.signed")),
        ("grubx64.efi", packages.join("usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed")),
    ];
    for (_, path) in &loaders {
        ensure!(path.exists(), "no {}; has `scripts/setup test` run?", path.display());
    }
    Ok(loaders)
}

#[tokio::test]
async fn a_server_with_secure_boot_is_installed_by_the_signed_chain_and_refuses_the_unsigned_one() -> Result<()> {
    let lab = Lab::new().await?;
    let debian = Debian::installer()?;
    let mirror = debian.serve(lab.host_address(), lab.folder())?;
    let loaders = lab.folder().join("loaders");
    std::fs::create_dir(&loaders)?;
    std::fs::copy("/usr/lib/ipxe/snponly.efi", loaders.join("snponly.efi")).context("has `scripts/setup test` run?")?;
    for (name, path) in signed_loaders()? {
        std::fs::copy(path, loaders.join(name))?;
    }
    let tftp = ["--tftp-listen".to_owned(), format!("{}:69", lab.host_address())];
    let folder = ["--tftp-folder".to_owned(), loaders.display().to_string()];
    let service = Service::start_with(lab.host_address(), lab.program()?, [tftp, folder].concat()).await?;
    let mut site = site(&lab);
    site["settings"] = debian.settings(&mirror)?;
    site["settings"]["boot_chain"] = json!("signed");
    define_site(&service, &lab, Kind::Kea.name(), &site).await?;
    debian.define(&service, "server").await?;
    let configuration = lab.folder().join("served.conf");
    let agent = service.dhcp_agent("lab", Kind::Kea.name(), &configuration).await?;
    agent.fetch_first().await?;
    let dhcp = Kind::Kea.start(&lab, &configuration).await?;
    let mut keeper = agent.keep(&dhcp.check_command(), &dhcp.reload_command())?;
    let signed = deploy(&service, "VM-1", SIGNED_MAC, &json!({})).await?;
    let unsigned = deploy(&service, "VM-2", UNSIGNED_MAC, &json!({ "boot_chain": "ipxe" })).await?;
    let chain =
        async |id: &str| Ok::<_, anyhow::Error>(service.get(&format!("/api/v1/deployments/{id}")).await?["boot_chain"].clone());
    ensure!(chain(&signed).await? == "signed" && chain(&unsigned).await? == "ipxe", "the device goes before the site");

    // Both servers have the same firmware; only the loader differs.
    let options = VmOptions { firmware: Firmware::UefiSecure, memory_megabytes: 1024, ..VmOptions::default() };
    let mut refusing = lab.boot_vm(UNSIGNED_MAC, &options)?;
    let mut installing = lab.boot_vm(SIGNED_MAC, &options)?;
    refusing.wait_for_console("Access Denied", PATIENCE).await?;
    wait_for("the loader is recorded", PATIENCE, async || {
        served(&service, &unsigned).await.ok()?.contains("snponly.efi").then_some(())
    })
    .await
    .with_context(|| refusing.console())?;
    refusing.power_off().await?;
    let files = served(&service, &unsigned).await?;
    ensure!(files == BTreeSet::from(["snponly.efi".to_owned()]), "an unsigned iPXE has requested more: {files:?}");

    let console = installing.wait_for_console("Configuring the network with DHCP", PATIENCE).await?;
    for words in ["the Debian installer begins for shop/web", "secureboot: Secure boot enabled", "/preseed.cfg"] {
        ensure!(console.contains(words), "the console lacks {words:?}:\n{console}");
    }
    let fetched = async || served(&service, &signed).await.ok()?.contains("preseed.cfg").then_some(());
    wait_for("the installer fetches its answers", PATIENCE, fetched).await.with_context(|| installing.console())?;
    installing.power_off().await?;
    let files = served(&service, &signed).await?;
    for file in ["shimx64.efi", "grubx64.efi", "grub.cfg", "linux", "initrd.gz", "preseed.cfg"] {
        ensure!(files.contains(file), "{file} was not served: {files:?}");
    }
    ensure!(!files.contains("boot.ipxe"), "it has requested the iPXE script: {files:?}");

    // Its installer restarts the server, and the firmware boots from the network again.
    let next = json!({ "boot": "disk" });
    service.post(&format!("/api/v1/deployments/{signed}/next-boot"), &next).await?;
    install_signed_loaders(&lab.folder().join("vm-525400000e01.uefi/disk"))?;
    let mut installed = lab.boot_vm(SIGNED_MAC, &options)?;
    let console = installed.wait_for_console(DISK_BOOTED, PATIENCE).await?;
    ensure!(console.contains("Bootledger: starting "), "it has not come by the network:\n{console}");
    installed.power_off().await?;
    keeper.kill().await?;
    wait_for("the boot of the disk is recorded", Duration::from_secs(30), async || {
        served(&service, &signed).await.ok()?.contains("local-disk").then_some(())
    })
    .await
}

const DISK_BOOTED: &str = "the installed system boots";

/// Writes what an installer leaves on the EFI system partition, for a distribution that the service does not know.
fn install_signed_loaders(disk: &Path) -> Result<()> {
    let folder = disk.join("EFI/strange");
    std::fs::create_dir_all(&folder)?;
    for (name, path) in signed_loaders()? {
        std::fs::copy(path, folder.join(name))?;
    }
    // The GRUB for disks looks for its configuration in its distribution's folder.
    let disk_grub = crate::support::target().join("lab/signed/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed");
    std::fs::copy(disk_grub, folder.join("grubx64.efi"))?;
    std::fs::create_dir_all(disk.join("EFI/debian"))?;
    std::fs::write(disk.join("EFI/debian/grub.cfg"), format!("echo '{DISK_BOOTED}'\nsleep 600\n"))?;
    Ok(())
}

/// Starts the deployment of a new device and returns its id once it is in progress.
async fn deploy(service: &Service, serial: &str, mac: &str, settings: &Value) -> Result<String> {
    let device = json!({
        "site": "lab", "rack": "r1", "macs": [mac], "serial": serial, "venture": "shop", "role": "web", "settings": settings,
    });
    let device = service.register(&device).await?;
    let id = service.create("/api/v1/deployments", &json!({ "device": device })).await?;
    service.reaches(&format!("/api/v1/deployments/{id}"), "in_progress", Duration::from_mins(2)).await?;
    Ok(id)
}

/// The files that were served for a deployment, according to its events.
async fn served(service: &Service, deployment: &str) -> Result<BTreeSet<String>> {
    let events = service.get(&format!("/api/v1/events?aggregate=deployment/{deployment}&limit=1000")).await?;
    let events = events["items"].as_array().context("items")?.clone();
    let served = events.into_iter().filter(|event| event["type"] == "BootFileServed");
    Ok(served.filter_map(|event| Some(event["payload"]["file"].as_str()?.to_owned())).collect())
}
