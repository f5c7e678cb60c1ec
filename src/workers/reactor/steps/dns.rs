//! The `dns` plugin: creates the A and the PTR record of the new address. If the site's zones have a primary that accepts
//! updates, the plugin then waits until the primary itself has returned both records.

use super::{Failed, Outcome, Report, Work};
use crate::event_log::dns::{self, Pending};
use crate::workers::dns::{Kind, address, place};
use bootledger_aggregates::deployment::reason::{PluginFailure, Waiting};
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::event::DnsEntry;
use bootledger_aggregates::problem::PublishProblem;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::hostname::reverse_name;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::rows::catalogue::Entry;
use bootledger_projections::rows::dns_records;
use std::net::SocketAddr;

/// Runs if there is no primary to wait for.
pub(super) fn run_at_once(work: &Work<'_>) -> Option<Report> {
    let keys = keys(work);
    let published = keys.iter().any(|(name, kind)| updated(work.sites, name, kind).is_some());
    (!published).then(|| Report::done(command(work)))
}

pub(super) async fn run(work: &Work<'_>) -> Result<Report, Failed> {
    let deployment = work.deployment;
    let keys = keys(work);
    let made_at = dns_records::made_at(work.views, deployment.device, &deployment.hostname, deployment.ip).await?;
    let pending = match made_at {
        Some(made_at) => dns::pending(work.views, &keys, made_at).await?,
        None => None,
    };
    if let Some(Pending { problem: Some(problem), .. }) = pending.iter().flatten().find(|pending| pending.conflict) {
        // An operator who has fixed the problem and retries this plugin need not wait for the publisher's next attempt.
        dns::hurry(work.views, &keys, work.now.0).await?;
        return Err(Failed(PluginFailure::Dns { problem: Box::new(problem.clone()) }));
    }
    let outcome = match &pending {
        Some(pending) if pending.is_empty() => Outcome::Succeeded,
        _ => waiting(work, &keys, pending.as_deref().unwrap_or_default()),
    };
    // If the plugin runs again, the device writes nothing, because the entry exists.
    Ok(Report { device: Some(command(work)), outcome, preconditions: vec![] })
}

fn command(work: &Work<'_>) -> DeviceCommand {
    let deployment = work.deployment;
    DeviceCommand::CreateDnsEntry {
        deployment: deployment.id,
        live: Some(deployment.id),
        entry: DnsEntry { hostname: deployment.hostname.clone(), ip: deployment.ip },
    }
}

fn keys(work: &Work<'_>) -> [dns::Key; 2] {
    let a = (work.deployment.hostname.to_string(), Kind::A.name().to_owned());
    [a, (reverse_name(work.deployment.ip), Kind::Ptr.name().to_owned())]
}

fn updated<'a>(sites: &'a [Entry<SiteSpec>], name: &str, kind: &str) -> Option<&'a SiteSpec> {
    Some(&place(sites, name, Kind::of(kind)?)?.0.spec)
}

/// The primaries that the plugin waits for, with their last errors.
fn waiting(work: &Work<'_>, keys: &[dns::Key], pending: &[Pending]) -> Outcome {
    let updated = keys.iter().filter_map(|(name, kind)| updated(work.sites, name, kind)?.dns_updates.as_ref());
    let mut primaries: Vec<SocketAddr> = updated.map(address).collect();
    primaries.sort();
    primaries.dedup();
    let mut problems: Vec<PublishProblem> = pending.iter().filter_map(|pending| pending.problem.clone()).collect();
    problems.dedup();
    let awaited = primaries.iter().map(|primary| Text::fitted(&format!("dns-primary:{primary}"))).collect();
    Outcome::Waiting { reason: Waiting::DnsPrimaries { primaries, problems }, awaited }
}
