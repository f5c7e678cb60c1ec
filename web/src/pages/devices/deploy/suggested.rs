//! The suggestions of the form that deploys a device. A suggestion that the user did not change counts as left empty, so that
//! if two users get the same suggested address, neither is refused.

use crate::http::request::backend::Backend;
use crate::pages::form::Fields;
use crate::pages::instead;
use bootledger_port::{Receipt, Suggested};
use bootledger_projections::rows::deployments;

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
    let Ok(mut snapshot) = backend.read_now().await else { return path };
    let at = snapshot.at;
    let Ok(Some(found)) = deployments::find(snapshot.connection(), id, at).await else { return path };
    let query = instead::query(suggested, &found);
    if query.is_empty() { path } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn an_unchanged_suggestion_counts_as_an_empty_field() {
        let offered = suggest(fields(&[("mac", "52:54:00:00:00:01"), ("ip", "10.0.0.11"), ("hostname", "h200.dc1.example")]));
        let (left, suggested) = untouched(&offered);
        assert_eq!([left.text("mac"), left.text("ip"), left.text("hostname")], ["", "", ""]);
        assert_eq!(suggested.ip, Some(Ipv4Addr::new(10, 0, 0, 11)));
        assert_eq!(suggested.hostname.map(|name| name.to_string()).as_deref(), Some("h200.dc1.example"));
        assert!(suggested.mac.is_some());
    }

    #[test]
    fn entered_values_are_kept_and_emptied_fields_get_no_suggestion() {
        let offered = suggest(fields(&[("ip", "10.0.0.11"), ("hostname", "h200.dc1.example")]));
        let (left, suggested) = untouched(&offered.with("ip", "10.0.0.12").with("hostname", ""));
        assert_eq!((left.text("ip"), left.text("hostname")), ("10.0.0.12", ""));
        assert_eq!(suggested, Suggested::default());
    }
}
