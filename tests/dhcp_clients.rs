//! Which clients get a boot file: real DHCP servers beside clients of every kind, observed on the wire. Only a client that
//! boots from the network gets one; an installer and a running system get an address and options, even while their deployment
//! is live.

mod matrix;

use crate::support::lab::{DhcpServer, Lab, Message, MessageKind, Options, Program, Wire};
use anyhow::{Context, Result, ensure};
use bootledger_aggregates::site::BootUrl;
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_boot_loaders::Loaders;
use bootledger_projections::rows::dhcp_entries::SiteEntry;
use bootledger_web::machines::dhcp::boot_file::BootSource;
use bootledger_web::machines::dhcp::configuration::Configuration;
use bootledger_web::machines::dhcp::format::Format;
use matrix::{Boots, Sample};
use serde_json::json;
use std::net::Ipv4Addr;

/// A server with a live deployment.
pub(crate) const MAC: &str = "52:54:00:00:0c:01";
/// A server without one.
const OTHER_MAC: &str = "52:54:00:00:0c:02";
/// A server with a live deployment whose firmware has Secure Boot on.
const SIGNED_MAC: &str = "52:54:00:00:0c:03";
const STRANGER: &str = "52:54:00:00:0c:99";

const BASE_URL: &str = "http://boot.example:8080";

/// It belongs to no machine, so that no server can name it on its own.
const NEXT_SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);

/// The values of option 42 in the site's header and in the network: for servers with a live deployment, and for others.
const LIVE_TIME: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 8);
const OTHER_TIME: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);

/// Starts a real server for a network in which one host has a live deployment, one has none, and one has a live deployment and
/// the signed boot chain.
pub(crate) async fn serve(lab: &Lab, format: Format, base_url: &str, next_server: Ipv4Addr) -> Result<DhcpServer> {
    serve_from(lab, format, base_url.parse::<BootUrl>()?.into(), next_server).await
}

/// The same, for a service with these boot loaders.
async fn serve_from(lab: &Lab, format: Format, source: BootSource, next_server: Ipv4Addr) -> Result<DhcpServer> {
    let site = json!({
        "next_server": next_server, "boot_url": null, "domain": "lab.example", "zones": [], "hostname_template": null,
        "dhcp_header": [{ "name": "ntp-servers", "value": { "addresses": [LIVE_TIME] } }],
    });
    let network = json!({ "cidr": lab.network(), "site": "lab", "gateway": null, "vlan": null, "domain": null,
        "dhcp_options": [{ "name": "ntp-servers", "value": { "addresses": [OTHER_TIME] } }] });
    let entry = |n: u8, mac: &str, live: bool, boot_chain: BootChain| -> Result<SiteEntry> {
        let (mac, network) = (mac.parse()?, "lab-net".parse()?);
        Ok(SiteEntry { ip: lab.server_address(n), mac, hostname: None, network, live, boot_chain })
    };
    let configuration = Configuration::new(
        "lab".parse()?,
        &serde_json::from_value(site)?,
        source,
        [("lab-net".parse()?, serde_json::from_value(network)?)],
        [
            entry(0, MAC, true, BootChain::Ipxe)?,
            entry(1, OTHER_MAC, false, BootChain::Ipxe)?,
            entry(2, SIGNED_MAC, true, BootChain::Signed)?,
        ],
    );
    let file = lab.folder().join("served.conf");
    tokio::fs::write(&file, format.render(&configuration)?).await?;
    match format {
        Format::Isc => lab.start_dhcpd(&file).await,
        Format::Kea => lab.start_kea(&file).await,
        Format::Dnsmasq => lab.start_dnsmasq(&file).await,
    }
}

fn bytes(mac: &str) -> Result<[u8; 6]> {
    let bytes = mac.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<Vec<_>, _>>()?;
    bytes.try_into().map_err(|_| anyhow::anyhow!("{mac} is no MAC"))
}

/// Checks that an answer gives this address and, where it was requested, this NTP server, names what its client boots, and
/// contains nothing more of that kind.
fn gives(answer: &Message, address: Ipv4Addr, time: impl Into<Option<Ipv4Addr>>, boots: &Boots) -> Result<()> {
    let (next_server, boot_file, vendor_class) = match boots {
        Boots::Nothing => (Ipv4Addr::UNSPECIFIED, String::new(), ""),
        Boots::Script => (NEXT_SERVER, format!("{BASE_URL}/pxe/"), ""),
        Boots::Tftp(loader) => (NEXT_SERVER, (*loader).to_owned(), ""),
        Boots::Http(loader) => (NEXT_SERVER, format!("{BASE_URL}/boot/loaders/{loader}"), "HTTPClient"),
    };
    ensure!(answer.kind != MessageKind::Nak && answer.address == address, "not its address: {answer:?}");
    let time = time.into().map(|time| time.octets().to_vec());
    ensure!(answer.options.get(&42) == time.as_ref(), "not its options: {answer:?}");
    ensure!(answer.next_server == next_server, "next server {}, not {next_server}: {answer:?}", answer.next_server);
    // When the message has room, the boot file may be in option 67 as well.
    let named = [String::from_utf8_lossy(&answer.boot_file).into_owned(), answer.text(67)];
    ensure!(named[0] == boot_file && (named[1].is_empty() || named[1] == boot_file), "boot file {named:?}, not {boot_file:?}");
    ensure!(answer.text(60) == vendor_class, "vendor class {:?}, not {vendor_class:?}: {answer:?}", answer.text(60));
    // The TFTP server's name, PXE's own options, Cisco's and PXELINUX's.
    let others: Vec<&u8> = answer.options.keys().filter(|code| [43, 66, 97, 128, 150, 209, 210].contains(code)).collect();
    ensure!(others.is_empty() && answer.server_name.is_empty(), "options {others:?}: {answer:?}");
    Ok(())
}

#[tokio::test]
async fn isc_dhcpd_names_a_boot_file_only_to_clients_that_boot_by_it() -> Result<()> {
    every_client_gets_what_it_can_use(Format::Isc).await
}

#[tokio::test]
async fn kea_names_a_boot_file_only_to_clients_that_boot_by_it() -> Result<()> {
    every_client_gets_what_it_can_use(Format::Kea).await
}

#[tokio::test]
async fn dnsmasq_names_a_boot_file_only_to_clients_that_boot_by_it() -> Result<()> {
    every_client_gets_what_it_can_use(Format::Dnsmasq).await
}

async fn every_client_gets_what_it_can_use(format: Format) -> Result<()> {
    let lab = Lab::new().await?;
    let dhcp = serve(&lab, format, BASE_URL, NEXT_SERVER).await?;
    let mut wire = lab.client_port(MAC).await?;
    let mut wrong = vec![];
    for Sample { name, options, boots } in matrix::samples() {
        let signed = boots.signed();
        let hosts =
            [(MAC, 0, LIVE_TIME, &boots), (OTHER_MAC, 1, OTHER_TIME, &Boots::Nothing), (SIGNED_MAC, 2, LIVE_TIME, &signed)];
        for (mac, n, time, boots) in hosts {
            let answers = wire.lease(bytes(mac)?, &options).await.with_context(|| format!("{format}: {name}\n{}", dhcp.log()))?;
            for answer in answers {
                if let Err(error) = gives(&answer, lab.server_address(n), time, boots) {
                    wrong.push(format!("{name}, {mac}, {:?}: {error:#}", answer.kind));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{format}, {} answers:\n{}", wrong.len(), wrong.join("\n"));

    // Firmware that boots over HTTP gets the vendor class that it needs even if it has not requested option 60.
    let http: Options = [(60, b"HTTPClient:Arch:00016:UNDI:003001".to_vec()), (93, vec![0, 16]), (55, vec![1, 3, 42])].into();
    for answer in wire.lease(bytes(MAC)?, &http).await? {
        gives(&answer, lab.server_address(0), LIVE_TIME, &Boots::Http("snponly.efi"))?;
    }

    // A MAC address without an entry gets no answer: the server has seen its message before the next one.
    let transaction = wire.send(MessageKind::Discover, bytes(STRANGER)?, &http).await?;
    wire.send(MessageKind::Discover, bytes(MAC)?, &http).await?;
    loop {
        let message = wire.next().await?;
        if message.kind == MessageKind::Offer {
            ensure!(message.transaction != transaction, "{format}: a stranger is offered {message:?}");
            break;
        }
    }
    Ok(())
}

#[tokio::test]
async fn isc_dhcpd_names_no_boot_file_to_firmware_without_a_loader_and_logs_it() -> Result<()> {
    let log = firmware_without_a_loader_gets_no_boot_file(Format::Isc).await?;
    let line = format!("no boot loader for architecture 11, requested by {}", MAC.replace(":0", ":"));
    ensure!(log.contains(&line), "{log}");
    ensure!(!log.contains("architecture 7,") && !log.contains("architecture 16,"), "{log}");
    Ok(())
}

#[tokio::test]
async fn kea_names_no_boot_file_to_firmware_without_a_loader() -> Result<()> {
    firmware_without_a_loader_gets_no_boot_file(Format::Kea).await.map(drop)
}

#[tokio::test]
async fn dnsmasq_names_no_boot_file_to_firmware_without_a_loader() -> Result<()> {
    firmware_without_a_loader_gets_no_boot_file(Format::Dnsmasq).await.map(drop)
}

/// The service has the loaders of Debian 12 and one of the operator's with a different name. Returns the server's log.
async fn firmware_without_a_loader_gets_no_boot_file(format: Format) -> Result<String> {
    let lab = Lab::new().await?;
    let (own, package) = (lab.folder().join("own"), lab.folder().join("package"));
    for file in [own.join("riscv64/snponly.efi"), package.join("snponly.efi"), package.join("undionly.kpxe")] {
        std::fs::create_dir_all(file.parent().context("a folder")?)?;
        std::fs::write(file, "a loader")?;
    }
    let source = BootSource::with(&BASE_URL.parse()?, Loaders::of([own.as_path(), &package])?);
    let dhcp = serve_from(&lab, format, source, NEXT_SERVER).await?;
    let mut wire = lab.client_port(MAC).await?;
    for architecture in 0..=matrix::LAST_ARCHITECTURE {
        let boots = match architecture {
            27 => Boots::Tftp("riscv64/snponly.efi"),
            28 => Boots::Http("riscv64/snponly.efi"),
            _ => match matrix::firmware(architecture) {
                boots @ (Boots::Tftp("undionly.kpxe" | "snponly.efi") | Boots::Http("undionly.kpxe" | "snponly.efi")) => boots,
                _ => Boots::Nothing,
            },
        };
        let Sample { name, options, .. } = matrix::firmware_of(architecture);
        for answer in wire.lease(bytes(MAC)?, &options).await.with_context(|| format!("{format}: {name}\n{}", dhcp.log()))? {
            gives(&answer, lab.server_address(0), LIVE_TIME, &boots).with_context(|| format!("{format}: {name}"))?;
        }
    }
    Ok(dhcp.log())
}

#[tokio::test]
async fn isc_dhcpd_names_the_signed_chain_over_http_only_where_its_grub_has_http() -> Result<()> {
    only_a_signed_chain_that_goes_on_is_named_over_http(Format::Isc).await
}

#[tokio::test]
async fn kea_names_the_signed_chain_over_http_only_where_its_grub_has_http() -> Result<()> {
    only_a_signed_chain_that_goes_on_is_named_over_http(Format::Kea).await
}

#[tokio::test]
async fn dnsmasq_names_the_signed_chain_over_http_only_where_its_grub_has_http() -> Result<()> {
    only_a_signed_chain_that_goes_on_is_named_over_http(Format::Dnsmasq).await
}

/// The service has both shims. The GRUB for x86-64 supports HTTP and the one for ARM does not, as in Debian.
async fn only_a_signed_chain_that_goes_on_is_named_over_http(format: Format) -> Result<()> {
    let lab = Lab::new().await?;
    let own = lab.folder().join("own");
    std::fs::create_dir_all(&own)?;
    for (file, content) in [
        ("snponly.efi", "an iPXE"),
        ("ipxe-arm64.efi", "an iPXE"),
        ("undionly.kpxe", "an iPXE"),
        ("shimx64.efi", "shim"),
        ("grubx64.efi", "GET %s HTTP/1.1 User-Agent: GRUB"),
        ("shimaa64.efi", "shim"),
        ("grubaa64.efi", "a GRUB with TFTP"),
    ] {
        std::fs::write(own.join(file), content)?;
    }
    let source = BootSource::with(&BASE_URL.parse()?, Loaders::at(&own)?);
    let dhcp = serve_from(&lab, format, source, NEXT_SERVER).await?;
    let mut wire = lab.client_port(MAC).await?;
    for (architecture, boots) in [
        (7, Boots::Tftp("shimx64.efi")),
        (11, Boots::Tftp("shimaa64.efi")),
        (16, Boots::Http("shimx64.efi")),
        (19, Boots::Nothing),
        (20, Boots::Http("undionly.kpxe")),
    ] {
        let Sample { name, options, .. } = matrix::firmware_of(architecture);
        for answer in
            wire.lease(bytes(SIGNED_MAC)?, &options).await.with_context(|| format!("{format}: {name}\n{}", dhcp.log()))?
        {
            gives(&answer, lab.server_address(2), LIVE_TIME, &boots).with_context(|| format!("{format}: {name}"))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn isc_dhcpd_gives_every_client_of_an_interface_the_same_address_at_once() -> Result<()> {
    every_client_of_an_interface_gets_the_same_address(Format::Isc).await
}

#[tokio::test]
async fn kea_gives_every_client_of_an_interface_the_same_address_at_once() -> Result<()> {
    every_client_of_an_interface_gets_the_same_address(Format::Kea).await
}

#[tokio::test]
async fn dnsmasq_gives_every_client_of_an_interface_the_same_address_at_once() -> Result<()> {
    every_client_of_an_interface_gets_the_same_address(Format::Dnsmasq).await
}

/// Firmware, iPXE, installer and installed system use one MAC address in turn, each with a client identifier of its own, and
/// none releases its lease.
async fn every_client_of_an_interface_gets_the_same_address(format: Format) -> Result<()> {
    let lab = Lab::new().await?;
    let dhcp = serve(&lab, format, BASE_URL, NEXT_SERVER).await?;
    let mut wire = lab.client_port(MAC).await?;
    let (mac, address) = (bytes(MAC)?, lab.server_address(0));
    let [firmware, ipxe] = matrix::before_an_installer();
    let network_manager = matrix::network_manager();

    // The machine boots, installs, boots its disk, and is switched on for another installation, twice.
    for _ in 0..2 {
        for Sample { name, options, boots } in [&firmware, &ipxe] {
            for answer in wire.lease(mac, options).await.with_context(|| format!("{format}: {name}\n{}", dhcp.log()))? {
                gives(&answer, address, LIVE_TIME, boots).with_context(|| format!("{format}: {name}"))?;
            }
        }
        for program in Program::ALL {
            let knows = lab.run_client(program).await.with_context(|| format!("{format}: {}", dhcp.log()))?;
            ensure!(knows.contains(&address.to_string()), "{format}: {program:?} knows\n{knows}");
            for words in [NEXT_SERVER.to_string().as_str(), "boot.example", "undionly", "snponly", "HTTPClient"] {
                ensure!(!knows.contains(words), "{format}: {program:?} knows of {words}:\n{knows}");
            }
            is_answered_at_once(&mut wire, address).await.with_context(|| format!("{format}: {program:?}\n{}", dhcp.log()))?;
        }
        for answer in wire.lease(mac, &network_manager.options).await.with_context(|| dhcp.log())? {
            gives(&answer, address, LIVE_TIME, &Boots::Nothing).with_context(|| format!("{format}: NetworkManager"))?;
        }
        // A system that has only restarted gets its address confirmed.
        let answer = wire.confirm(mac, address, &network_manager.options).await.with_context(|| dhcp.log())?;
        gives(&answer, address, LIVE_TIME, &Boots::Nothing).with_context(|| format!("{format}: a restarted system"))?;
        // A DHCP server that has reloaded its configuration in between may have lost the lease and may refuse; then it gives
        // the same address to the client when that starts over.
        dhcp.reload().await?;
        let answer = wire.confirm(mac, address, &network_manager.options).await.with_context(|| dhcp.log())?;
        if answer.kind == MessageKind::Nak {
            for answer in wire.lease(mac, &network_manager.options).await.with_context(|| dhcp.log())? {
                gives(&answer, address, LIVE_TIME, &Boots::Nothing).with_context(|| format!("{format}: after a reload"))?;
            }
        } else {
            gives(&answer, address, LIVE_TIME, &Boots::Nothing).with_context(|| format!("{format}: after a reload"))?;
        }
    }
    Ok(())
}

/// The messages of a client until it has its address: each answer names this address and nothing to boot, and none is a
/// refusal.
async fn is_answered_at_once(wire: &mut Wire, address: Ipv4Addr) -> Result<()> {
    let (mut time, mut discovered) = (None, false);
    loop {
        let message = wire.next().await.context("its address has not been given to it")?;
        match message.kind {
            // dhcpcd requests an NTP server only when it is configured to.
            MessageKind::Discover | MessageKind::Request => {
                discovered |= message.kind == MessageKind::Discover;
                time = message.options.get(&55).is_some_and(|requested| requested.contains(&42)).then_some(LIVE_TIME);
            }
            MessageKind::Offer => gives(&message, address, time, &Boots::Nothing)?,
            MessageKind::Ack => {
                ensure!(discovered, "it has not looked for a server: {message:?}");
                return gives(&message, address, time, &Boots::Nothing);
            }
            other => anyhow::bail!("a {other:?}: {message:?}"),
        }
    }
}
