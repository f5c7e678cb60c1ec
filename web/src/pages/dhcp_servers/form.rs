//! The form of a DHCP server.

use crate::pages::catalogue::DHCP_SERVER;
use crate::pages::catalogue::form::{Pairs, Target, field, maybe, needed, pair, view as form};
use crate::pages::catalogue::values::Address;
use crate::pages::form::Fields;
use bootledger_aggregates::dhcp_server::{DhcpKind, DhcpServerSpec};
use bootledger_aggregates::rules::Rule;
use maud::{Markup, html};

const KINDS: [(DhcpKind, &str, &str); 3] =
    [(DhcpKind::Isc, "isc", "ISC dhcpd"), (DhcpKind::Kea, "kea", "Kea"), (DhcpKind::Dnsmasq, "dnsmasq", "dnsmasq")];

/// The name of a kind of server.
pub(super) fn called(kind: DhcpKind) -> &'static str {
    KINDS.iter().find(|(known, ..)| *known == kind).map_or("", |(_, _, words)| words)
}

/// The form's values for a server.
pub(super) fn pairs(spec: &DhcpServerSpec) -> Pairs {
    let kind = KINDS.iter().find(|(known, ..)| *known == spec.kind).map_or("", |(_, name, _)| name);
    vec![pair("site", &spec.site), pair("kind", kind), maybe("address", spec.address.as_ref())]
}

/// The server that the form describes; `None` if a field is wrong.
pub(super) fn read(fields: &mut Fields) -> Option<DhcpServerSpec> {
    let (site, address) = (fields.required("site", "The site"), fields.read::<Address>("address"));
    let chosen = fields.text("kind").to_owned();
    let kind = KINDS.iter().find(|(_, name, _)| *name == chosen).map(|(kind, ..)| *kind);
    if kind.is_none() {
        fields.refuse("kind", Rule::Missing, "choose the software: ISC dhcpd, Kea or dnsmasq");
    }
    Some(DhcpServerSpec { site: site?, address: address.map(|address| address.0), kind: kind? })
}

/// Renders the form of a DHCP server.
pub(super) fn view(target: &Target, fields: &Fields, sites: &[(String, String)]) -> Markup {
    let kinds: Vec<(String, String)> = KINDS.iter().map(|(_, name, words)| ((*name).to_owned(), (*words).to_owned())).collect();
    let inner = html! {
        (needed(fields, "site", "Site", "The site whose networks it serves.").select(Some("Choose a site"), sites))
        (needed(fields, "kind", "Software", "Determines the configuration format. After a change of site or software, the server must confirm its configuration again.").select(Some("Choose one"), &kinds))
        (field(fields, "address", "Address", "For information only.").text())
    };
    form(&DHCP_SERVER, target, fields, &["site", "kind", "address"], &inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_field_of_a_server_survives_its_form() {
        for spec in [json!({"site": "dc1", "address": "10.0.0.2", "kind": "dnsmasq"}), json!({"site": "dc1", "kind": "isc"})] {
            let spec: DhcpServerSpec = serde_json::from_value(spec).expect("a server");
            let mut fields = Fields::new(pairs(&spec));
            assert_eq!(read(&mut fields), Some(spec));
        }
        let mut fields = Fields::new(vec![pair("site", "dc1"), pair("kind", "<b>"), pair("address", "x")]);
        assert_eq!(read(&mut fields), None);
        let message: Vec<&str> = fields.broken().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(message, ["address", "kind"]);
    }
}
