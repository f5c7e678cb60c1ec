//! Every text that is accepted for a DHCP option is read back unchanged from the files of all three DHCP servers.
#![no_main]

#[path = "../read_back.rs"]
mod read_back;

use bootledger_aggregates::values::dhcp_option::{self, DhcpOption};
use bootledger_web::machines::dhcp::configuration::Configuration;
use bootledger_web::machines::dhcp::format::Format;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    for (name, kea, code) in [("root-path", "root-path", 17), ("merit-dump", "merit-dump", 14), ("nwip-domain", "nwip-domain-name", 62)] {
        let Ok(option) = serde_json::from_value::<DhcpOption>(json!({"name": name, "value": {"text": text}})) else { return };
        if !dhcp_option::broken("o", std::slice::from_ref(&option), &[]).is_empty() {
            return;
        }
        let network = json!({"cidr": "10.0.0.0/24", "site": "dc1", "gateway": null, "vlan": null, "domain": null, "dhcp_options": [option]});
        let site = json!({"next_server": null, "boot_url": null, "domain": "dc1.example", "hostname_template": null});
        let (Ok(network), Ok(site), Ok(url)) =
            (serde_json::from_value(network), serde_json::from_value(site), "http://10.0.0.1:8080".parse())
        else {
            panic!("the frame cannot be read");
        };
        let (Ok(dc1), Ok(n)) = ("dc1".parse(), "n".parse()) else { panic!("names") };
        let configuration = Configuration::new(dc1, &site, &url, [(n, network)], []);
        let trimmed = text.trim().as_bytes();
        let file = |format: Format| format.render(&configuration).unwrap_or_else(|refused| panic!("{format}: {refused}"));
        assert_eq!(read_back::isc(&file(Format::Isc), name).as_deref(), Some(trimmed), "isc.conf");
        assert_eq!(read_back::kea(&file(Format::Kea), kea).as_deref(), Some(trimmed), "kea.json");
        assert_eq!(read_back::dnsmasq(&file(Format::Dnsmasq), code).as_deref(), Some(trimmed), "dnsmasq.conf");
    }
});
