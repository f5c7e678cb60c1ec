//! Who is told to boot what: by real DHCP servers to clients of every kind, and by `/pxe/` to a server that has no deployment.

use crate::support::lab::{DhcpServer, Firmware, LOCAL_DISK_BOOTED, Lab, VmOptions};
use crate::support::service::Service;
use anyhow::{Context, Result, ensure};
use bootledger_projections::dhcp_entries::SiteEntry;
use bootledger_web::dhcp::configuration::{Configuration, Format};
use serde_json::json;
use std::time::Duration;

const MAC: &str = "52:54:00:00:0c:01";
const OTHER_MAC: &str = "52:54:00:00:0c:02";
const STRANGER: &str = "52:54:00:00:0c:99";

/// Long enough for an emulated processor on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(4);

/// The configuration of a network in which one server has a live deployment and one has none, served by a real server.
async fn serve(lab: &Lab, format: Format, base_url: &str) -> Result<DhcpServer> {
    let site = json!({
        "next_server": lab.host_address(), "boot_url": null, "domain": "lab.example", "zones": [], "hostname_template": null,
        "dhcp_header": [{ "name": "ntp-servers", "value": { "addresses": ["192.0.2.8"] } }],
    });
    let network = json!({ "cidr": lab.network(), "site": "lab", "gateway": null, "vlan": null, "domain": null,
        "dhcp_options": [{ "name": "ntp-servers", "value": { "addresses": ["192.0.2.9"] } }] });
    let entry = |n: u8, mac: &str, live: bool| -> Result<SiteEntry> {
        Ok(SiteEntry { ip: lab.server_address(n), mac: mac.parse()?, hostname: None, network: "lab-net".parse()?, live })
    };
    let configuration = Configuration::new(
        "lab".parse()?,
        &serde_json::from_value(site)?,
        &base_url.parse()?,
        [("lab-net".parse()?, serde_json::from_value(network)?)],
        [entry(0, MAC, true)?, entry(1, OTHER_MAC, false)?],
    );
    let file = lab.folder().join("served.conf");
    tokio::fs::write(&file, format.render(&configuration)?).await?;
    match format {
        Format::Isc => lab.start_dhcpd(&file).await,
        Format::Kea => lab.start_kea(&file).await,
        Format::Dnsmasq => lab.start_dnsmasq(&file).await,
    }
}

#[tokio::test]
async fn isc_dhcpd_tells_every_kind_of_client_what_it_can_boot() -> Result<()> {
    clients_are_told(Format::Isc).await
}

#[tokio::test]
async fn kea_tells_every_kind_of_client_what_it_can_boot() -> Result<()> {
    clients_are_told(Format::Kea).await
}

#[tokio::test]
async fn dnsmasq_tells_every_kind_of_client_what_it_can_boot() -> Result<()> {
    clients_are_told(Format::Dnsmasq).await
}

async fn clients_are_told(format: Format) -> Result<()> {
    let lab = Lab::new().await?;
    let dhcp = serve(&lab, format, "http://boot.example:8080").await?;
    let script = "http://boot.example:8080/pxe/";
    let ipxe = "-x 0x4d:69505845";
    // What a client says (option 93, its architecture, RFC 4578; option 77, its user class), and its boot file.
    let clients = [
        ("-x 0x5d:0000".to_owned(), "undionly.kpxe"),
        ("-x 0x5d:0007".to_owned(), "snponly.efi"),
        ("-x 0x5d:0009".to_owned(), "snponly.efi"),
        ("-x 0x5d:00070009".to_owned(), "snponly.efi"),
        ("-V HTTPClient:Arch:00016 -x 0x5d:0010".to_owned(), "http://boot.example:8080/boot/loaders/snponly.efi"),
        (format!("{ipxe} -x 0x5d:0000"), script),
        (format!("{ipxe} -x 0x5d:0007"), script),
        ("-V udhcp".to_owned(), script),
        ("-x 0x5d:000b".to_owned(), script),
    ];
    for (client, file) in clients {
        let told = lab.ask_dhcp(MAC, &format!("{client} -O ntpsrv")).await.with_context(|| dhcp.log())?;
        let has = |line: String| told.contains(&line);
        ensure!(has(format!("boot_file={file}")), "{format}: {client} is told {told:?}");
        ensure!(has(format!("siaddr={}", lab.host_address())), "{format}: {client} is told {told:?}");
        ensure!(has("ntpsrv=192.0.2.8".to_owned()), "the site's header goes before the network's options: {told:?}");
        ensure!(has("vendor=HTTPClient".to_owned()) == client.contains("HTTPClient"), "{format}: {client} is told {told:?}");
    }
    // Whoever has no live deployment is told an address and nothing to boot.
    for client in ["-x 0x5d:0000", "-x 0x5d:0007", "-V HTTPClient -x 0x5d:0010", ipxe, ""] {
        let told = lab.ask_dhcp(OTHER_MAC, &format!("{client} -O ntpsrv")).await.with_context(|| dhcp.log())?;
        ensure!(told.contains(&format!("ip={}", lab.server_address(1))), "{format}: {client:?} is told {told:?}");
        let boots = |line: &String| ["boot_file=", "siaddr=", "router="].iter().any(|start| line.starts_with(start));
        ensure!(!told.iter().any(boots), "{format}: {client:?} is told {told:?}");
        ensure!(told.contains(&"ntpsrv=192.0.2.9".to_owned()), "{format}: {client:?} is told {told:?}");
    }
    // A stranger is told nothing at all.
    let stranger = lab.ask_dhcp(STRANGER, "-t 2").await;
    ensure!(stranger.is_err(), "{format}: a stranger is told {stranger:?}");
    Ok(())
}

#[tokio::test]
async fn a_bios_server_without_a_deployment_boots_its_disk() -> Result<()> {
    boots_its_disk(Firmware::Bios).await
}

#[tokio::test]
async fn a_uefi_server_without_a_deployment_boots_its_disk() -> Result<()> {
    boots_its_disk(Firmware::UefiPxe).await
}

/// DHCP still names the boot file, as another DHCP server might, or ours for a moment; `/pxe/` knows of no deployment.
async fn boots_its_disk(firmware: Firmware) -> Result<()> {
    let lab = Lab::new().await?;
    let tftp = ["--tftp-listen".to_owned(), format!("{}:69", lab.host_address())];
    let service = Service::start_with(lab.host_address(), lab.program()?, tftp.to_vec()).await?;
    let _dhcp = serve(&lab, Format::Isc, &service.url("")).await?;
    let mut server = lab.boot_vm(MAC, &VmOptions { firmware, ..VmOptions::default() })?;
    let console = server.wait_for_console(LOCAL_DISK_BOOTED, PATIENCE).await?;
    ensure!(console.contains("/pxe/... ok"), "it has not asked for its script:\n{console}");
    server.power_off().await
}
