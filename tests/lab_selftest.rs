//! Proves the lab itself, with a stand-in for the service: a story that fails while these pass has found a mistake of ours.

mod support {
    pub(crate) mod lab;
    pub(crate) mod stand_in;
}

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use support::lab::{DhcpServer, INSTALLED, Installer, LOCAL_DISK_BOOTED, Lab, VmOptions};
use support::stand_in::StandIn;

const DEPLOYING: &str = "52:54:00:00:00:01";
const IDLE: &str = "52:54:00:00:00:02";

/// Long enough for an emulated processor on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(3);

const DHCPD: &str = include_str!("support/dhcp/dhcpd.conf");
const KEA: &str = include_str!("support/dhcp/kea-dhcp4.json");

/// Writes an example configuration for this lab's network and the service's address in it.
fn configure(lab: &Lab, service: &StandIn, example: &str) -> Result<PathBuf> {
    let network = lab.network();
    let prefix = network.trim_end_matches("0/24");
    let text = example
        .replace("10.213.1.1:8080", &service.address())
        .replace("10.213.1.", prefix);
    let path = lab.folder().join("dhcp-configuration");
    fs::write(&path, text)?;
    Ok(path)
}

async fn service_with_installer(lab: &Lab) -> Result<StandIn> {
    let installer = lab.installer()?;
    let service = StandIn::start(lab.host_address()).await?;
    let url = format!("http://{}", service.address());
    service.answer("/kernel", fs::read(installer.kernel)?);
    service.answer("/initrd", fs::read(installer.initrd)?);
    service.answer("/kickstart", "lang en_GB\nreboot");
    service.answer("/done", "OK");
    let arguments = Installer::ARGUMENTS;
    let script = format!(
        "#!ipxe\necho the script for ${{net0/ip}}\nkernel {url}/kernel {arguments} initrd=initrd \
         kickstart_url={url}/kickstart done_url={url}/done after_install=reboot\ninitrd {url}/initrd\nboot\n"
    );
    service.answer("/pxe/", script);
    Ok(service)
}

/// Follows a server from its first boot to its installed disk, with whatever DHCP server told it where to go.
async fn boot_install_and_boot_the_disk(lab: &Lab, service: &StandIn) -> Result<()> {
    let mut server = lab.boot_vm(
        DEPLOYING,
        &VmOptions {
            reboots: true,
            ..VmOptions::default()
        },
    )?;
    let console = server.wait_for_console(INSTALLED, PATIENCE).await?;
    let address = lab.server_address(0);
    for expected in [
        format!("http://{}/pxe/", service.address()),
        format!("the script for {address}"),
        format!("installer: address {address}/24"),
        "lang en_GB".to_owned(),
        "installer: the answer is OK".to_owned(),
    ] {
        ensure!(
            console.contains(&expected),
            "the console lacks {expected:?}:\n{console}"
        );
    }
    ensure!(
        !console.contains(LOCAL_DISK_BOOTED),
        "the disk was booted before the installation"
    );
    ensure!(
        service.asked() == ["/pxe/", "/kernel", "/initrd", "/kickstart", "/done"],
        "asked: {:?}",
        service.asked()
    );

    service.answer(
        "/pxe/",
        "#!ipxe\necho nothing to install\nsanboot --no-describe --drive 0x80\n",
    );
    let console = server.wait_for_console(LOCAL_DISK_BOOTED, PATIENCE).await?;
    ensure!(
        console.contains("nothing to install"),
        "it booted its disk without being told to:\n{console}"
    );
    server.power_off().await
}

/// A server that DHCP gives an address and no file.
async fn boot_without_a_file(lab: &Lab, service: &StandIn) -> Result<()> {
    let mut server = lab.boot_vm(IDLE, &VmOptions::default())?;
    let console = server.wait_for_console(LOCAL_DISK_BOOTED, PATIENCE).await?;
    let address = lab.server_address(1).to_string();
    ensure!(console.contains(&address), "it had no address:\n{console}");
    ensure!(service.asked().is_empty(), "asked: {:?}", service.asked());
    server.power_off().await
}

#[tokio::test]
async fn a_server_installs_through_isc_dhcpd_and_then_boots_its_disk() -> Result<()> {
    let lab = Lab::new().await?;
    let service = service_with_installer(&lab).await?;
    let _dhcp = lab.start_dhcpd(&configure(&lab, &service, DHCPD)?).await?;
    boot_install_and_boot_the_disk(&lab, &service).await
}

#[tokio::test]
async fn a_server_installs_through_kea_and_then_boots_its_disk() -> Result<()> {
    let lab = Lab::new().await?;
    let service = service_with_installer(&lab).await?;
    let _dhcp = lab.start_kea(&configure(&lab, &service, KEA)?).await?;
    boot_install_and_boot_the_disk(&lab, &service).await
}

#[tokio::test]
async fn a_server_without_a_boot_file_from_isc_dhcpd_boots_its_disk() -> Result<()> {
    let lab = Lab::new().await?;
    let service = StandIn::start(lab.host_address()).await?;
    let _dhcp = lab.start_dhcpd(&configure(&lab, &service, DHCPD)?).await?;
    boot_without_a_file(&lab, &service).await
}

#[tokio::test]
async fn a_server_without_a_boot_file_from_kea_boots_its_disk() -> Result<()> {
    let lab = Lab::new().await?;
    let service = StandIn::start(lab.host_address()).await?;
    let _dhcp = lab.start_kea(&configure(&lab, &service, KEA)?).await?;
    boot_without_a_file(&lab, &service).await
}

/// A changed file is served after a reload; a broken one is refused with the server's words, and changes nothing.
async fn change_and_break(lab: &Lab, dhcp: &DhcpServer, configuration: &Path) -> Result<()> {
    dhcp.check(configuration).await?;
    let (before, after) = (
        lab.server_address(1).to_string(),
        lab.server_address(2).to_string(),
    );
    let changed = fs::read_to_string(configuration)?.replace(&before, &after);
    fs::write(configuration, &changed)?;
    dhcp.reload().await?;

    fs::write(configuration, changed.replace("52:54:00", "52:54:no"))?;
    for refused in [dhcp.check(configuration).await, dhcp.reload().await] {
        let error = refused.expect_err("a hardware address that is none");
        ensure!(
            error.to_string().contains("dhcp-configuration"),
            "not the server's own words: {error:#}"
        );
    }

    let mut server = lab.boot_vm(IDLE, &VmOptions::default())?;
    let console = server.wait_for_console(LOCAL_DISK_BOOTED, PATIENCE).await?;
    ensure!(
        console.contains(&after),
        "it was not given {after}:\n{console}"
    );
    Ok(())
}

#[tokio::test]
async fn isc_dhcpd_takes_a_changed_configuration_and_refuses_a_broken_one() -> Result<()> {
    let lab = Lab::new().await?;
    let service = StandIn::start(lab.host_address()).await?;
    let configuration = configure(&lab, &service, DHCPD)?;
    let dhcp = lab.start_dhcpd(&configuration).await?;
    change_and_break(&lab, &dhcp, &configuration).await
}

#[tokio::test]
async fn kea_takes_a_changed_configuration_and_refuses_a_broken_one() -> Result<()> {
    let lab = Lab::new().await?;
    let service = StandIn::start(lab.host_address()).await?;
    let configuration = configure(&lab, &service, KEA)?;
    let dhcp = lab.start_kea(&configuration).await?;
    change_and_break(&lab, &dhcp, &configuration).await
}

#[tokio::test]
async fn labs_that_exist_together_have_networks_of_their_own() -> Result<()> {
    let (one, other) = (Lab::new().await?, Lab::new().await?);
    ensure!(one.network() != other.network());
    let namespace = one.namespace();
    drop(one);
    let namespaces = std::process::Command::new("ip")
        .args(["netns", "list"])
        .output()?;
    let namespaces = String::from_utf8(namespaces.stdout)?;
    ensure!(
        !namespaces
            .lines()
            .any(|line| line.split(' ').next() == Some(&namespace)),
        "{namespaces}"
    );
    ensure!(namespaces.contains(&other.namespace()));
    Ok(())
}
