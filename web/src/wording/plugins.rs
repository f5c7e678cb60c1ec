//! Sentences about the plugins of a deployment: why one waits and why one failed; and who ended a deployment.

#[cfg(test)]
mod tests;

use super::{dns, entries};
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::deployment::reason::{
    HeldBack, MissingController, PluginFailure, UnconfirmedServer, UnknownResult, Violation, Waiting,
};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::rows::holders::HolderNames;
use bootledger_projections::rows::plugin_runs::RunReason;
use std::fmt::Display;

/// Why a plugin of the deployment of `hostname` waits or failed, without a full stop. `holders` has the names of those that hold
/// values which a failed plugin wanted.
pub(crate) fn reason(reason: &RunReason, hostname: &str, holders: &HolderNames) -> String {
    match reason {
        RunReason::Waiting(reason) => waiting(reason, hostname),
        RunReason::Failed(reason) => failure(reason, holders),
    }
}

/// Why a plugin of the deployment of `hostname` waits, without a full stop. May be empty for an old event.
pub(crate) fn waiting(waiting: &Waiting, hostname: &str) -> String {
    match waiting {
        Waiting::NoDhcpServer { site } => {
            format!("site {site} has no DHCP server that could give the server its address; create one for the site")
        }
        Waiting::DhcpServers { servers, held_back } => {
            let servers = joined(servers.iter().map(server), ", ");
            let held_back = held_back.as_ref().map(configuration).unwrap_or_default();
            format!("waiting for a confirmed configuration with this entry from {servers}{held_back}")
        }
        Waiting::DnsPrimaries { primaries, problems } => {
            let problems = if problems.is_empty() {
                String::new()
            } else {
                format!(" ({})", joined(problems.iter().map(dns::problem), "; "))
            };
            let noun = if primaries.len() == 1 { "DNS primary" } else { "DNS primaries" };
            format!("waiting for the {noun} {} to return the records of {hostname}{problems}", joined(primaries, " and "))
        }
        Waiting::ControllerBusy {} => format!("the management controller of {hostname} is busy with another request"),
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
                 unknown, because {why}; restart it manually, or retry the plugin"
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
        Waiting::RestartReported { at } => {
            format!(
                "an operator reported at {at} that {hostname} was restarted; waiting for it to request its boot script. If it does \
                 not boot from the network, check the boot order in its firmware and restart it again"
            )
        }
        Waiting::Text { text } => text.to_string(),
    }
}

/// Why a plugin failed, without a full stop. `holders` has the names of those that hold values which the plugin wanted.
pub(crate) fn failure(failure: &PluginFailure, holders: &HolderNames) -> String {
    match failure {
        PluginFailure::Rules { broken } => joined(broken.iter().map(|violation| violated(violation, holders)), "; "),
        PluginFailure::External { detail, .. } | PluginFailure::Internal { detail } => detail.to_string(),
        PluginFailure::Dns { problem } => dns::problem(problem),
        PluginFailure::Controller { failure } => failure.to_string(),
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
        DoneBy::Operator { name, .. } => name.to_string(),
        DoneBy::Puppet { certname } => format!("Puppet for {certname}"),
    }
}

fn server(UnconfirmedServer { server, error }: &UnconfirmedServer) -> String {
    match error {
        Some(error) => format!("{server} (which reports: {error})"),
        None => server.to_string(),
    }
}

fn configuration(held_back: &HeldBack) -> String {
    let entries = entries::unserved(held_back);
    format!("; the configuration of site {} is held back, because it has no network for {entries}", held_back.site)
}

/// The rule that refused a plugin's change, with its values. A rule of another version is named by its code.
fn violated(Violation { rule, field, value, holder }: &Violation, holders: &HolderNames) -> String {
    let known = Rule::of_code(rule.as_str());
    let holder = holder.as_ref().map(|holder| holders.words(holder.as_str()));
    match (known, value, &holder) {
        (Some(rule), Some(value), Some(holder)) if is_claim(rule) => {
            format!("{value} is held by {holder}; release it there, or cancel this deployment")
        }
        (Some(Rule::PluginTooEarly), Some(plugins), _) => {
            let have = if plugins.as_str().contains(", ") { "have" } else { "has" };
            format!("it cannot run before {plugins} {have} succeeded")
        }
        (Some(Rule::DeploymentNotLive), _, Some(holder)) => {
            format!("this deployment is no longer the live one of its device; {holder} is")
        }
        (Some(Rule::CredentialsMissing), Some(controller), _) => format!(
            "the management controller {controller} has no credentials; edit the device and choose a secret, or restart the \
             server manually"
        ),
        (Some(Rule::PowerBusy), Some(since), _) => {
            format!("the management controller has been carrying out another request since {since}")
        }
        (Some(Rule::RestartOrdered), Some(at), _) => {
            format!("this restart was already requested at {at}; retry the plugin to request it again")
        }
        _ => {
            let meaning = known.map(|rule| rule.help().trim_end_matches('.').to_owned());
            let field = Some(field).filter(|field| !field.is_empty()).map(Text::to_string);
            let about = [field, value.as_ref().map(Text::to_string), holder.as_ref().map(|holder| format!("held by {holder}"))];
            let about = joined(about.into_iter().flatten(), ", ");
            let about = if about.is_empty() { about } else { format!(" ({about})") };
            format!("{}{about}", meaning.unwrap_or_else(|| format!("rule {rule}")))
        }
    }
}

/// Whether the rule is that a value has another holder.
fn is_claim(rule: Rule) -> bool {
    use Rule as R;
    matches!(
        rule,
        R::Claimed
            | R::IpClaimed
            | R::HostnameClaimed
            | R::MacClaimed
            | R::SerialClaimed
            | R::AssetClaimed
            | R::ControllerClaimed
    )
}

fn joined<T: Display>(items: impl IntoIterator<Item = T>, separator: &str) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(separator)
}
