//! Tests of what only dnsmasq needs. What all formats have in common is tested beside the configuration.

use super::super::format::Format;
use super::super::tests::{check, configuration, entry, network, render, site_with};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::text::Text;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The text that dnsmasq gets for a network with these options, or the errors instead.
fn with_options(options: &Value) -> Result<String, Vec<String>> {
    let spec = network("10.0.0.0/24", &json!({ "dhcp_options": options }));
    let refused = Format::Dnsmasq.render(&configuration(&site_with(&json!([])), vec![("n", spec)], vec![]));
    refused.map_err(|refused| refused.0.into_iter().map(|broken| broken.message).collect())
}

fn with_option(name: &str, value: &Value) -> Result<String, Vec<String>> {
    with_options(&json!([{ "name": name, "value": value }]))
}

#[test]
fn invalid_options_are_all_refused_by_name() {
    let site = site_with(&json!([{"name": "rooters", "value": {"addresses": ["10.0.0.1"]}}]));
    let mixed = json!({"dhcp_options": [
        {"name": "interface-mtu", "value": {"text": "9000"}},
        {"name": "ntp-servers", "value": {"addresses": ["10.0.0.1"]}},
    ]});
    let with = configuration(&site, vec![("production", network("10.0.0.0/24", &mixed))], vec![]);
    for format in [Format::Isc, Format::Kea, Format::Dnsmasq] {
        let rules = format.render(&with).expect_err("two options").0;
        let reported: Vec<&str> = rules.iter().map(|rule| rule.message.as_str()).collect();
        assert!(reported[0].contains(" rooters ") && reported[0].contains("routers"), "{reported:?}");
        let facts = [" interface-mtu ", " production", " number"];
        assert!(facts.iter().all(|fact| reported[1].contains(fact)), "{reported:?}");
        assert!(rules.iter().all(|rule| rule.is(Rule::DhcpOptionUnwritable)), "{rules:?}");
        assert_eq!((reported.len(), rules[1].holder.as_deref()), (2, Some("network production")));
    }
}

#[test]
fn stored_values_that_dnsmasq_would_take_for_something_else_are_refused() {
    let many = |count: usize| json!({ "addresses": vec!["100.100.100.100"; count] });
    let mut messages = vec![];
    for (name, value) in [
        ("root-path", json!({"text": "--i"})),
        ("root-path", json!({"text": "12s"})),
        ("root-path", json!({"text": "x".repeat(256)})),
        ("ntp-servers", json!({"addresses": ["10.0.0.1", "0.0.0.0"]})),
        ("ntp-servers", many(64)),
        ("ntp-servers", many(63)),
        ("swap-server", many(2)),
        ("static-routes", many(3)),
        ("default-ip-ttl", json!({"number": 256})),
        ("ip-forwarding", json!({"number": 1})),
        ("domain-search", json!({"text": "a.example, b\"c"})),
        ("domain-search", json!({"text": " , "})),
    ] {
        let refused = with_option(name, &value).expect_err(name);
        assert_eq!(refused.len(), 1, "{name}: {refused:?}");
        messages.extend(refused);
    }
    insta::assert_snapshot!("values_that_dnsmasq_does_not_take", messages.join("\n"));
}

#[test]
fn texts_that_look_like_numbers_are_bytes_where_dnsmasq_knows_no_text() {
    for (name, text, written) in [
        ("merit-dump", "1234", "14,31:32:33:34"),
        ("merit-dump", "12s", "14,31:32:73"),
        ("merit-dump", "s", "14,115b"),
        ("merit-dump", "7", "14,55b"),
        ("merit-dump", "-", "14,45b"),
        ("merit-dump", "12sx", "14,\"12sx\""),
        ("root-path", "1234", "17,\"1234\""),
        ("nds-context", "10.0.0.1", "87,\"10.0.0.1\""),
    ] {
        let file = with_option(name, &json!({ "text": text })).unwrap_or_else(|why| panic!("{text}: {why:?}"));
        assert!(file.contains(&format!("dhcp-option=tag:net/n,{written}\n")), "{text}: {file}");
    }
}

#[test]
fn a_host_gets_its_full_name_where_its_networks_domain_differs() {
    let other = json!({"dhcp_options": [{"name": "domain-name", "value": {"text": "lab.example"}}]});
    let networks = vec![("a", network("10.0.0.0/24", &json!({}))), ("b", network("10.0.1.0/24", &other))];
    let entries = vec![
        entry("10.0.0.20", "52:54:00:00:00:01", Some("h1.dc1.example"), "a", false),
        entry("10.0.0.21", "52:54:00:00:00:02", Some("h2.storage.dc1.example"), "a", true),
        entry("10.0.1.20", "52:54:00:00:00:03", Some("h3.dc1.example"), "b", false),
        entry("10.0.1.21", "52:54:00:00:00:04", Some("h4.lab.example"), "b", false),
        // The first label of each would mean something else to dnsmasq as a word of its own.
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

    /// Every text that an aggregate accepts is one value on one line that dnsmasq can read, or is refused with a message.
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
                let unit = bootledger_aggregates::values::dhcp_option::is_number_with_unit(text.as_str());
                prop_assert!(unit || text.as_str().len() > 255, "{:?}", refused);
            }
        }
    }
}
