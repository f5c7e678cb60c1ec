//! What a deployment is waiting for, as text with links.

use crate::pages::components::time::since;
use crate::wording::plugins;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::deployments::{Deployment, Status};
use bootledger_projections::rows::holders::HolderNames;
use bootledger_projections::rows::plugin_runs::{Run, RunStatus};
use maud::{Markup, html};

/// Links to what a plugin is waiting for, by its keys, such as `dhcp-server:kea-1`.
pub(crate) fn links<'a>(keys: impl IntoIterator<Item = &'a str>) -> Markup {
    html! {
        @for (index, key) in keys.into_iter().enumerate() {
            @if index > 0 { ", " }
            @match key.split_once(':') {
                Some(("dhcp-server", name)) => { a href=(format!("/dhcp-servers/{name}")) { "DHCP server " (name) } }
                Some(("dhcp-site", site)) => { a href=(format!("/sites/{site}")) { "site " (site) } }
                Some(("dns-primary", primary)) => { a href="/zones" { "DNS primary " (primary) } }
                None if key == "operator" => "an operator",
                None if key == "server" => "the server",
                _ => (key),
            }
        }
    }
}

/// Everything that a deployment is waiting for now, one item on each line: first what it waits for, then the plugin and
/// its reason. For an ended one: only the reason why it was cancelled. `runs` is `None` if it is not known what the plugins did
/// at that moment. `holders` has the names of those that hold values which failed plugins wanted.
pub(crate) fn of_deployment(deployment: &Deployment, runs: Option<&[Run]>, holders: &HolderNames, now: Timestamp) -> Markup {
    if let Some(reason) = &deployment.reason {
        return html! { "Cancelled: " (reason) };
    }
    if !deployment.status.is_live() {
        return html! {};
    }
    let is_busy = |run: &&Run| matches!(run.status, RunStatus::Waiting | RunStatus::Failed | RunStatus::Due);
    let busy: Vec<&Run> = runs.unwrap_or_default().iter().filter(is_busy).collect();
    // A server is installed only after all plugins.
    let is_known = runs.is_some() || deployment.installed_at.is_some();
    html! {
        @if !is_known { div.quiet { "Plugins: not available for the past" } }
        @for run in &busy {
            div {
                @let awaited = links(run.awaited.iter().map(String::as_str));
                @match run.status {
                    RunStatus::Waiting if !run.awaited.is_empty() => { (awaited) ", for " (since(run.since, now)) " (plugin " (run.plugin) ")" }
                    RunStatus::Waiting => { "plugin " (run.plugin) ", for " (since(run.since, now)) }
                    RunStatus::Failed => { "plugin " (run.plugin) ", which failed " (since(run.since, now)) " ago" }
                    _ => { "plugin " (run.plugin) ", due for " (since(run.since, now)) }
                }
                @if let Some(reason) = &run.reason { ": " (plugins::reason(reason, deployment.hostname.as_str(), holders)) }
            }
        }
        @if is_known && busy.is_empty() && deployment.status == Status::InProgress { div { (server(deployment, now)) } }
        @if let Some(failure) = &deployment.puppet_failure {
            div {
                "Puppet failed " (since(failure.at, now)) " ago: "
                @if failure.messages.is_empty() { "no reason given" }
                @else { (failure.messages.iter().map(Text::as_str).collect::<Vec<_>>().join("; ")) }
            }
        }
    }
}

/// The wait for the server itself, or for Puppet on it.
fn server(deployment: &Deployment, now: Timestamp) -> Markup {
    html! {
        @match deployment.installed_at {
            Some(at) => { "Puppet, to report a successful run; the server has been installed for " (since(at, now)) }
            None => { "the server, to boot and to report that it is installed" }
        }
    }
}
