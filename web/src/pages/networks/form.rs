//! The form of a network.

use crate::pages::catalogue::form::{Pairs, Target, field, lines, maybe, needed, pair, view as form};
use crate::pages::catalogue::values::{Address, Cidr, Short, Whole};
use crate::pages::catalogue::{NETWORK, options};
use crate::pages::form::Fields;
use bootledger_aggregates::network::{NetworkSpec, usual_margin_bottom};
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::catalogue::Entry;
use maud::{Markup, html};

const NAMES: [&str; 12] = [
    "cidr",
    "site",
    "racks",
    "gateway",
    "vlan",
    "dns_servers",
    "domain",
    "margin_bottom",
    "margin_top",
    "dhcp",
    "dhcp_options",
    "ip_only_done",
];

/// The initial values of a new network's form.
pub(super) fn usual() -> Pairs {
    vec![pair("margin_top", 0), pair("dhcp", true), pair("ip_only_done", true)]
}

/// The form's values for a network.
pub(super) fn pairs(spec: &NetworkSpec) -> Pairs {
    let mut pairs = vec![
        pair("cidr", spec.cidr),
        pair("site", &spec.site),
        lines("racks", &spec.racks),
        maybe("gateway", spec.gateway.as_ref()),
        maybe("vlan", spec.vlan.as_ref()),
        lines("dns_servers", &spec.dns_servers),
        maybe("domain", spec.domain.as_ref()),
        pair("margin_bottom", spec.margin_bottom),
        pair("margin_top", spec.margin_top),
        pair("dhcp", spec.dhcp),
        pair("ip_only_done", spec.ip_only_done),
    ];
    pairs.extend(options::pairs("dhcp_options", &spec.dhcp_options));
    pairs
}

/// The network that the form describes; `None` if a field is wrong.
pub(super) fn read(fields: &mut Fields) -> Option<NetworkSpec> {
    let (cidr, site) = (fields.required::<Cidr>("cidr", "The range of addresses"), fields.required("site", "The site"));
    let (racks, gateway, vlan) =
        (fields.read_list::<Name>("racks"), fields.read::<Address>("gateway"), fields.read::<Short>("vlan"));
    let (dns_servers, domain) = (fields.read_list::<Address>("dns_servers"), fields.read("domain"));
    let margin_bottom = fields.read::<Whole>("margin_bottom").map(|number| number.0);
    let margin_top = fields.read::<Whole>("margin_top").map_or(0, |number| number.0);
    let dhcp_options = options::read(fields, "dhcp_options");
    let cidr = cidr?.0;
    Some(NetworkSpec {
        cidr,
        site: site?,
        racks,
        gateway: gateway.map(|gateway| gateway.0),
        vlan: vlan.map(|vlan| vlan.0),
        dns_servers: dns_servers.into_iter().map(|server| server.0).collect(),
        domain,
        margin_bottom: margin_bottom.unwrap_or_else(|| usual_margin_bottom(cidr)),
        margin_top,
        dhcp: fields.ticked("dhcp"),
        dhcp_options,
        ip_only_done: fields.ticked("ip_only_done"),
    })
}

/// Renders the form of a network.
pub(super) fn view(target: &Target, fields: &Fields, sites: &[(String, String)], racks: &[Entry<RackSpec>]) -> Markup {
    let of_site: Vec<&str> =
        racks.iter().filter(|rack| rack.spec.site.as_str() == fields.text("site")).map(|rack| rack.key.as_str()).collect();
    let known = if of_site.is_empty() { String::new() } else { format!(" Racks of the site: {}.", of_site.join(", ")) };
    let racks_hint = format!(
        "One per line. By default, a server gets an address from a network that reaches its rack. Without racks, only deployments that name an address use the network.{known}"
    );
    let inner = html! {
        div.pair {
            (needed(fields, "cidr", "Addresses", "In CIDR notation, such as 10.0.0.0/24.").text())
            (needed(fields, "site", "Site", "The site of the network.").select(Some("Choose a site"), sites))
        }
        (field(fields, "racks", "Racks", &racks_hint).list())
        div.pair {
            (field(fields, "gateway", "Gateway", "The router's address. It is never assigned to a server.").text())
            (field(fields, "vlan", "VLAN", "1 to 4094.").text_with("number", &html! {}))
        }
        div.pair {
            (field(fields, "dns_servers", "DNS servers", "The resolvers of its hosts, one per line.").list())
            (field(fields, "domain", "Domain", "Domain name sent to its hosts. Defaults to the site's domain.").text())
        }
        div.pair {
            (field(fields, "margin_bottom", "Reserved at the start", "Number of addresses after the network address that are never assigned. Defaults to 10, or fewer in a small network.").text_with("number", &html! {}))
            (field(fields, "margin_top", "Reserved at the end", "Number of addresses before the broadcast address that are never assigned.").text_with("number", &html! {}))
        }
        (field(fields, "dhcp", "Served by DHCP", "If not selected, its hosts are left out of DHCP configurations.").check())
        (options::table(fields, "dhcp_options", "DHCP options", "DHCP options sent to every host of the network, in addition to gateway, DNS servers and domain, by the option's standard name."))
        (field(fields, "ip_only_done", "Identify servers by address alone", "If selected, a server can report DONE and fetch secret files without the token of its deployment. Otherwise it needs the token, which only its own script contains.").check())
    };
    form(&NETWORK, target, fields, &NAMES, &inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use serde_json::json;

    fn full() -> NetworkSpec {
        serde_json::from_value(json!({
            "cidr": "10.0.0.0/22", "site": "dc1", "racks": ["r1", "r2"], "gateway": "10.0.0.1", "vlan": 120,
            "dns_servers": ["10.0.0.3", "10.0.0.4"], "domain": "prod.dc1.example", "margin_bottom": 20, "margin_top": 5, "dhcp": false,
            "dhcp_options": [{"name": "ntp-servers", "value": {"addresses": ["10.0.0.6"]}}], "ip_only_done": false
        }))
        .expect("a network")
    }

    #[test]
    fn every_field_of_a_network_survives_its_form() {
        let bare: NetworkSpec = serde_json::from_value(json!({"cidr": "10.0.0.0/24", "site": "dc1"})).expect("a network");
        for spec in [full(), bare] {
            let mut fields = Fields::new(pairs(&spec));
            assert_eq!(read(&mut fields), Some(spec));
            assert_eq!(fields.broken(), []);
        }
    }

    #[test]
    fn every_error_is_shown_beside_its_field() {
        let wrong = [
            pair("cidr", "10.0.0.0"),
            pair("racks", "r1\n<script>"),
            pair("gateway", "10.0.0"),
            pair("vlan", "many"),
            pair("dns_servers", "10.0.0.3, x"),
            pair("domain", "-"),
            pair("margin_bottom", "-1"),
            pair("margin_top", "x"),
        ];
        let mut fields = Fields::new(wrong.to_vec());
        assert_eq!(read(&mut fields), None);
        let option_text: Vec<&str> = fields.broken().iter().map(|error| error.field.as_str()).collect();
        for name in ["cidr", "site", "racks", "gateway", "vlan", "dns_servers", "domain", "margin_bottom", "margin_top"] {
            assert!(option_text.contains(&name), "{name}: {option_text:?}");
        }
        let html = view(&Target::New, &fields, &[], &[]);
        assert_eq!(attributes(&html, "#field-vlan", "value"), ["many"]);
        assert_eq!(texts(&html, "#field-racks")[0].trim(), "r1\n<script>");
        let error = texts(&html, "#error-gateway .error").concat();
        assert!(error.contains("\"10.0.0\"") && error.contains("10.0.0.1"), "{error}");
        assert!(texts(&html, "#refused li").len() >= 9);
    }
}
