//! Tests every option of the table with typical, smallest and largest values, and custom options of every type: the checkers of
//! ISC dhcpd, Kea and dnsmasq accept everything that can be saved.

use super::{check, configuration, entry, network, render, site_with};
use crate::machines::dhcp::configuration::Configuration;
use crate::machines::dhcp::format::Format;
use bootledger_aggregates::values::dhcp_option::standard::STANDARD;
use bootledger_aggregates::values::dhcp_option::{DhcpOption, OptionType, OptionValue, broken};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[path = "../../../../../fuzz/read_back.rs"]
mod read_back;

const FORMATS: [Format; 3] = [Format::Isc, Format::Kea, Format::Dnsmasq];

/// Values of a type: a typical one, the smallest and the largest, and some that are difficult to write.
fn values(kind: OptionType, range: (i64, i64)) -> Vec<Value> {
    let numbers = |least: i64, most: i64| {
        let (least, most) = (least.max(range.0), most.min(range.1));
        vec![json!({"number": least}), json!({"number": most}), json!({"number": i64::midpoint(least, most)})]
    };
    let long = format!("{0}.{0}.{0}.example", "a".repeat(63));
    match kind {
        OptionType::Address => ["10.1.2.3", "0.0.0.1", "255.255.255.255"].map(|one| json!({"addresses": [one]})).into(),
        OptionType::Addresses => vec![
            json!({"addresses": ["10.1.2.3"]}),
            json!({"addresses": ["10.1.2.3", "255.255.255.255", "0.0.0.1"]}),
            json!({"addresses": vec!["100.100.100.100"; 56]}),
        ],
        OptionType::AddressPairs => vec![
            json!({"addresses": ["10.1.2.3", "255.255.255.0"]}),
            json!({"addresses": ["10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6"]}),
            json!({"addresses": vec!["100.100.100.100"; 56]}),
        ],
        OptionType::Text => [
            "a text",
            "x",
            "7",
            "1234",
            "10.0.0.1",
            "true",
            "0a:0b",
            "C:\\boot\\%HOSTNAME%\\my file",
            "quote \" and ' and \\\" }; option x",
            ", , ,",
            "\\",
            "\"",
            "# comment // comment /* comment */",
            "{{ x }} ${x} $(x) `x` <?include \"/etc/passwd\"?>",
            "/a/very,long=path;with:everything[0]{1}(2)<3>|4&5!6~7@8^9*+?",
            "-",
        ]
        .map(|text| json!({"text": text}))
        .into_iter()
        .chain(["x", "\\", "\"", ",", "#"].map(|text| json!({"text": text.repeat(255)})))
        .collect(),
        OptionType::Domain | OptionType::DomainName => {
            ["example", "dc1.example", "0/26.2.0.192.in-addr.arpa", "a_b.example", &long].map(|text| json!({"text": text})).into()
        }
        OptionType::DomainNames => {
            ["example", "dc1.example, example", "a.b.c.d.e.f example x", &long].map(|text| json!({"text": text})).into()
        }
        OptionType::Boolean => vec![json!({"flag": true}), json!({"flag": false})],
        OptionType::Uint8 if range == (1, 8) => [1, 2, 4, 8].map(|number| json!({"number": number})).into(),
        OptionType::Uint8 => numbers(0, u8::MAX.into()),
        OptionType::Uint16 => numbers(0, u16::MAX.into()),
        OptionType::Uint32 => numbers(0, u32::MAX.into()),
        OptionType::Int32 => [numbers(i32::MIN.into(), i32::MAX.into()), vec![json!({"number": -1})]].concat(),
        OptionType::Uint16List => {
            vec![json!({"number": 68}), json!({"numbers": [68, 65535]}), json!({"numbers": vec![1500; 127]})]
        }
        OptionType::Routes => vec![
            json!({"routes": [{"destination": "10.0.0.0/8", "router": "10.0.0.1"}]}),
            json!({"routes": [{"destination": "0.0.0.0/0", "router": "10.0.0.1"}, {"destination": "10.1.2.3/32", "router": "0.0.0.0"}]}),
            json!({"routes": vec![json!({"destination": "100.100.100.0/24", "router": "100.100.100.100"}); 31]}),
        ],
        // Groups of an enterprise number, a length and as many bytes.
        OptionType::Hex if range.0 == 5 => {
            let long = format!("00000009fa01f8{}", "0a".repeat(248));
            ["0000000900", "00000009030101ff", "00000009050103aabbcc", &long].map(|hex| json!({"hex": hex})).into()
        }
        OptionType::Hex => ["00", "ff:0a", &"0a".repeat(255)].map(|hex| json!({"hex": hex})).into(),
    }
}

/// A network for each number of values: the first one has the first value of every option, and so on.
fn with(options: &[(Value, Vec<Value>)]) -> Configuration {
    let most = options.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let networks: Vec<(String, Value)> = (0..most)
        .map(|number| {
            let options: Vec<Value> = options
                .iter()
                .map(|(option, values)| {
                    let mut option = option.clone();
                    option["value"] = values[number % values.len()].clone();
                    option
                })
                .collect();
            for option in &options {
                let option: DhcpOption = serde_json::from_value(option.clone()).expect("an option");
                assert_eq!(broken("o", std::slice::from_ref(&option), &[]), [], "{option:?} is refused");
            }
            (format!("n{number}"), json!({"gateway": format!("10.0.{number}.1"), "dhcp_options": options}))
        })
        .collect();
    let site = site_with(&networks[0].1["dhcp_options"]);
    let entries = vec![entry("10.0.0.20", "52:54:00:00:00:01", Some("h1.dc1.example"), "n0", true)];
    let networks =
        networks.iter().zip(0..).map(|((name, more), number)| (name.as_str(), network(&format!("10.0.{number}.0/24"), more)));
    configuration(&site, networks.collect(), entries)
}

fn accepted(configuration: &Configuration) {
    for format in FORMATS {
        let text = render(format, configuration);
        check(format, &text).unwrap_or_else(|said| panic!("{format}: {said}\n{}", text.chars().take(500).collect::<String>()));
    }
}

#[test]
fn every_option_of_the_table_is_accepted_by_every_server_with_every_value() {
    let allowed: Vec<_> = STANDARD.iter().filter(|one| one.refused().is_none()).collect();
    assert!(allowed.len() > 80, "{}", allowed.len());
    let options: Vec<(Value, Vec<Value>)> =
        allowed.iter().map(|one| (json!({"name": one.name()}), values(one.kind(), one.range()))).collect();
    let configuration = with(&options);
    accepted(&configuration);
    // Each option appears by its code, so that none was left out.
    let dnsmasq = render(Format::Dnsmasq, &configuration);
    let kea: Value = serde_json::from_str(&render(Format::Kea, &configuration)).expect("JSON");
    let kea = kea["Dhcp4"]["subnet4"][0]["option-data"].as_array().expect("options");
    for one in allowed {
        assert!(dnsmasq.contains(&format!("dhcp-option=tag:net/n0,{},", one.code())), "{}", one.name());
        let known = |data: &&Value| data["code"] == one.code() || one.kea().is_some_and(|name| data["name"] == name);
        assert_eq!(kea.iter().filter(known).count(), 1, "{}", one.name());
    }
}

#[test]
fn custom_options_of_every_type_and_every_code_are_accepted_by_every_server() {
    let standard: BTreeSet<u8> =
        STANDARD.iter().map(bootledger_aggregates::values::dhcp_option::standard::Standard::code).collect();
    let free: Vec<u8> = (1..=254).filter(|code| !standard.contains(code)).collect();
    assert!(free.len() > 100, "{}", free.len());
    for codes in free.chunks(OptionType::ALL.len() * 4) {
        let options: Vec<(Value, Vec<Value>)> = codes
            .iter()
            .zip(OptionType::ALL.iter().cycle())
            .map(|(code, (kind, text))| {
                (json!({"name": format!("own-{code}"), "code": code, "type": text}), values(*kind, (i64::MIN, i64::MAX)))
            })
            .collect();
        accepted(&with(&options));
    }
}

/// The rows of the table in the documentation.
fn documented() -> String {
    let row = |one: &bootledger_aggregates::values::dhcp_option::standard::Standard| {
        let others: Vec<&str> = one.names().filter(|name| *name != one.name()).collect::<BTreeSet<_>>().into_iter().collect();
        let also = if others.is_empty() { String::new() } else { format!(", `{}`", others.join("`, `")) };
        let set = if one.refused().is_some() { "not settable" } else { "" };
        format!(
            "| {} | `{}`{also} | {} | {} | {set} |\n",
            one.code(),
            one.name(),
            one.dnsmasq().unwrap_or(""),
            one.kind().as_str()
        )
    };
    STANDARD.iter().map(row).collect()
}

#[test]
fn the_documentation_has_the_table() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/dhcp-options.md");
    let text = std::fs::read_to_string(page).expect("docs/dhcp-options.md");
    let (_, table) = text.split_once("|---|---|---|---|---|\n").expect("a table");
    let rows: String = table.split_inclusive('\n').take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows, documented(), "write these rows into docs/dhcp-options.md");
}

#[test]
fn every_name_that_isc_dhcpd_or_kea_has_for_an_option_means_the_same() {
    for one in STANDARD.iter().filter(|one| one.refused().is_none()) {
        for name in one.names() {
            let value: OptionValue = serde_json::from_value(values(one.kind(), one.range()).remove(0)).expect("a value");
            let resolved =
                |name: &str| DhcpOption::standard(name.parse().expect("a name"), value.clone()).resolved().expect("an option");
            assert_eq!(resolved(name), resolved(one.name()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every text that can be saved, for any option, is one value that all three servers accept.
    #[test]
    fn any_text_that_may_be_saved_is_accepted_by_every_server(
        texts in proptest::collection::vec("([\"\\\\,#:;=/ .0-9a-fsbi%{}$'<>-]|[ -~]){1,255}", 1..12),
        site_tag in any::<[u8; 4]>(),
    ) {
        let kinds = ["root-path", "merit-dump", "nis-domain", "netbios-scope", "nds-context", "tftp-server-name", "pcode", "extensions-path",
            "v4-captive-portal", "loader-configfile", "uap-servers"];
        let mut options: Vec<DhcpOption> = kinds.iter().zip(&texts).filter_map(|(name, text)| {
            let option: DhcpOption = serde_json::from_value(json!({"name": name, "value": {"text": text}})).ok()?;
            broken("o", std::slice::from_ref(&option), &[]).is_empty().then_some(option)
        }).collect();
        let hex = site_tag.map(|byte| format!("{byte:02x}")).concat();
        options.push(serde_json::from_value(json!({"name": "tag", "code": 224, "type": "hex", "value": {"hex": hex}})).expect("an option"));
        let with = configuration(&site_with(&json!(options)), vec![("n", network("10.0.0.0/24", &json!({"dhcp_options": options})))],
            vec![entry("10.0.0.20", "52:54:00:00:00:01", None, "n", true)]);
        for option in options.iter().filter(|option| ["root-path", "merit-dump", "nds-context"].contains(&option.name.as_str())) {
            let resolved = option.resolved().expect("an option");
            let name = option.name.as_str();
            prop_assert_eq!(read_back::isc(&render(Format::Isc, &with), name), Some(resolved.wire.clone()));
            prop_assert_eq!(read_back::kea(&render(Format::Kea, &with), name), Some(resolved.wire.clone()));
            prop_assert_eq!(read_back::dnsmasq(&render(Format::Dnsmasq, &with), resolved.code), Some(resolved.wire.clone()));
        }
        for format in FORMATS {
            let text = render(format, &with);
            prop_assert!(check(format, &text).is_ok(), "{format}: {:?}\n{text}", check(format, &text));
        }
    }
}
