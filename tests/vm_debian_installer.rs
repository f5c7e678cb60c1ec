//! Debian's own installer in a virtual server, deployed with the recipe that ships with the product: it boots, reads the answer
//! file rendered for it, prompts for nothing, loads its components from a signed mirror, and partitions the disk.
//!
//! The installation ends there, because the mirror of these tests has no packages; `make prove` continues to the end.

use crate::support::debian::{Debian, define_site};
use crate::support::lab::{Firmware, Lab, VmOptions};
use crate::support::service::{Service, wait_for};
use crate::vm_deploys::{Kind, site};
use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const MAC: &str = "52:54:00:00:0d:02";
const IDLE_MAC: &str = "52:54:00:00:0d:01";

/// The GUID for the type of the partition that UEFI firmware boots from.
const EFI_SYSTEM: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

/// Without KVM and with other tests on the same cores, the installer takes minutes for what otherwise takes seconds.
const PATIENCE: Duration = Duration::from_mins(12);

#[tokio::test]
async fn debians_installer_partitions_a_bios_server_through_isc_dhcpd() -> Result<()> {
    let table = installer_partitions(Kind::Isc, Firmware::Bios, None).await?;
    ensure!(table["label"] == "dos" || table["label"] == "gpt", "{table}");
    Ok(())
}

#[tokio::test]
async fn debians_installer_partitions_a_uefi_server_that_boots_from_its_second_card_through_kea() -> Result<()> {
    let table = installer_partitions(Kind::Kea, Firmware::UefiHttp, Some(IDLE_MAC)).await?;
    let types: Vec<&str> =
        table["partitions"].as_array().context("partitions")?.iter().filter_map(|p| p["type"].as_str()).collect();
    ensure!(table["label"] == "gpt" && types.contains(&EFI_SYSTEM), "{table}");
    Ok(())
}

/// Deploys a server and returns the partition table of its disk once the installer reaches the base system.
async fn installer_partitions(kind: Kind, firmware: Firmware, idle_card: Option<&'static str>) -> Result<Value> {
    let lab = Lab::new().await?;
    let debian = Debian::installer()?;
    let mirror = debian.serve(lab.host_address(), lab.folder())?;
    let tftp = ["--tftp-listen".to_owned(), format!("{}:69", lab.host_address())];
    let service = Service::start_with(lab.host_address(), lab.program()?, tftp.to_vec()).await?;
    let mut site = site(&lab);
    site["settings"] = debian.settings(&mirror)?;
    define_site(&service, &lab, kind.name(), &site).await?;
    debian.define(&service, "server").await?;
    let configuration = lab.folder().join("served.conf");
    let agent = service.dhcp_agent("lab", kind.name(), &configuration).await?;
    agent.fetch_first().await?;
    let dhcp = kind.start(&lab, &configuration).await?;
    let mut keeper = agent.keep(&dhcp.check_command(), &dhcp.reload_command())?;

    let macs: Vec<&str> = idle_card.into_iter().chain([MAC]).collect();
    let device = json!({ "site": "lab", "rack": "r1", "macs": macs, "serial": "VM-1", "venture": "shop", "role": "web" });
    let device = service.register(&device).await?;
    let id = service.create("/api/v1/deployments", &json!({ "device": device, "mac": MAC })).await?;
    let path = format!("/api/v1/deployments/{id}");
    service.reaches(&path, "in_progress", Duration::from_mins(2)).await?;

    let options =
        VmOptions { firmware, memory_megabytes: 1024, empty_disk_gigabytes: Some(4), idle_card, ..VmOptions::default() };
    let mut server = lab.boot_vm(MAC, &options)?;
    let console = server.wait_for_console("Configuring the network with DHCP", PATIENCE).await?;
    let boot_card = format!("BOOTIF=01-{}", MAC.replace(':', "-"));
    for argument in ["/preseed.cfg", &boot_card] {
        ensure!(console.contains(argument), "the kernel's arguments lack {argument}:\n{console}");
    }
    // The first file of the base system is requested once the disk is partitioned, formatted and mounted.
    let partitioned = tokio::select! {
        partitioned = mirror.wait_for_request("/InRelease", PATIENCE) => partitioned,
        Ok(_) = server.wait_for_any(&["!! ERROR", "Prompt: '?'"], PATIENCE) => {
            Err(anyhow!("the installer met an error, or waits for an answer"))
        }
    };
    let console = server.console();
    partitioned.context(console)?;
    for stage in ["components", "partitioning"] {
        let reported = async || reported(&service, &id).await.ok()?.contains(stage).then_some(());
        wait_for(&format!("the installer reports the stage {stage}"), Duration::from_mins(1), reported).await?;
    }
    server.power_off().await?;
    keeper.kill().await?;

    let files = served(&service, &id).await?;
    for file in ["boot.ipxe", "linux", "initrd.gz", "preseed.cfg", "early.sh", "late.sh"] {
        ensure!(files.contains(file), "{file} was not served: {files:?}");
    }
    ensure!(service.get(&path).await?["status"] == "in_progress", "nothing has said that the server is installed");
    let disk = lab.installed_disk(MAC);
    let table = partition_table(&disk)?;
    ensure!(has_ext4(&disk, &table)?, "no partition has an ext4 file system: {table}");
    Ok(table)
}

/// The boot image's files that were served for a deployment, according to its events.
async fn served(service: &Service, deployment: &str) -> Result<BTreeSet<String>> {
    let events = service.get(&format!("/api/v1/events?aggregate=deployment/{deployment}&limit=1000")).await?;
    let events = events["items"].as_array().context("items")?.clone();
    let served = events.into_iter().filter(|event| event["type"] == "BootFileServed");
    Ok(served.filter_map(|event| Some(event["payload"]["file"].as_str()?.to_owned())).collect())
}

/// The stages that the installer reported, according to the deployment's events.
async fn reported(service: &Service, deployment: &str) -> Result<BTreeSet<String>> {
    let events = service.get(&format!("/api/v1/events?aggregate=deployment/{deployment}&limit=1000")).await?;
    let events = events["items"].as_array().context("items")?.clone();
    let reports = events.into_iter().filter(|event| event["type"] == "InstallerReported");
    Ok(reports.filter_map(|event| Some(event["payload"]["stage"].as_str()?.to_owned())).collect())
}

/// The partition table in a disk's file, as `sfdisk` reads it.
fn partition_table(disk: &Path) -> Result<Value> {
    let output =
        Command::new("sfdisk").arg("--json").arg(disk).output().context("sfdisk cannot be run; has `scripts/setup test` run?")?;
    ensure!(output.status.success(), "no partition table: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice::<Value>(&output.stdout)?["partitiontable"].take())
}

/// Whether a partition has an ext4 file system, whose magic number is at byte 0x438.
fn has_ext4(disk: &Path, table: &Value) -> Result<bool> {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::open(disk)?;
    for partition in table["partitions"].as_array().context("partitions")? {
        let start = partition["start"].as_u64().context("a start")? * table["sectorsize"].as_u64().unwrap_or(512);
        let mut magic = [0; 2];
        if file.read_exact_at(&mut magic, start + 0x438).is_ok() && magic == [0x53, 0xef] {
            return Ok(true);
        }
    }
    Ok(false)
}
