//! What a change may not remove from a server that is being installed.

use super::*;

/// A site and a network that give servers a value of every kind.
fn giving() -> Catalogue {
    let option = |name: &str, ip: &str| json!({"name": name, "value": {"addresses": [ip]}});
    let mut before = catalogue();
    let options = [option("ntp-servers", "10.20.0.7"), option("log-servers", "10.20.0.8")];
    let spec = network(json!({"dns_servers": ["10.20.0.3", "10.20.0.4"], "dhcp_options": options}));
    before.networks.insert(name("prod"), spec);
    before.sites.insert(name("dc1"), site(json!({"dhcp_header": [option("time-servers", "10.20.0.9")]})));
    before
}

#[test]
fn data_of_a_server_that_is_being_installed_may_be_replaced_but_not_removed() {
    let before = giving();
    let with = |key: &str, value: Value, of_site: bool| {
        let (network, site) = (&before.networks[&name("prod")], &before.sites[&name("dc1")]);
        let mut spec = if of_site { serde_json::to_value(site) } else { serde_json::to_value(network) }.expect("JSON");
        spec[key] = value;
        if of_site {
            Change::Site(name("dc1"), Some(Box::new(read(spec))))
        } else {
            Change::Network(name("prod"), Some(Box::new(read(spec))))
        }
    };
    let cases = [
        ("gateway", json!(null), false, true),
        ("gateway", json!("10.20.0.254"), false, false),
        ("dns_servers", json!([]), false, true),
        ("dns_servers", json!(["10.20.0.4"]), false, false),
        ("dns_servers", json!(["10.20.0.5", "10.20.0.6"]), false, false),
        ("dns_servers", json!(["10.20.0.3", "10.20.0.4", "10.20.0.5"]), false, false),
        ("dhcp_options", json!([]), false, false),
        ("dhcp_header", json!([]), true, false),
        ("next_server", json!("10.20.0.4"), true, false),
        ("boot_url", json!("http://10.20.0.4"), true, false),
    ];
    for (field, value, of_site, refused) in cases {
        let (what, change) = (format!("{field} {value}"), with(field, value, of_site));
        for (held, refused) in [(done(), false), (idle(), false), (deploying(), refused)] {
            let mut weighing = Weighing::of(&change, &before);
            weighing.weigh([(held.clone(), held.clone())]);
            let found = weighing.consequences();
            let mut named: Vec<_> =
                found.invalidated.iter().skip(1).map(|rule| (rule.field.as_str(), rule.rule.as_str())).collect();
            named.dedup();
            assert_eq!(named, if refused { vec![(field, "deployment_live")] } else { vec![] }, "{what}, {}", held.called);
        }
        let scope = change.scope(&before);
        let looked_at = scope.sites.contains(&name("dc1")) || scope.concerns(&Use::Address([10, 20, 1, 60].into()));
        assert!(!refused || looked_at, "{what}: a deployment that starts at the same moment is missed");
    }
}
