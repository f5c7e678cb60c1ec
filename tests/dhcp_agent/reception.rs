//! Servers that run and receive no requests of clients.

use super::{client_gets, deploy, kea_runs, query_kea, service, set_network, start_kea};
use crate::support::agent;
use crate::support::lab::Lab;
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::json;

/// The server has not confirmed this revision.
async fn is_not_confirmed(service: &Service, revision: &str) -> Result<()> {
    let server = service.get("/api/v1/dhcp-servers/dhcp-1").await?;
    ensure!(
        server["confirmed"]["revision"] != *revision,
        "a server that receives no requests has confirmed {revision}: {server}"
    );
    Ok(())
}

/// The revision of the newest configuration.
async fn newest(service: &Service, file: &str) -> Result<String> {
    let answer = service.answer(file).await?;
    Ok(answer.headers().get("ETag").context("a revision")?.to_str()?.trim_matches('"').to_owned())
}

#[tokio::test]
async fn a_kea_that_receives_no_requests_confirms_nothing_until_it_receives_them_again() -> Result<()> {
    const FILE: &str = "/dhcp/dc1/kea.json";
    let lab = Lab::new().await?;
    let service = service(&lab, "kea").await?;
    let (_kea, configuration, socket) = start_kea(&lab).await?;
    let options = ["--kea-socket", socket.to_str().context("a path")?];
    let _agent = agent::start(&service, ("dhcp-1", "dc1", "kea"), &configuration, &options).await?;
    let ip = deploy(&service).await?;
    agent::confirms(&service, "dhcp-1", FILE).await?;

    // A reload while the interface is down.
    lab.ip("link set br0 down").await?;
    set_network(&service, &lab, json!({ "dns_servers": ["192.0.2.53"] })).await?;
    let revision = newest(&service, FILE).await?;
    wait_for("Kea runs it", agent::PATIENCE, async || kea_runs(&socket, &revision, &["192.0.2.53"]).await.ok()).await?;
    let said = agent::reports(&service, "dhcp-1", "is down").await?;
    ensure!(said.contains(&lab.network()) && said.contains("Bring it up"), "{said}");
    is_not_confirmed(&service, &revision).await?;
    lab.ip("link set br0 up").await?;
    agent::confirms(&service, "dhcp-1", FILE).await?;
    client_gets(&lab, &ip, "dns=192.0.2.53").await?;

    // Between reloads: the interface is removed and comes back as another one, which Kea itself does not notice.
    lab.ip("link delete br0").await?;
    agent::reports(&service, "dhcp-1", "receives no client requests").await?;
    lab.make_interface().await?;
    agent::confirms(&service, "dhcp-1", FILE).await?;
    client_gets(&lab, &ip, "dns=192.0.2.53").await?;

    // The address is removed, and when it comes back, another program has the port.
    lab.take_dhcp_address().await?;
    agent::reports(&service, "dhcp-1", "no interface has an address in this network").await?;
    query_kea(&socket, "config-reload").await?;
    let other = lab.take_port().await?;
    lab.give_dhcp_address().await?;
    agent::reports(&service, "dhcp-1", "Address already in use").await?;
    drop(other);
    agent::confirms(&service, "dhcp-1", FILE).await?;
    client_gets(&lab, &ip, "dns=192.0.2.53").await
}

#[tokio::test]
async fn a_dhcpd_that_receives_no_requests_is_failing_until_it_receives_them_again() -> Result<()> {
    receives_again("isc", "dhcpd", "/dhcp/dc1/isc.conf").await
}

#[tokio::test]
async fn a_dnsmasq_that_receives_no_requests_is_failing_until_it_receives_them_again() -> Result<()> {
    receives_again("dnsmasq", "dnsmasq", "/dhcp/dc1/dnsmasq.conf").await
}

/// A server whose interface goes down, whose interface is recreated, or that is killed is reported as failing each time, until
/// the fault has ended.
async fn receives_again(kind: &str, program: &str, file: &str) -> Result<()> {
    let lab = Lab::new().await?;
    let service = service(&lab, kind).await?;
    let configuration = lab.folder().join("served.conf");
    tokio::fs::write(&configuration, service.text(file).await?).await?;
    let server = if kind == "isc" { lab.start_dhcpd(&configuration).await? } else { lab.start_dnsmasq(&configuration).await? };
    let commands = (server.check_command(), server.reload_command());
    let options = ["--check-command", &commands.0, "--reload-command", &commands.1];
    let _agent = agent::start(&service, ("dhcp-1", "dc1", kind), &configuration, &options).await?;
    let ip = deploy(&service).await?;
    agent::confirms(&service, "dhcp-1", file).await?;

    lab.ip("link set br0 down").await?;
    agent::reports(&service, "dhcp-1", "is down. Bring it up").await?;
    lab.ip("link set br0 up").await?;
    agent::confirms(&service, "dhcp-1", file).await?;

    lab.ip("link delete br0").await?;
    agent::reports(&service, "dhcp-1", "").await?;
    lab.make_interface().await?;
    agent::confirms(&service, "dhcp-1", file).await?;
    client_gets(&lab, &ip, "").await.context("after the interface was made again")?;

    lab.kill_server(program).await?;
    agent::reports(&service, "dhcp-1", &format!("{program} is no longer running")).await?;
    server.reload().await?;
    agent::confirms(&service, "dhcp-1", file).await?;
    client_gets(&lab, &ip, "").await
}
