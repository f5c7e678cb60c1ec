//! What another device took first: the form that deploys a device suggests an address and a host name, and the deployment may
//! get others. The path of its page then contains the suggestions, and the page shows a note about them.

use crate::pages::components::badge::Tone;
use crate::pages::components::block::note;
use crate::pages::layout::PageContext;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_port::Suggested;
use bootledger_projections::rows::deployments::Deployment;
use maud::{Markup, html};
use std::net::Ipv4Addr;

/// The query parameter with the suggested address, for the page of a deployment that got another one.
const INSTEAD_OF_IP: &str = "instead_of_ip";
/// The query parameter with the suggested host name.
const INSTEAD_OF_HOSTNAME: &str = "instead_of_hostname";

/// The query of a deployment's page, with the suggestions that the deployment did not get; empty if it got all of them.
pub(crate) fn query(suggested: &Suggested, deployment: &Deployment) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(ip) = suggested.ip.filter(|ip| *ip != deployment.ip) {
        query.append_pair(INSTEAD_OF_IP, &ip.to_string());
    }
    if let Some(name) = suggested.hostname.as_ref().filter(|name| **name != deployment.hostname) {
        query.append_pair(INSTEAD_OF_HOSTNAME, name.as_str());
    }
    query.finish()
}

/// The note on the page of a deployment that got something other than the form suggested.
pub(crate) fn instead(page_context: &PageContext, deployment: &Deployment) -> Markup {
    let ip: Option<Ipv4Addr> = page_context.parameter(INSTEAD_OF_IP).parse().ok();
    let hostname: Option<Hostname> = page_context.parameter(INSTEAD_OF_HOSTNAME).parse().ok();
    html! {
        @if ip.is_some() || hostname.is_some() {
            (note(Tone::Info, &html! {
                @if let Some(ip) = ip {
                    p { "Another device took the suggested address " (ip) " first. " (deployment.ip) " was chosen." }
                }
                @if let Some(name) = hostname {
                    p { "Another device took the suggested name " (name) " first. " (deployment.hostname) " was chosen." }
                }
            }))
        }
    }
}
