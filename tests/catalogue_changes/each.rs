//! Each catalogue change with an installed server and one that is being deployed: it is refused with their names, and the
//! preview has the same text.

use super::command_service::{TestService, broken, context, key, mac, network, read, site};
use anyhow::{Result, ensure};
use bootledger_port::{CatalogueAction, Command, Commands, DeviceAction, Kind};
use bootledger_projections::database::log;
use serde_json::{Value, json};

fn entry_at(ip: &str) -> Value {
    json!({"dhcp_entries": [{"ip": ip, "mac": mac(1), "hostname": null, "network": "prod"}]})
}

/// Every change that would take something from a server, with words of its refusal.
fn taking(devices: [bootledger_aggregates::values::ids::DeviceId; 2]) -> Vec<(&'static str, Command, &'static str)> {
    let to_network = |change: Value| Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(network(&change))));
    let to_site = |change: Value| Command::Catalogue(CatalogueAction::DefineSite(key("dc1"), read(site(&change))));
    let retire = |kind, name: &str| Command::Catalogue(CatalogueAction::Retire(kind, key(name)));
    let change = |change: Value| Command::Device(DeviceAction::ChangeDevice(devices[0], read(change)));
    let strange = json!({"dhcp_entries": [{"ip": "10.99.0.1", "mac": mac(1), "hostname": null, "network": "nowhere"}]});
    vec![
        ("narrowed", to_network(json!({"cidr": "10.20.0.0/26"})), "10.20.0.100, held by R640 no. 1, would be in no network"),
        ("moved", to_network(json!({"cidr": "10.21.0.0/24", "gateway": "10.21.0.1"})), "10.20.0.101, held by R640 no. 2"),
        (
            "gateway",
            to_network(json!({"gateway": "10.20.0.100"})),
            "10.20.0.100, held by R640 no. 1, would be the gateway of network prod",
        ),
        ("margin", to_network(json!({"margin_bottom": 120})), "reserved at the start of network prod"),
        ("no DHCP", to_network(json!({"dhcp": false})), "network prod would have no DHCP"),
        ("other site", to_network(json!({"site": "dc2", "racks": ["x1"]})), "would be in network prod of site dc2"),
        ("other racks", to_network(json!({"racks": ["r2"]})), "would not reach the device's rack r1"),
        ("no gateway", to_network(json!({"gateway": null})), "it uses the gateway 10.20.0.1, and would have none"),
        ("VLAN", to_network(json!({"vlan": 7})), "R640 no. 2 is being deployed at 10.20.0.101: it boots on VLAN 120"),
        (
            "domain",
            to_site(json!({"domain": "corp.example"})),
            "h1.dc1.example, the name of R640 no. 1, would not be in the domain",
        ),
        ("zones", to_site(json!({"zones": []})), "h1.dc1.example, the name of R640 no. 1, would be in no zone"),
        ("reverse zone", to_site(json!({"zones": ["dc1.example"]})), "101.0.20.10.in-addr.arpa"),
        ("next server", to_site(json!({"next_server": null})), "site dc1 would have no next server"),
        (
            "rack's site",
            Command::Catalogue(CatalogueAction::DefineRack(key("r1"), read(json!({"site": "dc2"})))),
            "R640 no. 1 of site dc1 would be in rack r1",
        ),
        ("retired site", retire(Kind::Site, "dc1"), "rack r1 refers to site dc1"),
        ("retired rack", retire(Kind::Rack, "r1"), "network prod refers to rack r1"),
        ("retired network", retire(Kind::Network, "prod"), "10.20.0.100, held by R640 no. 1, would be in no network"),
        ("retired server", retire(Kind::DhcpServer, "kea-1"), "site dc1 would have no DHCP server"),
        (
            "server's site",
            Command::Catalogue(CatalogueAction::DefineDhcpServer(key("kea-1"), read(json!({"site": "dc2", "kind": "kea"})))),
            "no DHCP server",
        ),
        ("retired venture", retire(Kind::Venture, "shop"), "R640 no. 1 belongs to venture shop"),
        (
            "retired role",
            Command::Catalogue(CatalogueAction::RetireRole { venture: key("shop"), role: key("web") }),
            "R640 no. 2 is being deployed for the role web",
        ),
        ("retired image", retire(Kind::BootImage, "debian"), "role web of venture shop refers to boot image debian"),
        (
            "device's site",
            change(json!({"site": "dc2", "rack": "x1"})),
            "be in network prod of site dc1, where the device is not",
        ),
        ("device's rack", change(json!({"rack": "r2"})), "would not reach the device's rack r2"),
        ("device's interface", change(json!({"macs": [mac(9)]})), "has a DHCP entry"),
        (
            "gateway's entry",
            Command::Device(DeviceAction::RecordFacts(devices[0], read(entry_at("10.20.0.1")))),
            "10.20.0.1 is the gateway of network prod",
        ),
        (
            "next server's entry",
            Command::Device(DeviceAction::RecordFacts(devices[0], read(entry_at("10.20.0.2")))),
            "the next server of site dc1",
        ),
        (
            "strange entry",
            Command::Device(DeviceAction::RecordFacts(devices[0], read(strange))),
            "10.99.0.1 is not in network nowhere",
        ),
    ]
}

#[tokio::test]
async fn each_change_that_removes_something_in_use_is_refused_by_name_and_previewed_alike() -> Result<()> {
    let service = TestService::data_centre().await?;
    let devices = [service.server(1).await?, service.server(2).await?];
    service.installed(devices[0], 1, "10.20.0.100").await?;
    service.deploying(devices[1], 2, "10.20.0.101").await?;
    let before = log::last_position(&service.pool).await?;
    for (what, command, words) in taking(devices) {
        let previewed = broken(service.preview(command.clone()).await);
        let refused = broken(service.commands.execute(command, context()).await);
        ensure!(refused == previewed, "{what}: {previewed:?} is not {refused:?}");
        ensure!(refused.iter().any(|rule| rule.message.contains(words)), "{what}: {refused:?}");
    }
    ensure!(log::last_position(&service.pool).await? == before, "a refusal or a preview is in the log");
    Ok(())
}

#[tokio::test]
async fn a_change_that_removes_nothing_succeeds_and_its_preview_lists_what_moves() -> Result<()> {
    let service = TestService::data_centre().await?;
    let device = service.server(1).await?;
    service.installed(device, 1, "10.20.0.100").await?;
    let to_network = |change: Value| Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(network(&change))));
    let changes = [
        (to_network(json!({"cidr": "10.20.0.0/23", "dns_servers": ["10.20.0.3"]})), 0),
        // The network's DNS servers are removed.
        (to_network(json!({"cidr": "10.20.0.0/23", "vlan": 121})), 2),
        (
            Command::Catalogue(CatalogueAction::DefineSite(
                key("dc1"),
                read(site(&json!({"zones": ["dc1.example", "10.in-addr.arpa", "20.10.in-addr.arpa"]}))),
            )),
            1,
        ),
        (Command::Catalogue(CatalogueAction::DefineDhcpServer(key("kea-2"), read(json!({"site": "dc1", "kind": "kea"})))), 0),
        (Command::Catalogue(CatalogueAction::Retire(Kind::DhcpServer, key("kea-1"))), 0),
        (Command::Catalogue(CatalogueAction::Retire(Kind::Rack, key("r2"))), 0),
        (Command::Catalogue(CatalogueAction::Retire(Kind::Site, key("dc2"))), 0),
    ];
    for (command, moved) in changes {
        let what = format!("{command:?}");
        if matches!(command, Command::Catalogue(CatalogueAction::Retire(Kind::Site, _))) {
            // Its rack has to be retired first.
            broken(service.preview(command.clone()).await);
            service.done(Command::Catalogue(CatalogueAction::Retire(Kind::Rack, key("x1")))).await?;
        }
        let before = log::last_position(&service.pool).await?;
        let preview = service.preview(command.clone()).await?;
        ensure!(log::last_position(&service.pool).await? == before, "{what}: a preview is in the log");
        ensure!(preview.moved == moved && preview.moves.len() == moved, "{what}: {preview:?}");
        service.done(command).await?;
        ensure!(log::last_position(&service.pool).await? > before, "{what}: it was not done");
    }
    let reason = key("it is broken");
    let preview = service.preview(Command::Device(DeviceAction::DecommissionDevice { device, reason })).await?;
    let released = |what: &String| what.contains("10.20.0.100 of R640 no. 1") && what.contains("reservation");
    ensure!(preview.moves.iter().any(released), "{preview:?}");
    Ok(())
}

/// Checks that the list in docs/catalogue-changes.md is complete.
#[test]
fn every_command_has_its_line_in_the_documentation() {
    let documentation = include_str!("../../docs/catalogue-changes.md");
    let missing: Vec<_> = Command::NAMES.iter().filter(|name| !documentation.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/catalogue-changes.md lacks {missing:?}");
}
