//! The `dhcp` plugin: creates the DHCP entry, then waits until every DHCP server of the site has confirmed that it runs a
//! configuration rendered at or after the entry's position.

use super::{Failed, Outcome, Report, Work};
use crate::event_log::append::Precondition;
use bootledger_aggregates::deployment::reason::{UnconfirmedServer, Waiting};
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::event::DhcpEntry;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::questions::strays;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, DhcpServerView, Entry};
use bootledger_projections::rows::dhcp_entries;

pub(super) async fn run(work: &Work<'_>) -> Result<Report, Failed> {
    let deployment = work.deployment;
    let servers = catalogue::dhcp_servers_of(work.views, &deployment.site, At::Now).await?;
    let servers: Vec<_> = servers.into_iter().filter(|entry| !entry.retired).collect();
    // If a confirmation arrives while the plugin decides to wait, the decision is repeated, so that no wake-up is lost. What
    // was confirmed stays confirmed, so a success needs no such precondition.
    let unchanged = servers
        .iter()
        .map(|entry| Precondition::Sequence {
            aggregate_type: "dhcp_server",
            aggregate_id: entry.key.to_string(),
            sequence: entry.sequence,
        })
        .collect::<Vec<_>>();
    let made_at = dhcp_entries::made_at(work.views, deployment.device, deployment.ip, deployment.mac).await?;
    let entry = DhcpEntry {
        ip: deployment.ip,
        mac: deployment.mac,
        hostname: Some(deployment.hostname.clone()),
        network: deployment.network.clone(),
    };
    // If the plugin runs again, the device writes nothing, because the entry exists.
    let device = DeviceCommand::CreateDhcpEntry { deployment: deployment.id, live: Some(deployment.id), entry };
    let behind: Vec<&Entry<DhcpServerView>> = servers.iter().filter(|server| !confirmed(server, made_at)).collect();
    let outcome = if servers.is_empty() {
        let site = deployment.site.clone();
        let awaited = vec![Text::fitted(&format!("dhcp-site:{site}"))];
        Outcome::Waiting { reason: Waiting::NoDhcpServer { site }, awaited }
    } else if behind.is_empty() {
        Outcome::Succeeded
    } else {
        let strays = strays::list(work.views, Some(&deployment.site), At::Now).await?;
        let servers = behind.iter().map(|server| unconfirmed(server)).collect();
        let awaited = behind.iter().map(|server| Text::fitted(&format!("dhcp-server:{}", server.key))).collect();
        Outcome::Waiting { reason: Waiting::DhcpServers { servers, held_back: strays::held_back(&strays) }, awaited }
    };
    let preconditions = if outcome == Outcome::Succeeded { vec![] } else { unchanged };
    Ok(Report { device: Some(device), outcome, preconditions })
}

fn confirmed(server: &Entry<DhcpServerView>, made_at: Option<i64>) -> bool {
    let confirmed = server.spec.confirmed.as_ref().map(|confirmed| confirmed.position);
    made_at.zip(confirmed).is_some_and(|(made_at, confirmed)| confirmed >= made_at)
}

/// The server, with its error message if it is failing.
fn unconfirmed(server: &Entry<DhcpServerView>) -> UnconfirmedServer {
    let error = server.spec.failing.as_ref().map(|failing| failing.message.clone());
    UnconfirmedServer { server: server.key.clone(), error }
}
