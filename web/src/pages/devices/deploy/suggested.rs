//! The suggestions of the form that deploys a device. A suggestion that the user did not change counts as left empty, so that
//! if two users get the same suggested address, neither is refused.

use crate::commands::{Receipt, Suggested};
use crate::pages::form::Fields;
use crate::pages::frame::Visit;
use crate::pages::kit::badge::Tone;
use crate::pages::kit::block::note;
use crate::request::backend::Backend;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_projections::deployments::{self, Deployment};
use maud::{Markup, html};
use std::net::Ipv4Addr;

/// The query parameter with the suggested address, for the page of a deployment that got another one.
const INSTEAD_OF_IP: &str = "instead_of_ip";
/// The query parameter with the suggested host name.
const INSTEAD_OF_HOSTNAME: &str = "instead_of_hostname";

/// The fields that the form fills in with a suggestion, and the hidden fields that contain the suggestion.
pub(super) const SUGGESTED: [(&str, &str); 3] =
    [("mac", "suggested_mac"), ("ip", "suggested_ip"), ("hostname", "suggested_hostname")];

/// Marks the present values of the fields as the form's own suggestions.
pub(super) fn suggest(fields: Fields) -> Fields {
    SUGGESTED.into_iter().fold(fields, |fields, (name, hidden)| {
        let value = fields.text(name).to_owned();
        fields.with(hidden, &value)
    })
}

/// Removes suggestions that the user did not change from the fields: they count as left empty.
pub(super) fn untouched(fields: &Fields) -> (Fields, Suggested) {
    let mut left = fields.clone();
    for (name, hidden) in SUGGESTED {
        if !fields.text(name).is_empty() && fields.text(name) == fields.text(hidden) {
            left = left.with(name, "");
        }
    }
    let suggested = |name: &str| if left.text(name).is_empty() { fields.text(name) } else { "" };
    let suggested = Suggested {
        mac: suggested("mac").parse().ok(),
        ip: suggested("ip").parse().ok(),
        hostname: suggested("hostname").parse().ok(),
    };
    (left, suggested)
}

/// The page of a deployment that was started. If it got another address or name than the form suggested, the page shows a note.
pub(super) async fn started(backend: &mut Backend, receipt: &Receipt, suggested: &Suggested) -> String {
    let path = format!("/deployments/{}", receipt.id);
    let Ok(id) = receipt.id.parse() else { return path };
    backend.reach(receipt.position).await;
    // The deployment is started; an error here costs only the note.
    let Ok(mut reading) = backend.read_now().await else { return path };
    let at = reading.at;
    let Ok(Some(found)) = deployments::find(reading.connection(), id, at).await else { return path };
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(ip) = suggested.ip.filter(|ip| *ip != found.ip) {
        query.append_pair(INSTEAD_OF_IP, &ip.to_string());
    }
    if let Some(name) = suggested.hostname.as_ref().filter(|name| **name != found.hostname) {
        query.append_pair(INSTEAD_OF_HOSTNAME, name.as_str());
    }
    let query = query.finish();
    if query.is_empty() { path } else { format!("{path}?{query}") }
}

/// The note on the page of a deployment that got something other than the form suggested.
pub(crate) fn instead(visit: &Visit, deployment: &Deployment) -> Markup {
    let ip: Option<Ipv4Addr> = visit.parameter(INSTEAD_OF_IP).parse().ok();
    let hostname: Option<Hostname> = visit.parameter(INSTEAD_OF_HOSTNAME).parse().ok();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_suggestion_that_nobody_changed_counts_as_left_empty() {
        let offered = suggest(fields(&[("mac", "52:54:00:00:00:01"), ("ip", "10.0.0.11"), ("hostname", "h200.dc1.example")]));
        let (left, suggested) = untouched(&offered);
        assert_eq!([left.text("mac"), left.text("ip"), left.text("hostname")], ["", "", ""]);
        assert_eq!(suggested.ip, Some(Ipv4Addr::new(10, 0, 0, 11)));
        assert_eq!(suggested.hostname.map(|name| name.to_string()).as_deref(), Some("h200.dc1.example"));
        assert!(suggested.mac.is_some());
    }

    #[test]
    fn what_a_person_wrote_is_wanted_and_nothing_is_suggested_for_what_a_person_emptied() {
        let offered = suggest(fields(&[("ip", "10.0.0.11"), ("hostname", "h200.dc1.example")]));
        let (left, suggested) = untouched(&offered.with("ip", "10.0.0.12").with("hostname", ""));
        assert_eq!((left.text("ip"), left.text("hostname")), ("10.0.0.12", ""));
        assert_eq!(suggested, Suggested::default());
    }
}
