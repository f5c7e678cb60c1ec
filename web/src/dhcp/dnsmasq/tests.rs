//! What is peculiar to dnsmasq. What all formats have in common is tested beside the configuration.

use super::super::configuration::Format;
use super::super::tests::{check, configuration, entry, network, render, site_with};
use super::options::{Kind, OPTIONS};
use bootledger_aggregates::values::text::Text;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What dnsmasq is given where a network has these options, or what is told instead.
fn with_options(options: &Value) -> Result<String, Vec<String>> {
    let spec = network("10.0.0.0/24", &json!({ "dhcp_options": options }));
    let refused = Format::Dnsmasq.render(&configuration(&site_with(&json!([])), vec![("n", spec)], vec![]));
    refused.map_err(|refused| refused.0.into_iter().map(|broken| broken.message).collect())
}

fn with_option(name: &str, value: &Value) -> Result<String, Vec<String>> {
    with_options(&json!([{ "name": name, "value": value }]))
}

/// A value that an option of this kind may have.
fn example(kind: Kind) -> Value {
    match kind {
        Kind::Address => json!({"addresses": ["10.1.2.3"]}),
        Kind::Addresses | Kind::Pairs => json!({"addresses": ["10.1.2.3", "10.1.2.4"]}),
        Kind::Text => json!({"text": "a text, with \"quotes\""}),
        Kind::Names => json!({"text": "a.example, b.example"}),
        Kind::Flag => json!({"flag": true}),
        Kind::Byte => json!({"number": 8}),
        Kind::Short => json!({"number": 9000}),
        Kind::Long => json!({"number": 70_000}),
    }
}

#[test]
fn every_option_is_one_that_isc_dhcpd_or_kea_knows_with_such_a_value() {
    for (name, code, kind) in OPTIONS {
        let options = json!({"dhcp_options": [{ "name": name, "value": example(*kind) }]});
        let with = configuration(&site_with(&json!([])), vec![("n", network("10.0.0.0/24", &options))], vec![]);
        let text = render(Format::Dnsmasq, &with);
        assert!(text.contains(&format!("dhcp-option=tag:net/n,{code},")), "{name}: {text}");
        check(Format::Dnsmasq, &text).unwrap_or_else(|said| panic!("{name}: {said}"));
        let others = [Format::Isc, Format::Kea].map(|format| check(format, &render(format, &with)));
        assert!(others.iter().any(Result::is_ok), "{name}: {others:?}");
    }
}

#[test]
fn what_dnsmasq_cannot_be_told_is_refused_by_name_and_all_at_once() {
    let site = site_with(&json!([{"name": "rooters", "value": {"addresses": ["10.0.0.1"]}}]));
    let mixed = json!({"dhcp_options": [
        {"name": "interface-mtu", "value": {"text": "9000"}},
        {"name": "ntp-servers", "value": {"addresses": ["10.0.0.1"]}},
        {"name": "host-name", "value": {"text": "same"}},
    ]});
    let refused = Format::Dnsmasq.render(&configuration(&site, vec![("production", network("10.0.0.0/24", &mixed))], vec![]));
    let rules = refused.expect_err("three options").0;
    let told: Vec<&str> = rules.iter().map(|rule| rule.message.as_str()).collect();
    let ways_out = "; change or remove it there, or serve the site with ISC dhcpd or Kea";
    assert_eq!(
        told.iter().map(|message| message.strip_suffix(ways_out).expect("a way out")).collect::<Vec<_>>(),
        [
            "dnsmasq cannot be told the DHCP option rooters of the site's header: it is none that Bootledger can write for dnsmasq",
            "dnsmasq cannot be told the DHCP option interface-mtu of network production: it takes a number, not a text",
            "dnsmasq cannot be told the DHCP option host-name of network production: it is none that Bootledger can write for dnsmasq",
        ]
    );
}

#[test]
fn values_that_dnsmasq_would_take_for_something_else_are_refused() {
    let many = |count: usize| json!({ "addresses": vec!["100.100.100.100"; count] });
    for (name, value, reason) in [
        ("merit-dump", json!({"text": "s"}), "unit of a number"),
        ("root-path", json!({"text": "--i"}), "unit of a number"),
        ("root-path", json!({"text": "x".repeat(256)}), "256 bytes"),
        ("ntp-servers", json!({"addresses": ["10.0.0.1", "0.0.0.0"]}), "its own address"),
        ("ntp-servers", many(64), "more than an option can hold"),
        ("ntp-servers", many(63), "longer than dnsmasq reads"),
        ("swap-server", many(2), "one address"),
        ("static-routes", many(3), "in pairs"),
        ("default-ip-ttl", json!({"number": 256}), "more than 255"),
        ("interface-mtu", json!({"number": 65536}), "more than 65535"),
        ("ip-forwarding", json!({"number": 1}), "a flag, not a number"),
        ("domain-search", json!({"text": "a.example, b\"c"}), "not a domain name"),
        ("domain-search", json!({"text": " , "}), "names no domain"),
    ] {
        let [message] = &with_option(name, &value).expect_err(name)[..] else { panic!("{name}") };
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn a_host_is_told_its_whole_name_where_its_networks_domain_is_another() {
    let other = json!({"dhcp_options": [{"name": "domain-name", "value": {"text": "lab.example"}}]});
    let networks = vec![("a", network("10.0.0.0/24", &json!({}))), ("b", network("10.0.1.0/24", &other))];
    let entries = vec![
        entry("10.0.0.20", "52:54:00:00:00:01", Some("h1.dc1.example"), "a", false),
        entry("10.0.0.21", "52:54:00:00:00:02", Some("h2.storage.dc1.example"), "a", true),
        entry("10.0.1.20", "52:54:00:00:00:03", Some("h3.dc1.example"), "b", false),
        entry("10.0.1.21", "52:54:00:00:00:04", Some("h4.lab.example"), "b", false),
        // As a word of its own, each of these would mean something else.
        entry("10.0.1.22", "52:54:00:00:00:05", Some("ignore.lab.example"), "b", false),
        entry("10.0.1.23", "52:54:00:00:00:06", Some("24h.lab.example"), "b", false),
    ];
    let text = render(Format::Dnsmasq, &configuration(&site_with(&json!([])), networks, entries));
    check(Format::Dnsmasq, &text).expect("it is accepted");
    let hosts: Vec<&str> = text.lines().filter(|line| line.starts_with("dhcp-host=") || line.contains("tag:host/")).collect();
    assert_eq!(
        hosts,
        [
            "dhcp-host=52:54:00:00:00:01,10.0.0.20,h1.dc1.example",
            "dhcp-host=52:54:00:00:00:02,set:boot/live,set:host/10.0.0.21,10.0.0.21,h2.storage.dc1.example",
            "dhcp-option=tag:host/10.0.0.21,12,\"h2.storage.dc1.example\"",
            "dhcp-host=52:54:00:00:00:03,set:host/10.0.1.20,10.0.1.20,h3.dc1.example",
            "dhcp-option=tag:host/10.0.1.20,12,\"h3.dc1.example\"",
            "dhcp-host=52:54:00:00:00:04,10.0.1.21,h4.lab.example",
            "dhcp-host=52:54:00:00:00:05,10.0.1.22,ignore.lab.example",
            "dhcp-host=52:54:00:00:00:06,10.0.1.23,24h.lab.example",
        ]
    );
}

#[test]
fn every_name_that_a_domain_may_have_is_accepted() {
    let long = format!("{}.example", "a".repeat(63));
    for domain in ["example", "0/26.2.0.192.in-addr.arpa", "a_b.example", "10.dc1.example", &long] {
        let spec = network("10.0.0.0/8", &json!({ "domain": domain }));
        let text = render(Format::Dnsmasq, &configuration(&site_with(&json!([])), vec![("n", spec)], vec![]));
        check(Format::Dnsmasq, &text).unwrap_or_else(|said| panic!("{domain}: {said}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever an aggregate takes as a text is one value on one line that dnsmasq can read, or is refused in words.
    #[test]
    fn any_text_is_one_value_on_one_line(text in "([\"\\\\,#:;=/ .0-9a-fsi-]|\\PC){0,280}") {
        let Ok(text) = text.parse::<Text>() else { return Ok(()) };
        let before = with_options(&json!([])).expect("no options").lines().count();
        match with_option("root-path", &json!({ "text": text })) {
            Ok(file) => {
                prop_assert_eq!(file.lines().count(), before + usize::from(!text.is_empty()));
                prop_assert!(file.lines().all(|line| line.len() < 1024));
                prop_assert!(check(Format::Dnsmasq, &file).is_ok(), "{}", file);
            }
            Err(refused) => {
                let unit = ["s", "i"].contains(&text.as_str().trim_start_matches('-'));
                prop_assert!(unit || text.as_str().len() > 255, "{:?}", refused);
            }
        }
    }
}
