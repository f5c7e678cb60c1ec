//! Tests of the table of options, and of what is refused when options are saved. The tests of the configuration writers check
//! that every DHCP server accepts what is accepted here.

mod limits;

use super::standard::{self, STANDARD};
use super::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn option(json: Value) -> DhcpOption {
    serde_json::from_value(json).expect("an option")
}

/// The reasons for refusing options, one for each option.
fn refused(options: &[Value]) -> Vec<(String, String)> {
    let options: Vec<DhcpOption> = options.iter().cloned().map(option).collect();
    broken("dhcp_options", &options, &[]).into_iter().map(|broken| (broken.rule, broken.message)).collect()
}

fn why(json: &Value) -> String {
    let mut refused = refused(std::slice::from_ref(json));
    assert_eq!(refused.len(), 1, "{json} was judged {refused:?}");
    refused.remove(0).1
}

fn addresses(name: &str) -> Value {
    json!({"name": name, "value": {"addresses": ["10.0.0.1"]}})
}

#[test]
fn every_code_and_every_name_is_one_option() {
    let mut names: BTreeMap<&str, u8> = BTreeMap::new();
    for (one, next) in STANDARD.iter().zip(&STANDARD[1..]) {
        assert!(one.code() < next.code(), "{} and {}", one.name(), next.name());
    }
    for one in STANDARD {
        for name in one.names() {
            assert!(name.parse::<OptionName>().is_ok(), "{name}");
            assert_eq!(*names.entry(name).or_insert(one.code()), one.code(), "{name} is two options");
        }
    }
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    for (written, meant) in [
        ("ntp-server", "ntp-servers"),
        ("ntp-severs", "ntp-servers"),
        ("npt-servers", "ntp-servers"),
        ("rooters", "routers"),
        ("router", "routers"),
        ("dns-server", "domain-name-servers"),
        ("domain-name-server", "domain-name-servers"),
        ("mtu", "interface-mtu"),
        ("interface-mt", "interface-mtu"),
        ("tftp-server", "tftp-server-name"),
        ("classless-static-route", "classless-static-routes"),
        ("root-paht", "root-path"),
        ("search-domain", "domain-search"),
        ("log-server", "log-servers"),
    ] {
        if written == "search-domain" {
            assert!(!why(&addresses(written)).contains(meant), "too far away to guess");
            continue;
        }
        let [(rule, message)] = &refused(&[addresses(written)])[..] else { panic!("{written}") };
        assert_eq!(rule, "dhcp_option_unknown");
        assert!(message.contains(&format!(" {meant}?")), "{message}");
    }
    assert!(why(&addresses("ntp-server")).starts_with("option 1, ntp-server: "));
    assert!(why(&addresses("my-own-option")).contains("`code`"));
    for wrong in ["NTP_Servers", "Ntp-Server", "ntp_servers"] {
        let error = wrong.parse::<OptionName>().expect_err(wrong).to_string();
        assert!(error.contains("ntp-servers"), "{error}");
    }
}

#[test]
fn the_names_of_isc_dhcpd_and_kea_are_the_same_option() {
    for (one, other) in
        [("name-servers", "ien116-name-servers"), ("nwip-domain", "nwip-domain-name"), ("v4-captive-portal", "default-url")]
    {
        let code = |name: &str| standard::by_name(name).map(standard::Standard::code);
        assert!(code(one).is_some());
        assert_eq!(code(one), code(other));
    }
    let twice = [addresses("name-servers"), addresses("ien116-name-servers")];
    assert_eq!(refused(&twice)[0].0, "dhcp_option_repeated");
}

#[test]
fn options_that_bootledger_sets_itself_are_refused_with_the_reason_and_the_place() {
    let text = |name: &str| json!({"name": name, "value": {"text": "x"}});
    let mut messages = vec![];
    for name in [
        "host-name",
        "bootfile-name",
        "boot-file-name",
        "vendor-class-identifier",
        "filename",
        "next-server",
        "max-lease-time",
        "dhcp-message",
    ] {
        messages.push(why(&text(name)));
    }
    messages.push(why(&json!({"name": "dhcp-lease-time", "value": {"number": 60}})));
    messages.push(why(&json!({"name": "subnet-mask", "value": {"addresses": ["255.0.0.0"]}})));
    messages.push(why(&json!({"name": "x", "code": 175, "type": "hex", "value": {"hex": "01"}})));
    insta::assert_snapshot!("options_that_bootledger_sets", messages.join("\n"));
}

/// An option value of each form.
fn values() -> Vec<OptionValue> {
    let values = [
        json!({"addresses": ["10.0.0.1"]}),
        json!({"text": "dc1.example"}),
        json!({"number": 1}),
        json!({"numbers": [68, 1500]}),
        json!({"flag": true}),
        json!({"routes": [{"destination": "10.0.0.0/8", "router": "10.0.0.1"}]}),
        json!({"hex": "01:02:03:04:05:06"}),
    ];
    values.into_iter().map(|value| serde_json::from_value(value).expect("a value")).collect()
}

#[test]
fn a_value_of_another_type_is_refused_for_every_option_with_what_is_expected() {
    let mut judged = 0;
    for one in STANDARD.iter().filter(|one| one.refused().is_none()) {
        for value in values() {
            let option = DhcpOption::standard(one.name().parse().expect("a name"), value.clone());
            let broken = broken("o", std::slice::from_ref(&option), &[]);
            let right = match one.kind() {
                OptionType::Address | OptionType::Addresses | OptionType::AddressPairs => "addresses",
                OptionType::Text | OptionType::Domain | OptionType::DomainName | OptionType::DomainNames => "a string",
                OptionType::Boolean => "a flag",
                OptionType::Uint8 | OptionType::Uint16 | OptionType::Uint32 | OptionType::Int32 => "a number",
                OptionType::Uint16List => "several numbers",
                OptionType::Routes => "routes",
                OptionType::Hex => "bytes",
            };
            judged += 1;
            if value.noun() == right || (one.kind() == OptionType::Uint16List && value.noun() == "a number") {
                assert!(broken.iter().all(|broken| broken.rule == "dhcp_option_value"), "{option:?}: {broken:?}");
            } else {
                let [only] = &broken[..] else { panic!("{option:?} was accepted") };
                assert_eq!(only.rule, "dhcp_option_type", "{only:?}");
                assert!(only.message.contains(one.kind().expected()) && only.message.ends_with(value.noun()), "{only:?}");
                let stood_for_bytes = one.kind() == OptionType::Hex && value.noun() == "a string";
                assert_eq!(option.resolved().is_ok(), stood_for_bytes, "{option:?} would be written");
            }
        }
    }
    assert!(judged > 500, "{judged}");
}

#[test]
fn values_that_some_server_or_the_protocol_does_not_take_are_refused() {
    let text = |text: &str| json!({"name": "root-path", "value": {"text": text}});
    let many = |count: usize| json!({"name": "ntp-servers", "value": {"addresses": vec!["100.100.100.100"; count]}});
    let mut messages = vec![];
    for option in [
        text(""),
        text(&"x".repeat(256)),
        text("gräfin"),
        text("s"),
        text("12b"),
        many(57),
        json!({"name": "ntp-servers", "value": {"addresses": ["0.0.0.0"]}}),
        json!({"name": "swap-server", "value": {"addresses": ["10.0.0.1", "10.0.0.2"]}}),
        json!({"name": "static-routes", "value": {"addresses": ["10.0.0.1"]}}),
        json!({"name": "default-ip-ttl", "value": {"number": 256}}),
        json!({"name": "default-ip-ttl", "value": {"number": 0}}),
        json!({"name": "interface-mtu", "value": {"number": 67}}),
        json!({"name": "interface-mtu", "value": {"number": 65536}}),
        json!({"name": "time-offset", "value": {"number": 90_000}}),
        json!({"name": "arp-cache-timeout", "value": {"number": -1}}),
        json!({"name": "netbios-node-type", "value": {"number": 3}}),
        json!({"name": "dhcp-renewal-time", "value": {"number": 3600}}),
        json!({"name": "domain-name", "value": {"text": "two words"}}),
        json!({"name": "domain-search", "value": {"text": "a.example, -b"}}),
        json!({"name": "domain-search", "value": {"text": "aaaaaaaaaaaaaaaaaaaaaaaaa.example ".repeat(8)}}),
        json!({"name": "classless-static-routes", "value": {"routes": []}}),
        json!({"name": "classless-static-routes", "value": {"routes": [{"destination": "10.0.0.1/8", "router": "10.0.0.1"}]}}),
        json!({"name": "vivso", "value": {"hex": "01"}}),
        json!({"name": "vivso", "value": {"hex": "0000000902ff"}}),
        json!({"name": "vivso", "value": {"hex": "0000000901ff"}}),
        json!({"name": "vivco", "value": {"hex": "000000090000000009"}}),
    ] {
        messages.push(why(&option));
    }
    insta::assert_snapshot!("refused_values", messages.join("\n"));
}

#[test]
fn a_custom_option_has_a_code_of_its_own_and_a_type() {
    let custom = |code: u8, kind: Value, value: Value| json!({"name": "my-option", "code": code, "type": kind, "value": value});
    let text = json!({"text": "x"});
    assert_eq!(refused(&[custom(224, json!("text"), text.clone())]), []);
    let mut messages = vec![];
    for option in [
        custom(0, json!("text"), text.clone()),
        custom(255, json!("text"), text.clone()),
        custom(42, json!("text"), text.clone()),
        custom(42, json!("ip-addresses"), json!({"addresses": ["10.0.0.1"]})),
        json!({"name": "my-option", "code": 224, "value": {"text": "x"}}),
        custom(224, json!("uint16"), text.clone()),
        json!({"name": "my-option", "type": "text", "value": {"text": "x"}}),
        json!({"name": "ntp-servers", "code": 224, "type": "text", "value": {"text": "x"}}),
        json!({"name": "ntp-servers", "type": "text", "value": {"text": "x"}}),
    ] {
        messages.push(why(&option));
    }
    insta::assert_snapshot!("refused_custom_options", messages.join("\n"));
    let standard = json!({"name": "ntp-servers", "code": 42, "type": "ip-addresses", "value": {"addresses": ["10.0.0.1"]}});
    assert_eq!(refused(&[standard]), []);
    assert!(serde_json::from_value::<DhcpOption>(custom(255, json!("string"), text.clone())).is_err());
    let twice =
        [custom(224, json!("text"), text.clone()), json!({"name": "b", "code": 224, "type": "hex", "value": {"hex": "01"}})];
    let (rule, message) = &refused(&twice)[0];
    assert!(rule == "dhcp_option_repeated" && message.starts_with("option 2, b: "), "{rule}: {message}");
}

#[test]
fn a_value_that_an_older_version_accepted_does_not_prevent_other_changes() {
    let old: Vec<DhcpOption> =
        [addresses("ntp-server"), json!({"name": "bootfile-name", "value": {"text": "x"}})].map(option).into();
    assert_eq!(broken("o", &old, &[]).len(), 2);
    assert_eq!(broken("o", &old, &old), []);
    let more = [old.clone(), vec![option(addresses("rooters"))]].concat();
    let rules = broken("o", &more, &old);
    assert!(matches!(&rules[..], [only] if only.message.starts_with("option 3, rooters")), "{rules:?}");
    assert!(old[0].resolved().is_err(), "no format can express it");
    assert!(old[1].resolved().is_ok(), "it is written as before");
}

#[test]
fn an_option_is_the_bytes_that_its_rfc_says() {
    let wire = |json: Value| {
        let resolved = option(json).resolved().expect("an option");
        (resolved.code, resolved.wire)
    };
    assert_eq!(wire(json!({"name": "time-offset", "value": {"number": -18000}})), (2, vec![0xff, 0xff, 0xb9, 0xb0]));
    assert_eq!(wire(json!({"name": "path-mtu-plateau-table", "value": {"numbers": [68, 1500]}})), (25, vec![0, 68, 5, 220]));
    let domains = wire(json!({"name": "sip-ua-cs-domains", "value": {"text": "a.example b"}}));
    assert_eq!(domains, (141, b"\x01a\x07example\x00\x01b\x00".to_vec()));
    let routes = json!({"name": "classless-static-routes", "value": {"routes": [
        {"destination": "0.0.0.0/0", "router": "10.0.0.1"}, {"destination": "10.17.0.0/17", "router": "10.0.0.2"},
    ]}});
    // The example in RFC 3442 encodes 10.17.0.0/16 as 16.10.17.
    assert_eq!(wire(routes), (121, vec![0, 10, 0, 0, 1, 17, 10, 17, 0, 10, 0, 0, 2]));
    for text in ["0a:0B:ff", "0A0bFF"] {
        assert_eq!(text.parse::<HexBytes>().expect(text).bytes(), [10, 11, 255]);
    }
    for text in ["", "0", "a:b", "0a:", ":0a", "0a 0b", "xx", "0x0a", "é0"] {
        assert!(text.parse::<HexBytes>().is_err(), "{text:?}");
    }
}
