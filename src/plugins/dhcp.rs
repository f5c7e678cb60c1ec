//! The `dhcp` plugin: creates the DHCP entry, then waits until every DHCP server of the site has confirmed that it runs a
//! configuration rendered at or after the entry's position.

use super::{Outcome, Report, Work};
use crate::store::append::Precondition;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::event::DhcpEntry;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, DhcpServerView, Entry};
use bootledger_projections::{dhcp_entries, strays};

pub(super) async fn run(work: &Work<'_>) -> anyhow::Result<Report> {
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
        let site = &deployment.site;
        waiting(
            &format!("site {site} has no DHCP server that could give the server its address; define one for the site"),
            &[format!("dhcp-site:{site}")],
        )
    } else if behind.is_empty() {
        Outcome::Succeeded
    } else {
        let from: Vec<String> = behind.iter().map(|server| told(server)).collect();
        let keys: Vec<String> = behind.iter().map(|server| format!("dhcp-server:{}", server.key)).collect();
        let strays = strays::list(work.views, Some(&deployment.site), At::Now).await?;
        let held_back = strays.first().map(|stray| {
            let (site, named) = (&deployment.site, strays::named(&strays));
            format!("; the configuration of site {site} is held back, since it has no network for {named}: {}", stray.problem)
        });
        let reason = format!("waiting for a confirmed configuration with this entry from {}", from.join(", "));
        waiting(&(reason + &held_back.unwrap_or_default()), &keys)
    };
    let preconditions = if outcome == Outcome::Succeeded { vec![] } else { unchanged };
    Ok(Report { device: Some(device), outcome, preconditions })
}

fn confirmed(server: &Entry<DhcpServerView>, made_at: Option<i64>) -> bool {
    let confirmed = server.spec.confirmed.as_ref().map(|confirmed| confirmed.position);
    made_at.zip(confirmed).is_some_and(|(made_at, confirmed)| confirmed >= made_at)
}

/// The server's name, with its error message if it is failing.
fn told(server: &Entry<DhcpServerView>) -> String {
    match &server.spec.failing {
        Some(failing) => format!("{} (which reports: {})", server.key, failing.message),
        None => server.key.to_string(),
    }
}

fn waiting(reason: &str, awaited: &[String]) -> Outcome {
    Outcome::Waiting { reason: Text::fitted(reason), awaited: awaited.iter().map(|key| Text::fitted(key)).collect() }
}
