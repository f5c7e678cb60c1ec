//! Tests of what is checked again when a site changes, and of what the records of its zones leave to devices.

use super::*;
use crate::site::rules::{contradicted, taken};
use crate::zone::rules::OwnRecord;
use serde_json::{Value, json};

/// A site with these zones.
fn with(zones: Value) -> SiteSpec {
    SiteSpec { zones: serde_json::from_value(zones).expect("zones"), hostname_template: None, ..site() }
}

/// The codes of the rules that refuse this change of a site, in the order of the zones.
fn refused(before: Option<SiteSpec>, spec: SiteSpec, zones: ZoneFacts) -> Vec<String> {
    let given: Vec<_> = before.map(|spec| SiteEvent::SiteDefined { spec: Box::new(spec) }).into_iter().collect();
    let command =
        SiteCommand::DefineSite { spec: Box::new(spec), secret_problem: None, setting_secrets: SecretProblems::new(), zones };
    match outcome::<Site>(&given, command) {
        Ok(_) => vec![],
        Err(Refused(rules)) => rules.into_iter().map(|broken| broken.rule).collect(),
    }
}

fn changed(before: Value, after: Value) -> Vec<String> {
    let after = SiteSpec { name: parsed("another name"), ..with(after) };
    refused(Some(with(before)), after, ZoneFacts::default())
}

#[test]
fn a_zone_is_checked_again_when_it_changes_or_is_listed_once_more() {
    let ambiguous = "0-25.2.0.192.in-addr.arpa";
    let malformed = json!([{"name": "dc1.example", "records": "x A 1"}]);
    for (before, after, rules) in [
        (json!([ambiguous]), json!([ambiguous]), &[][..]),
        (json!(["dc1.example"]), json!(["dc1.example", "dc1.example"]), &["zone_listed_twice"]),
        (json!(["dc1.example", "dc1.example"]), json!(["dc1.example", "dc1.example"]), &[]),
        (json!(["dc1.example"]), malformed.clone(), &["record_malformed"]),
        (malformed.clone(), malformed, &[]),
        (json!([]), json!([ambiguous]), &["zone_malformed"]),
    ] {
        assert_eq!(changed(before.clone(), after.clone()), rules, "{before}, then {after}");
    }
}

#[test]
fn zones_of_different_names_may_each_have_settings() {
    let elsewhere = serde_json::from_value(json!({"name": "11.in-addr.arpa", "ttl": 60})).expect("a zone");
    let facts = ZoneFacts { elsewhere: vec![(parsed("dc2"), elsewhere)], own: vec![] };
    assert_eq!(refused(None, with(json!([{"name": "10.in-addr.arpa", "ttl": 60}])), facts), [""; 0]);
}

#[test]
fn extra_records_are_compared_with_zones_inside_and_with_devices_of_their_zone() {
    let zones = |inside: &str, records: &str| with(json!([{"name": "dc1.example", "records": records}, inside]));
    let none = ZoneFacts::default;
    assert_eq!(refused(None, zones("lab.dc1.example", "x.lab A 10.0.0.1"), none()), ["record_conflicts"]);
    assert_eq!(refused(None, zones("lab.example", "x.lab A 10.0.0.1"), none()), [""; 0]);
    let of = |zone: &str| ZoneFacts {
        elsewhere: vec![],
        own: vec![(
            parsed(zone),
            OwnRecord {
                name: "h200.dc1.example".to_owned(),
                kind: "A".to_owned(),
                value: "10.0.0.20".to_owned(),
                holder: "device d1".to_owned(),
            },
        )],
    };
    assert_eq!(refused(None, zones("lab.example", "h200 A 10.0.0.99"), of("dc1.example")), ["record_conflicts"]);
    assert_eq!(refused(None, zones("lab.example", "h200 A 10.0.0.99"), of("lab.example")), [""; 0]);
}

#[test]
fn extra_records_take_their_names_from_devices() {
    let records = "www A 10.0.0.1\nftp CNAME www\nsub NS ns.example.net.\nmail AAAA ::1\n_dmarc TXT x";
    let reverse = json!({"name": "0.10.in-addr.arpa", "records": "7.0 PTR other.example."});
    let spec = with(json!([{"name": "dc1.example", "records": records}, reverse]));
    let expected: [Hostname; 3] = ["www.dc1.example", "ftp.dc1.example", "sub.dc1.example"].map(parsed);
    assert_eq!(taken(&spec), expected.into());
    assert!(taken(&site()).is_empty());
    let refused = |name: &str, ip: &str| contradicted(&spec, &parsed(name), parsed(ip)).is_some();
    for (name, ip, expected) in [
        ("www.dc1.example", "10.0.0.1", false),
        ("www.dc1.example", "10.0.0.2", true),
        ("ftp.dc1.example", "10.0.0.2", true),
        ("h1.sub.dc1.example", "10.0.0.2", true),
        ("h1.dc1.example", "10.0.0.2", false),
        ("h1.dc1.example", "10.0.0.7", true),
    ] {
        assert_eq!(refused(name, ip), expected, "{name} {ip}");
    }
}

#[test]
fn a_boot_url_has_up_to_200_characters() {
    let of_length = |length: usize| format!("http://boot.dc1.example/{}", "a".repeat(length - 24));
    assert_eq!(of_length(200).parse::<BootUrl>().expect("the longest").as_str().len(), 200);
    assert!(of_length(201).parse::<BootUrl>().is_err());
}

#[test]
fn a_boot_url_from_before_a_rule_stays_and_a_new_one_is_refused() {
    for (url, rule) in [("http://010.0.0.1", "url_invalid"), ("http://0.0.0.0:8080", "boot_url_not_a_host")] {
        let with_url = || SiteSpec { boot_url: Some(parsed(url)), ..site() };
        let none = ZoneFacts::default;
        assert_eq!(refused(Some(with_url()), SiteSpec { name: parsed("another name"), ..with_url() }, none()), [""; 0], "{url}");
        assert_eq!(refused(Some(site()), with_url(), none()), [rule], "{url}");
    }
}
