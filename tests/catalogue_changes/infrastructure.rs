//! Addresses of routers, servers and management controllers: no device can get one, and no device's address can become one.

use super::command_service::{TestService, broken, key, mac, network, read, site, start};
use anyhow::{Context, Result, ensure};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_port::{CatalogueAction, Command, CommandError, Commands, DeviceAction, NewDeployment};
use bootledger_projections::database::pool::Pool;
use bootledger_projections::questions::free;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Every way to assign an address to infrastructure, each with an address of its own from 10.20.0.1 on, and the words of the
/// refusal.
const NAMED: [(u8, &str); 12] = [
    (1, "the gateway"),
    (2, "is the next server of site dc1"),
    (3, "is a DNS server of network prod"),
    (4, "is in the DHCP option ntp-servers of network prod"),
    (5, "is in the DHCP option routers of network prod"),
    (6, "is in the DHCP option classless-static-routes of network prod"),
    (7, "is the boot server of site dc1"),
    (8, "is in the DHCP option tftp-server-name of site dc1"),
    (9, "is the name server ns1.dc1.example of site dc1"),
    (10, "is the DHCP server kea-1 of site dc1"),
    (11, "is the management address of device Controlled"),
    (12, "is in the DHCP option static-routes of network prod"),
];

fn full_network(change: &Value) -> Value {
    let addresses = |name: &str, ips: &[&str]| json!({"name": name, "value": {"addresses": ips}});
    let routes = json!({"routes": [{"destination": "10.99.0.0/16", "router": "10.20.0.6"}]});
    let mut spec = network(&json!({
        "margin_bottom": 0, "dns_servers": ["10.20.0.3"],
        "dhcp_options": [
            addresses("ntp-servers", &["10.20.0.4"]), addresses("routers", &["10.20.0.5"]),
            addresses("static-routes", &["10.20.0.77", "10.20.0.12"]), addresses("broadcast-address", &["10.20.0.255"]),
            {"name": "classless-static-routes", "value": routes},
        ],
    }));
    if let (Value::Object(spec), Value::Object(change)) = (&mut spec, change) {
        spec.extend(change.clone());
    }
    spec
}

async fn with_infrastructure() -> Result<TestService> {
    let service = TestService::data_centre().await?;
    service.done(Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(full_network(&json!({})))))).await?;
    let zone =
        json!({"name": "dc1.example", "name_servers": ["ns1.dc1.example"], "records": "ns1 A 10.20.0.9\nwww A 10.20.0.78"});
    let change = json!({
        "zones": [zone, "10.in-addr.arpa"], "boot_url": "http://10.20.0.7:8080", "hostname_template": "h<1,99>.dc1.example",
        "dhcp_header": [{"name": "tftp-server-name", "value": {"text": "10.20.0.8"}}],
    });
    service.done(Command::Catalogue(CatalogueAction::DefineSite(key("dc1"), read(site(&change))))).await?;
    let server = json!({"site": "dc1", "kind": "kea", "address": "10.20.0.10"});
    service.done(Command::Catalogue(CatalogueAction::DefineDhcpServer(key("kea-1"), read(server)))).await?;
    service.done(controlled("Controlled", &json!({"address": "10.20.0.11"}))).await?;
    Ok(service)
}

fn controlled(name: &str, management: &Value) -> Command {
    let spec = json!({"site": "dc1", "name": name, "serial": name, "management": management});
    Command::Device(DeviceAction::RegisterDevice { spec: read(spec), venture: None, role: None })
}

fn entries(device: DeviceId, fields: &[&str], ip: &str, number: usize) -> Command {
    let mut facts = json!({});
    for field in fields {
        facts[field] = match *field {
            "addresses" => json!([ip]),
            "dns_entries" => json!([{"hostname": format!("x{number}.dc1.example"), "ip": ip}]),
            _ => json!([{"ip": ip, "mac": mac(number), "hostname": null, "network": "prod"}]),
        };
    }
    Command::Device(DeviceAction::RecordFacts(device, read(facts)))
}

async fn refused(service: &TestService, command: Command, words: &str) -> Result<()> {
    let what = format!("{command:?}");
    let rules = match service.done(command).await {
        Err(CommandError::Refused(rules)) => rules,
        other => anyhow::bail!("{what} was not refused with {words:?}: {other:?}"),
    };
    ensure!(
        rules.iter().any(|rule| rule.message.contains(words) && rule.holder.is_some()),
        "{what}: {words:?} is not in {rules:?}"
    );
    Ok(())
}

#[tokio::test]
async fn no_device_gets_the_address_of_a_router_a_server_or_a_controller() -> Result<()> {
    let service = with_infrastructure().await?;
    let device = service.server(1).await?;
    for (host, words) in NAMED {
        let ip = format!("10.20.0.{host}");
        refused(&service, start(device, 1, &ip), words).await?;
        refused(&service, entries(device, &["dhcp_entries"], &ip, 1), words).await?;
        refused(&service, entries(device, &["dns_entries"], &ip, 1), words).await?;
        // Recording the address together with a DHCP entry does not get a device the gateway's or another controller's address.
        if [1, 11].contains(&host) {
            refused(&service, entries(device, &["addresses", "dhcp_entries"], &ip, 1), words).await?;
        }
    }
    for ip in ["10.20.0.0", "10.20.0.255"] {
        refused_entry(&service, entries(device, &["dhcp_entries"], ip, 1)).await?;
    }
    // Destinations of routes and plain A records are not addresses of infrastructure.
    let connection = &mut Pool::from(service.pool.clone()).acquire().await?;
    let spec = catalogue::network(&mut *connection, &key("prod"), At::Now).await?.context("the network")?.spec;
    let next = free::addresses(connection, &spec, &BTreeSet::new(), At::Now, 100).await?;
    ensure!(next[0] == Ipv4Addr::new(10, 20, 0, 13) && next.contains(&Ipv4Addr::new(10, 20, 0, 77)), "{next:?}");
    let past = At::Position(bootledger_projections::database::log::last_position(&service.pool).await?);
    ensure!(free::addresses(connection, &spec, &BTreeSet::new(), past, 100).await? == next, "another answer for the past");
    let wanted = read(json!({"device": device}));
    let proposed = service.commands.check_deployment(&wanted).await?;
    ensure!(proposed.assignment.ip == Ipv4Addr::new(10, 20, 0, 13), "{proposed:?}");
    let mut suggested: NewDeployment = read(json!({"device": device}));
    suggested.suggested.ip = Some(Ipv4Addr::new(10, 20, 0, 2));
    let proposed = service.commands.check_deployment(&suggested).await?;
    ensure!(proposed.assignment.ip == Ipv4Addr::new(10, 20, 0, 13), "{proposed:?}");
    Ok(())
}

async fn refused_entry(service: &TestService, command: Command) -> Result<()> {
    let rules = broken(service.done(command).await);
    ensure!(rules.iter().any(|rule| rule.field == "dhcp_entries" && rule.message.contains("of network prod")), "{rules:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_has_the_address_of_a_service_keeps_it_and_is_deployed_with_it() -> Result<()> {
    let service = with_infrastructure().await?;
    let (dns, other) = (service.server(1).await?, service.server(2).await?);
    // An inventory may report the address.
    service.done(entries(dns, &["addresses"], "10.20.0.3", 1)).await?;
    service.done(entries(dns, &["dhcp_entries", "dns_entries"], "10.20.0.3", 1)).await?;
    refused(&service, start(other, 2, "10.20.0.3"), "is held by").await?;
    service.deploying(dns, 1, "10.20.0.3").await?;
    // One request with all facts is judged like two.
    let ntp = service.server(3).await?;
    service.done(entries(ntp, &["addresses", "dhcp_entries", "dns_entries"], "10.20.0.4", 3)).await?;
    // An inventory may also report the gateway's address; deployments still cannot use it.
    service.done(entries(other, &["addresses"], "10.20.0.1", 2)).await?;
    refused(&service, start(other, 2, "10.20.0.1"), "the gateway of network prod").await?;
    refused(&service, entries(other, &["dns_entries"], "10.20.0.1", 2), "the gateway of network prod").await
}

#[tokio::test]
async fn no_address_of_a_server_that_is_being_installed_and_of_no_controller_is_named() -> Result<()> {
    let service = with_infrastructure().await?;
    let (live, done) = (service.server(1).await?, service.server(2).await?);
    service.deploying(live, 1, "10.20.0.50").await?;
    service.installed(done, 2, "10.20.0.51").await?;
    let naming = |ip: &str| {
        let to_network =
            |change: Value| Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(full_network(&change))));
        let to_site = |change: Value| Command::Catalogue(CatalogueAction::DefineSite(key("dc2"), read(json_site(&change))));
        let option = json!([{"name": "ntp-servers", "value": {"addresses": [ip]}}]);
        let zone = json!({"name": "dc2.example", "name_servers": ["ns.dc2.example"], "records": format!("ns A {ip}")});
        vec![
            to_network(json!({"dns_servers": ["10.20.0.3", ip]})),
            to_site(json!({"dhcp_header": option})),
            to_site(json!({"next_server": ip})),
            to_site(json!({"boot_url": format!("https://{ip}/boot")})),
            to_site(json!({"zones": [zone]})),
            Command::Catalogue(CatalogueAction::DefineDhcpServer(
                key("kea-9"),
                read(json!({"site": "dc1", "kind": "kea", "address": ip})),
            )),
            Command::Catalogue(CatalogueAction::DefineNetwork(
                key("far"),
                read(json!({"cidr": "10.77.0.0/24", "site": "dc1", "dns_servers": [ip]})),
            )),
        ]
    };
    for command in naming("10.20.0.50") {
        refused(&service, command.clone(), "held by the deployment of h1.dc1.example: that server is being installed").await?;
        broken(service.preview(command).await);
    }
    for command in naming("10.20.0.11") {
        refused(&service, command, "it is the management address of Controlled").await?;
    }
    for (ip, words) in
        [("10.20.0.0", "the address of the network itself"), ("10.20.0.255", "the broadcast address of network prod")]
    {
        for command in naming(ip) {
            refused(&service, command, words).await?;
        }
    }
    let taken = [
        ("10.20.0.50", "10.20.0.50 is held by "),
        ("10.20.0.51", "held by device R640 no. 2"),
        ("10.20.0.1", "the gateway of network prod"),
        ("10.20.0.2", "the next server of site dc1"),
        ("10.20.0.3", "a DNS server of network prod"),
        ("10.20.0.10", "the DHCP server kea-1"),
        ("10.20.0.0", "the address of the network itself"),
        ("10.20.0.255", "the broadcast address"),
    ];
    for (number, (ip, words)) in taken.into_iter().enumerate() {
        refused(&service, controlled(&format!("new {number}"), &json!({"address": ip})), words).await?;
        refused(&service, Command::Device(DeviceAction::ChangeDevice(live, read(json!({"management": {"address": ip}})))), words)
            .await?;
    }
    // A router that forwards ports to controllers, and a server whose controller has the server's own address.
    service.done(controlled("behind the router", &json!({"address": "10.20.0.1", "port": 6230}))).await?;
    service
        .done(Command::Device(DeviceAction::ChangeDevice(done, read(json!({"management": {"address": "10.20.0.51"}})))))
        .await?;
    service
        .done(Command::Device(DeviceAction::ChangeDevice(done, read(json!({"management": {"address": "10.20.0.60"}})))))
        .await?;
    // A deployed server's address may be assigned to infrastructure.
    for command in naming("10.20.0.51") {
        service.done(command).await?;
    }
    service.deploying(done, 2, "10.20.0.51").await?;
    Ok(())
}

fn json_site(change: &Value) -> Value {
    let mut spec = json!({"domain": "dc2.example", "zones": ["dc2.example", "30.10.in-addr.arpa"]});
    if let (Value::Object(spec), Value::Object(change)) = (&mut spec, change) {
        spec.extend(change.clone());
    }
    spec
}

#[tokio::test]
async fn data_that_a_server_received_during_its_installation_can_be_replaced_but_not_removed() -> Result<()> {
    let service = with_infrastructure().await?;
    let device = service.server(1).await?;
    service.deploying(device, 1, "10.20.0.50").await?;
    let to_network = |change: Value| Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(full_network(&change))));
    let now = catalogue::site(&service.pool, &key("dc1"), At::Now).await?.context("the site")?.spec;
    let to_site = |change: Value| {
        let mut spec = serde_json::to_value(&now).expect("JSON");
        if let (Value::Object(spec), Value::Object(change)) = (&mut spec, change) {
            spec.extend(change);
        }
        Command::Catalogue(CatalogueAction::DefineSite(key("dc1"), read(spec)))
    };
    for (command, words) in [
        (to_network(json!({"gateway": null})), "it uses the gateway 10.20.0.1, and would have none"),
        (to_network(json!({"dns_servers": []})), "it uses the DNS servers 10.20.0.3, and would have none"),
        (to_site(json!({"next_server": null})), "no next server"),
    ] {
        refused(&service, command, words).await?;
    }
    let replaced = full_network(&json!({"gateway": "10.20.0.254", "dns_servers": ["10.20.0.33"]}));
    let preview =
        service.preview(Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(replaced.clone())))).await?;
    let moves = preview.moves.join("\n");
    for words in ["the gateway for 10.20.0.50 of R640 no. 1 moves from 10.20.0.1 to 10.20.0.254", "from 10.20.0.3 to 10.20.0.33"]
    {
        ensure!(moves.contains(words), "{moves}");
    }
    service.done(Command::Catalogue(CatalogueAction::DefineNetwork(key("prod"), read(replaced)))).await?;
    service.done(to_site(json!({"next_server": "10.20.0.34", "boot_url": null, "name": "Another"}))).await?;
    Ok(())
}
