//! The main use, end to end: a virtual server with an empty disk is deployed through a real DHCP server whose configuration the
//! agent keeps, and reports by itself that it is done.

use crate::support::lab::{DhcpServer, Firmware, INSTALLED, Installer, LOCAL_DISK_BOOTED, Lab, VmOptions};
use crate::support::service::Service;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

pub(crate) const MAC: &str = "52:54:00:00:0b:01";

/// Long enough for an emulated processor on a machine that is busy with other work.
pub(crate) const PATIENCE: Duration = Duration::from_mins(4);

/// A DHCP server's software.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Isc,
    Kea,
    Dnsmasq,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Isc => "isc",
            Self::Kea => "kea",
            Self::Dnsmasq => "dnsmasq",
        }
    }

    pub(crate) async fn start(self, lab: &Lab, configuration: &Path) -> Result<DhcpServer> {
        match self {
            Self::Isc => lab.start_dhcpd(configuration).await,
            Self::Kea => lab.start_kea(configuration).await,
            Self::Dnsmasq => lab.start_dnsmasq(configuration).await,
        }
    }
}

#[tokio::test]
async fn a_server_is_deployed_through_isc_dhcpd() -> Result<()> {
    deploy(Kind::Isc, Firmware::Bios).await
}

#[tokio::test]
async fn a_server_is_deployed_through_kea() -> Result<()> {
    deploy(Kind::Kea, Firmware::Bios).await
}

#[tokio::test]
async fn a_server_is_deployed_through_dnsmasq() -> Result<()> {
    deploy(Kind::Dnsmasq, Firmware::Bios).await
}

#[tokio::test]
async fn a_uefi_server_is_deployed_by_pxe_and_tftp_through_isc_dhcpd() -> Result<()> {
    deploy(Kind::Isc, Firmware::UefiPxe).await
}

#[tokio::test]
async fn a_uefi_server_is_deployed_by_http_boot_through_kea() -> Result<()> {
    deploy(Kind::Kea, Firmware::UefiHttp).await
}

async fn deploy(kind: Kind, firmware: Firmware) -> Result<()> {
    let lab = Lab::new().await?;
    let tftp = ["--tftp-listen".to_owned(), format!("{}:69", lab.host_address())];
    let service = Service::start_with(lab.host_address(), lab.program()?, tftp.to_vec()).await?;
    let options = VmOptions { firmware, ..VmOptions::default() };
    define_catalogue(&service, &lab, kind).await?;
    let configuration = lab.folder().join("served.conf");
    let agent = service.dhcp_agent("lab", kind.name(), &configuration).await?;
    agent.fetch_first().await?;
    let dhcp = kind.start(&lab, &configuration).await?;
    let mut keeper = agent.keep(&dhcp.check_command(), &dhcp.reload_command())?;

    let device = json!({
        "site": "lab", "rack": "r1", "macs": [MAC], "serial": "VM-1", "venture": "shop", "role": "web",
    });
    let device = service.register(&device).await?;
    let deployment = service.post("/api/v1/deployments", &json!({ "device": device })).await?;
    let path = format!("/api/v1/deployments/{}", deployment["id"].as_str().context("an id")?);
    assert_eq!((deployment["hostname"].as_str(), deployment["status"].as_str()), (Some("h200.lab.example"), Some("open")));
    service.reaches(&path, "in_progress", Duration::from_mins(1)).await?;

    let mut server = lab.boot_vm(MAC, &options)?;
    let console = server.wait_for_console(INSTALLED, PATIENCE).await?;
    for expected in ["h200.lab.example is installed for shop/web", "lang en_GB for h200.lab.example"] {
        ensure!(console.contains(expected), "the console lacks {expected:?}:\n{console}");
    }
    service.reaches(&path, "done", Duration::from_secs(30)).await?;
    server.wait_exit(PATIENCE).await?;
    let sent = service.measured("bootledger_tftp_transfers_total{outcome=\"sent\"}").await?;
    // The firmware fetched over TFTP only what it needed: the card's iPXE fetched undionly.kpxe (see the script), and UEFI's
    // PXE snponly.efi.
    ensure!(sent == u64::from(firmware != Firmware::UefiHttp), "{sent} files were sent over TFTP");

    // A server that is left on network boot afterwards is never installed again, because DHCP offers it nothing. UEFI firmware
    // takes a minute to give up, so only servers with a BIOS show it.
    if firmware == Firmware::Bios {
        let mut again = lab.boot_vm(MAC, &options)?;
        let console = again.wait_for_console(LOCAL_DISK_BOOTED, PATIENCE).await?;
        ensure!(!console.contains("is installed for"), "it was installed again:\n{console}");
        again.power_off().await?;
    }
    keeper.kill().await?;

    let events = service
        .get(&format!("/api/v1/events?aggregate=deployment/{}&limit=1000", deployment["id"].as_str().unwrap_or_default()))
        .await?;
    let types: Vec<&str> =
        events["items"].as_array().context("items")?.iter().filter_map(|event| event["type"].as_str()).collect();
    for step in ["DeploymentStarted", "PluginSucceeded", "DeploymentInProgress", "BootFileServed", "DeploymentDone"] {
        ensure!(types.contains(&step), "there is no event {step}: {types:?}");
    }
    service.run(&["verify"]).await?;
    Ok(())
}

/// The lab's forward and reverse zones.
pub(crate) fn zones(lab: &Lab) -> [String; 2] {
    let [a, b, c, _] = lab.host_address().octets();
    ["lab.example".to_owned(), format!("{c}.{b}.{a}.in-addr.arpa")]
}

/// The spec of the lab's site.
pub(crate) fn site(lab: &Lab) -> Value {
    json!({
        "next_server": lab.host_address(), "domain": "lab.example", "zones": zones(lab),
        "hostname_template": "h<200,299>.lab.example|h<400,499>.lab.example",
    })
}

/// The lab's site, its network, DHCP server, and an installer for the role web of the venture shop.
pub(crate) async fn define_catalogue(service: &Service, lab: &Lab, kind: Kind) -> Result<()> {
    service.put("/api/v1/sites/lab", &site(lab)).await?;
    service.put("/api/v1/racks/r1", &json!({ "site": "lab" })).await?;
    let network = json!({ "cidr": lab.network(), "site": "lab", "racks": ["r1"], "gateway": lab.host_address() });
    service.put("/api/v1/networks/lab-net", &network).await?;
    service.put("/api/v1/dhcp-servers/dhcp-1", &json!({ "site": "lab", "kind": kind.name() })).await?;
    service.put("/api/v1/boot-images/installer", &json!({ "description": "the lab's installer" })).await?;
    let installer = lab.installer()?;
    let files = "/api/v1/boot-images/installer/files";
    service.put_bytes(&format!("{files}/vmlinuz?kind=kernel"), tokio::fs::read(installer.kernel).await?).await?;
    service.put_bytes(&format!("{files}/initrd?kind=initrd"), tokio::fs::read(installer.initrd).await?).await?;
    // The iPXE in a virtual card's ROM plays a ROM without iPXE, and fetches the loader that such a ROM would be given.
    let script = format!(
        "#!ipxe\niseq ${{net0/chip}} virtio-net && chain tftp://${{next-server}}/undionly.kpxe ||\n\
         echo {{{{ hostname }}}} is installed for {{{{ venture }}}}/{{{{ role }}}}\n\
         kernel {{{{ kernel_url }}}} {} initrd=initrd kickstart_url={{{{ kickstart_url }}}} done_url={{{{ done_url }}}}\n\
         initrd {{{{ initrd_url }}}}\nboot\n",
        Installer::ARGUMENTS
    );
    service.put_bytes(&format!("{files}/boot.ipxe?kind=boot_ipxe&template=true"), script).await?;
    service.put_bytes(&format!("{files}/ks.cfg?kind=kickstart&template=true"), "lang en_GB for {{ hostname }}\n").await?;
    service.put("/api/v1/ventures/shop", &json!({ "default_boot_image": "installer" })).await?;
    service.put("/api/v1/ventures/shop/roles/web", &json!({})).await?;
    Ok(())
}
