//! Sentences about the plugins of a deployment: why one waits and why one failed; and who ended a deployment.

#[cfg(test)]
mod tests;

use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::deployment::reason::{
    HeldBack, MissingController, NetworkProblem, PluginFailure, UnconfirmedServer, UnknownResult, Violation, Waiting,
};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::rows::plugin_runs::RunReason;
use std::fmt::Display;

/// Why a plugin of the deployment of `hostname` waits or failed, without a full stop.
pub(crate) fn reason(reason: &RunReason, hostname: &str) -> String {
    match reason {
        RunReason::Waiting(reason) => waiting(reason, hostname),
        RunReason::Failed(reason) => failure(reason),
    }
}

/// Why a plugin of the deployment of `hostname` waits, without a full stop. May be empty for an old event.
pub(crate) fn waiting(waiting: &Waiting, hostname: &str) -> String {
    match waiting {
        Waiting::NoDhcpServer { site } => {
            format!("site {site} has no DHCP server that could give the server its address; define one for the site")
        }
        Waiting::DhcpServers { servers, held_back } => {
            let servers = joined(servers.iter().map(server), ", ");
            let held_back = held_back.as_ref().map(|held_back| format!("; {}", configuration(held_back))).unwrap_or_default();
            format!("waiting for a confirmed configuration with this entry from {servers}{held_back}")
        }
        Waiting::DnsPrimaries { primaries, problems } => {
            let problems = if problems.is_empty() { String::new() } else { format!(" ({})", joined(problems, "; ")) };
            format!("waiting for the DNS primary {} to return the records of {hostname}{problems}", joined(primaries, " and "))
        }
        Waiting::ControllerBusy {} => format!("the management controller of {hostname} is busy with another order"),
        Waiting::ControllerRestart { controller } => {
            format!("waiting for the management controller {controller} to restart {hostname}")
        }
        Waiting::BootScript { ordered_at, unknown } => {
            let why = match unknown {
                UnknownResult::ServiceStopped => "the service stopped during the request",
                UnknownResult::NotConfirmed => "its controller did not confirm it",
            };
            format!(
                "waiting for {hostname} to request its boot script: a restart was requested at {ordered_at}, and its result is \
                 unknown, since {why}; restart it manually, or retry the plugin"
            )
        }
        Waiting::ManualRestart { mac, missing } => {
            let missing = match missing {
                MissingController::Address {} => "the device has no management address".to_owned(),
                MissingController::Credentials { controller } => {
                    format!("its management controller {controller} has no credentials")
                }
            };
            format!("restart {hostname} manually and let it boot from the network by its interface {mac}: {missing}")
        }
        Waiting::Text { text } => text.to_string(),
    }
}

/// Why a plugin failed, without a full stop.
pub(crate) fn failure(failure: &PluginFailure) -> String {
    match failure {
        PluginFailure::Rules { broken } => joined(broken.iter().map(violation), "; "),
        PluginFailure::External { detail, .. } | PluginFailure::Internal { detail } => detail.to_string(),
        PluginFailure::CredentialsRefused {} => "the credentials cannot be used for this management controller: the secret is \
            missing, or it may not be sent to this address, port, protocol and site. Choose another secret, or have an \
            administrator check the scopes under Settings, Secrets"
            .to_owned(),
        PluginFailure::NotSupported {} => "this version of Bootledger does not have the plugin; install one that has it, or \
            cancel the deployment"
            .to_owned(),
        PluginFailure::Deadline { seconds } => format!("the plugin did not end within {seconds} s"),
        PluginFailure::Text { text } => text.to_string(),
    }
}

/// Who marked a deployment done or cancelled it.
pub(crate) fn ended_by(by: &DoneBy) -> String {
    match by {
        DoneBy::Ip { address } => format!("server {address}"),
        DoneBy::Token { address } => format!("{address} with the deployment's token"),
        DoneBy::Operator { name } => name.to_string(),
        DoneBy::Puppet { certname } => format!("Puppet for {certname}"),
    }
}

fn server(UnconfirmedServer { server, error }: &UnconfirmedServer) -> String {
    match error {
        Some(error) => format!("{server} (which reports: {error})"),
        None => server.to_string(),
    }
}

fn configuration(HeldBack { site, entries, more, network, problem }: &HeldBack) -> String {
    let entries = joined(entries.iter().map(|entry| format!("{} of {}", entry.ip, entry.device)), ", ");
    let more = if *more == 0 { String::new() } else { format!(" and {more} more") };
    let problem = match problem {
        NetworkProblem::Unknown {} => format!("there is no network {network}; create it, or remove the entry"),
        NetworkProblem::Retired {} => format!("its network {network} is retired; restore the network, or remove the entry"),
        NetworkProblem::WithoutDhcp {} => {
            format!("its network {network} is not served by DHCP; enable DHCP, or remove the entry")
        }
        NetworkProblem::AddressOutside { cidr } => {
            format!("it is not in its network {network}, {cidr}; extend the network, or remove the entry")
        }
    };
    format!("the configuration of site {site} is held back, since it has no network for {entries}{more}: {problem}")
}

/// The meaning of the rule, with the field and the holder of its value. A rule of another version is named by its code.
fn violation(Violation { rule, field, holder }: &Violation) -> String {
    let meaning = Rule::of_code(rule.as_str()).map(|rule| rule.help().trim_end_matches('.').to_owned());
    let holder = holder.as_ref().map(|holder| format!("held by {holder}"));
    let about = [Some(field).filter(|field| !field.is_empty()).map(Text::to_string), holder];
    let about = joined(about.into_iter().flatten(), ", ");
    let about = if about.is_empty() { about } else { format!(" ({about})") };
    format!("{}{about}", meaning.unwrap_or_else(|| format!("rule {rule}")))
}

fn joined<T: Display>(items: impl IntoIterator<Item = T>, separator: &str) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(separator)
}
