//! The agent beside real DHCP servers with real clients: what the server runs after each step and after each failure.

mod reception;

use crate::support::agent;
use crate::support::lab::{DhcpServer, Lab};
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const MAC: &str = "52:54:00:00:0d:01";

/// A service with the lab's network and one DHCP server of this kind.
async fn service(lab: &Lab, kind: &str) -> Result<Service> {
    let service = Service::start(lab.host_address()).await?;
    let [a, b, c, _] = lab.host_address().octets();
    let site = json!({
        "next_server": lab.host_address(), "domain": "lab.example",
        "zones": ["lab.example", format!("{c}.{b}.{a}.in-addr.arpa"), format!("{c}.214.{a}.in-addr.arpa")], "hostname_template": "h<200,299>.lab.example",
    });
    service.define(&site, &network(lab, json!({}))).await?;
    service.put("/api/v1/dhcp-servers/dhcp-1", &json!({ "site": "dc1", "kind": kind })).await?;
    Ok(service)
}

/// The spec of the lab's network, with a test's changes.
fn network(lab: &Lab, other: Value) -> Value {
    let mut network = json!({ "cidr": lab.network(), "site": "dc1", "gateway": lab.host_address() });
    if let (Value::Object(network), Value::Object(other)) = (&mut network, other) {
        network.extend(other);
    }
    network
}

async fn set_network(service: &Service, lab: &Lab, other: Value) -> Result<()> {
    service.put("/api/v1/networks/prod", &network(lab, other)).await.map(drop)
}

/// Deploys a server, waits until it may boot, and returns its address.
async fn deploy(service: &Service) -> Result<String> {
    deploy_another(service, MAC, "prod").await
}

/// Deploys another server in this network.
async fn deploy_another(service: &Service, mac: &str, network: &str) -> Result<String> {
    let device = json!({ "site": "dc1", "macs": [mac], "serial": mac, "venture": "shop", "role": "web" });
    let device = service.register(&device).await?;
    let deployment = json!({ "device": device, "boot_image": "debian", "network": network });
    let path = service.start_deployment(&deployment).await?;
    service.reaches(&path, "in_progress", agent::PATIENCE).await?;
    Ok(service.get(&path).await?["ip"].as_str().context("an address")?.to_owned())
}

/// The client with our MAC gets this address, and the answer contains these words.
async fn client_gets(lab: &Lab, ip: &str, words: &str) -> Result<()> {
    let message = lab.request_lease(MAC, "").await?.join("\n");
    ensure!(
        message.contains(&format!("ip={ip}")) && message.contains(words),
        "the client does not get {ip} and {words:?}:\n{message}"
    );
    Ok(())
}

/// Starts a Kea as Debian's package does, with a configuration file that names its control socket. Returns server, file and
/// socket.
async fn start_kea(lab: &Lab) -> Result<(DhcpServer, PathBuf, PathBuf)> {
    let (configuration, socket) = (lab.folder().join("served.conf"), lab.folder().join("kea-dhcp4").join("socket"));
    let first = json!({ "Dhcp4": { "control-socket": { "socket-type": "unix", "socket-name": socket } } });
    tokio::fs::write(&configuration, first.to_string()).await?;
    Ok((lab.start_kea(&configuration).await?, configuration, socket))
}

/// The same with a recent Kea; `None` where it is not installed.
async fn start_newer_kea(lab: &Lab) -> Result<Option<(DhcpServer, PathBuf, PathBuf)>> {
    let (configuration, socket) = (lab.folder().join("served.conf"), lab.folder().join("kea-dhcp4").join("socket"));
    let first = json!({ "Dhcp4": { "control-sockets": [{ "socket-type": "unix", "socket-name": socket }] } });
    tokio::fs::write(&configuration, first.to_string()).await?;
    Ok(lab.start_newer_kea(&configuration).await?.map(|kea| (kea, configuration, socket)))
}

/// Kea's answer to a command on its control socket.
async fn query_kea(socket: &Path, command: &str) -> Result<Value> {
    command_kea(socket, &json!({ "command": command })).await
}

/// Kea's answer to a command with arguments.
async fn command_kea(socket: &Path, command: &Value) -> Result<Value> {
    let mut stream = UnixStream::connect(socket).await.with_context(|| format!("{} is away", socket.display()))?;
    stream.write_all(command.to_string().as_bytes()).await?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await?;
    Ok(serde_json::from_slice(&answer)?)
}

/// Kea runs this revision, and its running configuration contains these words.
async fn kea_runs(socket: &Path, revision: &str, words: &[&str]) -> Result<()> {
    let running = query_kea(socket, "config-get").await?["arguments"]["Dhcp4"].take();
    let text = running.to_string();
    ensure!(running["server-tag"] == *revision, "Kea does not run {revision}: {text}");
    let sockets = [&running["control-socket"]["socket-name"], &running["control-sockets"][0]["socket-name"]];
    ensure!(sockets.iter().any(|name| **name == *socket.to_string_lossy()), "the socket is lost: {text}");
    for words in words {
        ensure!(text.contains(words), "Kea does not run {words:?}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn kea_is_updated_through_its_control_socket_alone() -> Result<()> {
    const FILE: &str = "/dhcp/dc1/kea.json";
    let lab = Lab::new().await?;
    let service = service(&lab, "kea").await?;
    let (kea, configuration, socket) = start_kea(&lab).await?;
    let options = ["--kea-socket", socket.to_str().context("a path")?];
    let _agent = agent::start(&service, ("dhcp-1", "dc1", "kea"), &configuration, &options).await?;

    let ip = deploy(&service).await?;
    let revision = agent::confirms(&service, "dhcp-1", FILE).await?;
    kea_runs(&socket, &revision, &[MAC, &ip]).await?;
    client_gets(&lab, &ip, "").await?;

    // An option that no DHCP server accepts is refused when it is saved. One that an earlier version stored is never written
    // into a file, and is reported.
    let wrong = json!([{ "name": "rooters", "value": { "number": 1 } }]);
    let refused = set_network(&service, &lab, json!({ "dhcp_options": wrong })).await.expect_err("it was saved");
    ensure!(format!("{refused:#}").contains("dhcp_option_unknown"), "{refused:#}");
    service.store_network("prod", &network(&lab, json!({ "dhcp_options": wrong }))).await?;
    agent::reports(&service, "dhcp-1", "the DHCP option rooters of network prod cannot be written").await?;
    kea_runs(&socket, &revision, &[MAC, &ip]).await?;
    client_gets(&lab, &ip, "").await?;

    // The agent waits for a Kea that is not running.
    query_kea(&socket, "shutdown").await?;
    wait_for("Kea is gone", agent::PATIENCE, async || query_kea(&socket, "status-get").await.is_err().then_some(())).await?;
    let right = json!([{ "name": "ntp-servers", "value": { "addresses": ["192.0.2.9"] } }]);
    set_network(&service, &lab, json!({ "dhcp_options": right })).await?;
    agent::reports(&service, "dhcp-1", "control socket").await?;
    let before = tokio::fs::read_to_string(&configuration).await?;
    ensure!(before.contains(&revision), "the file that Kea will start with is the last that it ran: {before}");
    kea.reload().await?;
    let newest = agent::confirms(&service, "dhcp-1", FILE).await?;
    ensure!(newest != revision);
    kea_runs(&socket, &newest, &[MAC, "192.0.2.9"]).await?;
    client_gets(&lab, &ip, "ntpsrv=192.0.2.9").await
}

/// How often Kea has read its whole configuration file.
fn loads(kea: &DhcpServer) -> usize {
    kea.log().matches("DHCP4_CONFIG_COMPLETE").count()
}

#[tokio::test]
async fn single_reservations_are_changed_without_a_reload_and_stay_after_a_restart() -> Result<()> {
    const FILE: &str = "/dhcp/dc1/kea.json";
    const OTHER_MAC: &str = "52:54:00:00:0d:02";
    let lab = Lab::new().await?;
    let service = service(&lab, "kea").await?;
    let Some((kea, configuration, socket)) = start_newer_kea(&lab).await? else { return Ok(()) };
    let options = ["--kea-hosts", "--kea-socket", socket.to_str().context("a path")?];
    let _agent = agent::start(&service, ("dhcp-1", "dc1", "kea"), &configuration, &options).await?;
    agent::confirms(&service, "dhcp-1", FILE).await?;
    let loaded = loads(&kea);

    // Two servers are added, and both boot; the second one also while the first exists.
    let first = deploy(&service).await?;
    agent::confirms(&service, "dhcp-1", FILE).await?;
    client_gets(&lab, &first, "").await?;
    let second = deploy_another(&service, OTHER_MAC, "prod").await?;
    let revision = agent::confirms(&service, "dhcp-1", FILE).await?;
    let message = lab.request_lease(OTHER_MAC, "-O bootfile -x 93:0007").await?.join("\n");
    ensure!(
        message.contains(&format!("ip={second}")) && message.contains("boot_file=snponly.efi"),
        "it does not boot:\n{message}"
    );
    ensure!(loads(&kea) == loaded, "Kea has read its whole file again:\n{}", kea.log());
    let file = tokio::fs::read_to_string(&configuration).await?;
    ensure!(file.contains(&revision) && file.contains(&first) && file.contains(&second), "the file is behind: {file}");

    // An old lease does not keep an address that another server gets.
    let deployments = service.get("/api/v1/deployments").await?;
    let deployment = deployments["items"].as_array().context("deployments")?.iter().find(|one| one["ip"] == *first);
    let path = format!("/api/v1/deployments/{}", deployment.context("the first")?["id"].as_str().context("an id")?);
    service.post(&format!("{path}/cancel"), &json!({ "reason": "a test" })).await?;
    agent::confirms(&service, "dhcp-1", FILE).await?;

    // A different kind of change: the whole file is read.
    ensure!(loads(&kea) == loaded, "Kea has read its whole file again");
    set_network(&service, &lab, json!({ "dns_servers": ["192.0.2.53"] })).await?;
    agent::confirms(&service, "dhcp-1", FILE).await?;
    ensure!(loads(&kea) == loaded + 1, "Kea was to read its whole file: {}", kea.log());

    // A change by another program is detected, reported and corrected.
    let which = json!({ "subnet-id": u32::from(lab.server_address(0)) & 0xffff_ff00, "identifier-type": "hw-address",
        "identifier": OTHER_MAC, "operation-target": "memory" });
    let deleted = command_kea(&socket, &json!({ "command": "reservation-del", "arguments": which })).await?;
    ensure!(deleted["result"] == 0, "{deleted}");
    agent::reports(&service, "dhcp-1", "Kea's reservations differ from those that the agent wrote: 1 are missing").await?;
    let revision = agent::confirms(&service, "dhcp-1", FILE).await?;
    let found = command_kea(&socket, &json!({ "command": "reservation-get", "arguments": which })).await?;
    ensure!(found["arguments"]["ip-address"] == *second, "{found}");

    // A restarted Kea has everything.
    query_kea(&socket, "shutdown").await?;
    wait_for("Kea is gone", agent::PATIENCE, async || query_kea(&socket, "status-get").await.is_err().then_some(())).await?;
    kea.reload().await?;
    kea_runs(&socket, &revision, &[OTHER_MAC, &second, "192.0.2.53"]).await?;
    let message = lab.request_lease(OTHER_MAC, "").await?.join("\n");
    ensure!(message.contains(&format!("ip={second}")), "{message}");
    agent::confirms(&service, "dhcp-1", FILE).await.map(drop)
}

#[tokio::test]
async fn an_upgraded_kea_gets_its_file_with_its_own_keywords() -> Result<()> {
    const FILE: &str = "/dhcp/dc1/kea.json";
    let lab = Lab::new().await?;
    let service = service(&lab, "kea").await?;
    // Another network of the VLAN, for which Kea 2.2 and 3 use different keywords.
    set_network(&service, &lab, json!({ "vlan": 12 })).await?;
    let [a, _, c, _] = lab.host_address().octets();
    let gateway = format!("{a}.214.{c}.1");
    let other = json!({ "cidr": format!("{a}.214.{c}.0/24"), "site": "dc1", "gateway": gateway, "vlan": 12 });
    service.put("/api/v1/networks/prod-2", &other).await?;
    let (_kea, configuration, socket) = start_kea(&lab).await?;
    let options = ["--kea-socket", socket.to_str().context("a path")?];
    let _agent = agent::start(&service, ("dhcp-1", "dc1", "kea"), &configuration, &options).await?;
    let ip = deploy_another(&service, MAC, "prod-2").await?;
    let revision = agent::confirms(&service, "dhcp-1", FILE).await?;
    kea_runs(&socket, &revision, &[MAC, &ip]).await?;
    let file = tokio::fs::read_to_string(&configuration).await?;
    ensure!(file.contains("\"control-socket\":") && file.contains("\"only-if-required\":"), "{file}");
    // This Kea has no host commands, so the agent reports that, and what Kea runs stays.
    let mut hosts = options.to_vec();
    hosts.push("--kea-hosts");
    let stranger = lab.folder().join("hosts");
    tokio::fs::create_dir_all(&stranger).await?;
    let with_hosts = agent::start(&service, ("dhcp-1", "dc1", "kea"), &stranger.join("kea.conf"), &hosts).await?;
    agent::reports(&service, "dhcp-1", "--kea-hosts needs Kea 2.7.7 or later").await?;
    drop(with_hosts);
    kea_runs(&socket, &revision, &[MAC, &ip]).await?;

    query_kea(&socket, "shutdown").await?;
    wait_for("Kea is gone", agent::PATIENCE, async || query_kea(&socket, "status-get").await.is_err().then_some(())).await?;
    let Some(_newer) = lab.start_newer_kea(&configuration).await? else { return Ok(()) };
    let written = "\"control-sockets\":";
    wait_for("the file is written again", agent::PATIENCE, async || {
        tokio::fs::read_to_string(&configuration).await.ok().filter(|file| file.contains(written)).map(drop)
    })
    .await?;
    let file = tokio::fs::read_to_string(&configuration).await?;
    ensure!(file.contains("\"only-in-additional-list\":") && !file.contains("\"only-if-required\":"), "{file}");
    let revision = agent::confirms(&service, "dhcp-1", FILE).await?;
    kea_runs(&socket, &revision, &[MAC, &ip]).await?;
    let message = lab.request_lease(MAC, "-O bootfile -x 93:0007").await?.join("\n");
    ensure!(message.contains(&format!("ip={ip}")) && message.contains("boot_file=snponly.efi"), "it does not boot:\n{message}");
    ensure!(message.contains(&format!("router={gateway}")), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_kea_started_with_another_file_confirms_nothing() -> Result<()> {
    let lab = Lab::new().await?;
    let service = service(&lab, "kea").await?;
    let (_kea, _, socket) = start_kea(&lab).await?;
    let options = ["--kea-socket", socket.to_str().context("a path")?];
    let other = lab.folder().join("other.conf");
    let _agent = agent::start(&service, ("dhcp-1", "dc1", "kea"), &other, &options).await?;
    agent::reports(&service, "dhcp-1", "does not run the one that the agent wrote").await?;
    let server = service.get("/api/v1/dhcp-servers/dhcp-1").await?;
    ensure!(server["confirmed"].is_null(), "{server}");
    Ok(())
}

#[tokio::test]
async fn a_dhcpd_that_accepts_a_file_and_does_not_start_with_it_gets_the_old_one_back() -> Result<()> {
    const FILE: &str = "/dhcp/dc1/isc.conf";
    let lab = Lab::new().await?;
    let service = service(&lab, "isc").await?;
    let configuration = lab.folder().join("served.conf");
    tokio::fs::write(&configuration, service.text(FILE).await?).await?;
    let dhcpd = lab.start_dhcpd(&configuration).await?;
    let commands = (dhcpd.check_command(), dhcpd.reload_command());
    let options = ["--check-command", &commands.0, "--reload-command", &commands.1];
    let _agent = agent::start(&service, ("dhcp-1", "dc1", "isc"), &configuration, &options).await?;
    let ip = deploy(&service).await?;
    agent::confirms(&service, "dhcp-1", FILE).await?;
    client_gets(&lab, &ip, "").await?;
    let serves = tokio::fs::read_to_string(&configuration).await?;

    // Without a network for its interface, dhcpd accepts the file in its check and exits when it is started. The range still
    // holds the client's address and a gateway for it, but not the server's address.
    let [a, b, c, _] = lab.host_address().octets();
    set_network(
        &service,
        &lab,
        json!({ "cidr": format!("{a}.{b}.{c}.8/29"), "gateway": format!("{a}.{b}.{c}.14"), "margin_bottom": 0 }),
    )
    .await?;
    let said = agent::reports(&service, "dhcp-1", "Not configured to listen on any interfaces").await?;
    ensure!(!said.contains("old configuration"), "the old one was to be loaded again: {said}");
    let refused = lab.folder().join("refused.conf");
    tokio::fs::write(&refused, service.text(FILE).await?).await?;
    dhcpd.check(&refused).await.context("the checker was to accept what dhcpd does not start with")?;
    ensure!(tokio::fs::read_to_string(&configuration).await? == serves, "the old file is not back");
    client_gets(&lab, &ip, "").await?;

    // When the cause is the machine, neither file works; the newest one is loaded as soon as the machine works again.
    lab.take_dhcp_address().await?;
    set_network(&service, &lab, json!({ "dns_servers": ["192.0.2.53"] })).await?;
    agent::reports(&service, "dhcp-1", "the old configuration cannot be loaded either").await?;
    ensure!(tokio::fs::read_to_string(&configuration).await? == serves, "the old file is not back");
    lab.give_dhcp_address().await?;
    agent::confirms(&service, "dhcp-1", FILE).await?;
    client_gets(&lab, &ip, "dns=192.0.2.53").await
}
