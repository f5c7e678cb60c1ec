//! Several networks in one VLAN: a client of any of them gets its own address and its own network's options, on the DHCP
//! server's interface and through a relay, whichever of the networks the server or the relay has its address in.

use crate::support::lab::{DhcpServer, Lab, Message, MessageKind, Options, Relay};
use anyhow::{Context, Result, ensure};
use bootledger_projections::rows::dhcp_entries::SiteEntry;
use bootledger_web::machines::dhcp::configuration::Configuration;
use bootledger_web::machines::dhcp::format::Format;
use serde_json::json;
use std::net::Ipv4Addr;

const BASE_URL: &str = "http://boot.example:8080";
const NEXT_SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);

/// The VLAN that the DHCP server is on, and one that it reaches through a relay.
const NEAR: u16 = 120;
const FAR: u16 = 130;

/// A network of the test, and the client that has an address in it.
struct Case {
    name: &'static str,
    network: Ipv4Addr,
    vlan: Option<u16>,
    live: bool,
}

impl Case {
    fn host(&self, last: u8) -> Ipv4Addr {
        let [a, b, c, _] = self.network.octets();
        Ipv4Addr::new(a, b, c, last)
    }

    fn mac(&self) -> [u8; 6] {
        let [_, b, _, _] = self.network.octets();
        [0x52, 0x54, 0, 0, 0x0e, b]
    }
}

/// Networks inside and outside both VLANs. Their order by address differs from the order of their VLANs.
fn cases(lab: &Lab) -> Vec<Case> {
    let [a, _, c, _] = lab.host_address().octets();
    let case = |name, second, vlan, live| Case { name, network: Ipv4Addr::new(a, second, c, 0), vlan, live };
    vec![
        // 10.213.N.0/24 belongs to the lab.
        case("near", 213, Some(NEAR), false),
        case("far", 214, Some(FAR), true),
        case("near-2", 215, Some(NEAR), true),
        case("far-2", 216, Some(FAR), true),
        case("near-3", 217, Some(NEAR), false),
        case("alone", 218, None, true),
        case("alone-too", 219, None, true),
        case("far-3", 220, Some(FAR), false),
    ]
}

fn configuration(cases: &[Case]) -> Result<Configuration> {
    let site = json!({
        "next_server": NEXT_SERVER, "boot_url": null, "domain": "lab.example", "zones": [], "hostname_template": null, "dhcp_header": [],
    });
    let networks = cases.iter().map(|case| {
        let network = json!({
            "cidr": format!("{}/24", case.network), "site": "lab", "gateway": case.host(254), "vlan": case.vlan,
            "dns_servers": [case.host(53)], "domain": format!("{}.example", case.name),
            "dhcp_options": [{ "name": "ntp-servers", "value": { "addresses": [case.host(123)] } }],
        });
        Ok((case.name.parse()?, serde_json::from_value(network)?))
    });
    let entries = cases.iter().map(|case| {
        let mac = case.mac().map(|byte| format!("{byte:02x}")).join(":").parse()?;
        let hostname = Some(format!("h.{}.example", case.name).parse()?);
        Ok(SiteEntry {
            ip: case.host(50),
            mac,
            hostname,
            network: case.name.parse()?,
            live: case.live,
            boot_chain: bootledger_aggregates::values::boot_chain::BootChain::Ipxe,
        })
    });
    let (networks, entries): (Vec<_>, Vec<_>) = (networks.collect::<Result<_>>()?, entries.collect::<Result<_>>()?);
    Ok(Configuration::new("lab".parse()?, &serde_json::from_value(site)?, &BASE_URL.parse()?, networks, entries))
}

/// The options that UEFI firmware sends, with requests for everything that a network defines.
fn firmware() -> Options {
    let class = b"PXEClient:Arch:00007:UNDI:003016".to_vec();
    [(55, vec![1, 3, 6, 12, 15, 28, 42, 66, 67]), (60, class), (93, vec![0, 7])].into()
}

/// The answer gives the client's address and all options of its network.
fn is_of(answer: &Message, case: &Case) -> Result<()> {
    ensure!(answer.kind != MessageKind::Nak && answer.address == case.host(50), "not its address: {answer:?}");
    let octets = |address: Ipv4Addr| Some(address.octets().to_vec());
    let has = |code: u8, value: Option<Vec<u8>>| answer.options.get(&code).cloned() == value;
    ensure!(has(1, octets(Ipv4Addr::new(255, 255, 255, 0))), "not its mask: {answer:?}");
    ensure!(has(3, octets(case.host(254))), "not its router: {answer:?}");
    ensure!(has(6, octets(case.host(53))), "not its resolver: {answer:?}");
    ensure!(has(42, octets(case.host(123))), "not its time server: {answer:?}");
    ensure!(answer.options.get(&28).is_none_or(|value| *value == case.host(255).octets()), "not its broadcast: {answer:?}");
    ensure!(answer.text(15).trim_end_matches('\0') == format!("{}.example", case.name), "not its domain: {answer:?}");
    let boots = (if case.live { NEXT_SERVER } else { Ipv4Addr::UNSPECIFIED }, if case.live { "snponly.efi" } else { "" });
    ensure!((answer.next_server, &*String::from_utf8_lossy(&answer.boot_file)) == boots, "not what it boots: {answer:?}");
    Ok(())
}

#[tokio::test]
async fn isc_dhcpd_serves_every_network_of_a_vlan() -> Result<()> {
    every_network_of_a_vlan_is_served(Format::Isc, false).await
}

#[tokio::test]
async fn kea_serves_every_network_of_a_vlan() -> Result<()> {
    every_network_of_a_vlan_is_served(Format::Kea, false).await
}

#[tokio::test]
async fn a_newer_kea_serves_every_network_of_a_vlan() -> Result<()> {
    every_network_of_a_vlan_is_served(Format::Kea, true).await
}

#[tokio::test]
async fn dnsmasq_serves_every_network_of_a_vlan() -> Result<()> {
    every_network_of_a_vlan_is_served(Format::Dnsmasq, false).await
}

async fn start(lab: &Lab, format: Format, newer: bool, cases: &[Case]) -> Result<Option<DhcpServer>> {
    let file = lab.folder().join("served.conf");
    tokio::fs::write(&file, format.render(&configuration(cases)?)?).await?;
    Ok(match format {
        Format::Isc => Some(lab.start_dhcpd(&file).await?),
        Format::Kea if newer => return lab.start_newer_kea(&file).await,
        Format::Kea => Some(lab.start_kea(&file).await?),
        Format::Dnsmasq => Some(lab.start_dnsmasq(&file).await?),
    })
}

async fn every_network_of_a_vlan_is_served(format: Format, newer: bool) -> Result<()> {
    let lab = Lab::new().await?;
    let cases = cases(&lab);
    let Some(dhcp) = start(&lab, format, newer, &cases).await? else { return Ok(()) };
    let mut wire = lab.client_port("52:54:00:00:0e:00").await?;
    let options = firmware();
    let mut wrong = vec![];

    // On the server's interface, which has an address in the first network of its VLAN.
    for case in cases.iter().filter(|case| case.vlan == Some(NEAR)) {
        for answer in
            wire.lease(case.mac(), &options).await.with_context(|| format!("{format}: {}\n{}", case.name, dhcp.log()))?
        {
            if let Err(error) = is_of(&answer, case) {
                wrong.push(format!("{}, {:?}: {error:#}", case.name, answer.kind));
            }
        }
    }
    // Through relays with addresses in each of the networks, as a router or another machine would have.
    let far: Vec<&Case> = cases.iter().filter(|case| case.vlan == Some(FAR)).collect();
    for relay in &far {
        for last in [254, 3] {
            let address = relay.host(last);
            lab.route_through_client(&format!("{}/24", relay.network), address).await?;
            wire.relay(Some(Relay { address, server: lab.dhcp_address() }));
            for case in &far {
                let what = || format!("{format}: {} through {address}\n{}", case.name, dhcp.log());
                for answer in wire.lease(case.mac(), &options).await.with_context(what)? {
                    if let Err(error) = is_of(&answer, case) {
                        wrong.push(format!("{} through {address}, {:?}: {error:#}", case.name, answer.kind));
                    }
                }
            }
        }
    }
    // Two networks without a VLAN are unrelated.
    let [.., alone, too, _] = &cases[..] else { anyhow::bail!("the cases are others") };
    lab.route_through_client(&format!("{}/24", alone.network), alone.host(254)).await?;
    wire.relay(Some(Relay { address: alone.host(254), server: lab.dhcp_address() }));
    let others = wire.send(MessageKind::Discover, too.mac(), &options).await?;
    for answer in wire.lease(alone.mac(), &options).await.with_context(|| dhcp.log())? {
        is_of(&answer, alone).with_context(|| format!("{format}: alone"))?;
        ensure!(answer.transaction != others, "{format}: {answer:?}");
    }
    ensure!(wrong.is_empty(), "{format}, {} answers:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn a_server_with_its_address_in_the_second_network_of_a_vlan_serves_the_first() -> Result<()> {
    for format in [Format::Isc, Format::Kea, Format::Dnsmasq] {
        let lab = Lab::new().await?;
        let cases = cases(&lab);
        // Remove the address in the lab's own network, so that the interface is in `near-2` alone.
        lab.take_dhcp_address().await?;
        lab.ip(&format!("address add {}/24 dev {}", cases[2].host(9), Lab::INTERFACE)).await?;
        let dhcp = start(&lab, format, false, &cases).await?.context("a server")?;
        let mut wire = lab.client_port("52:54:00:00:0e:00").await?;
        for case in cases.iter().filter(|case| case.vlan == Some(NEAR)) {
            for answer in wire.lease(case.mac(), &firmware()).await.with_context(|| format!("{format}: {}", dhcp.log()))? {
                is_of(&answer, case).with_context(|| format!("{format}: {}", case.name))?;
            }
        }
    }
    Ok(())
}
