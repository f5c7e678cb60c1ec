//! With any option text, each DHCP configuration has as many lines and quotes as with a harmless text, and Kea's file contains
//! the text itself.
#![no_main]

use bootledger_aggregates::values::text::Text;
use bootledger_web::machines::dhcp::configuration::Configuration;
use bootledger_web::machines::dhcp::format::Format;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fn configuration(text: &str) -> Option<Configuration> {
    let site = json!({ "next_server": null, "boot_url": null, "domain": "dc1.example", "zones": [], "hostname_template": null,
        "dhcp_header": [{ "name": "root-path", "value": { "text": text } }] });
    let network = json!({ "cidr": "10.0.0.0/24", "site": "dc1", "gateway": null, "vlan": null, "domain": null,
        "dhcp_options": [{ "name": "merit-dump", "value": { "text": text } }] });
    let network = (("n").parse().ok()?, serde_json::from_value(network).ok()?);
    let url = "http://10.0.0.1".parse().ok()?;
    Some(Configuration::new("dc1".parse().ok()?, &serde_json::from_value(site).ok()?, &url, [network], []))
}

/// The number of lines, and the number of unescaped quotes.
fn shape(text: &str) -> (usize, usize) {
    let (mut quotes, mut characters) = (0, text.chars());
    while let Some(c) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '"' => quotes += 1,
            _ => {}
        }
    }
    (text.lines().count(), quotes)
}

fuzz_target!(|text: &str| {
    let Ok(text) = text.parse::<Text>() else { return };
    let (Some(written), Some(harmless)) = (configuration(text.as_str()), configuration("harmless")) else { return };
    if text.is_empty() {
        return;
    }
    for format in [Format::Isc, Format::Kea, Format::Dnsmasq] {
        let (Ok(written), Ok(harmless)) = (format.render(&written), format.render(&harmless)) else { continue };
        assert_eq!(shape(&written), shape(&harmless), "{format}");
        if format == Format::Kea {
            let read: Value = serde_json::from_str(&written).expect("JSON");
            let data = read["Dhcp4"]["subnet4"][0]["option-data"][1]["data"].as_str().expect("a text");
            assert_eq!(data.replace("\\,", ",").replace("\\\\", "\\"), text.as_str());
        }
    }
});
