//! One test for each rule of a site.

use super::*;
use crate::samples::{broken, outcome, parsed, site};

fn define(spec: SiteSpec) -> SiteCommand {
    SiteCommand::DefineSite { spec: Box::new(spec), secret_problem: None, setting_secrets: SecretProblems::new() }
}

fn defined() -> Vec<SiteEvent> {
    vec![SiteEvent::SiteDefined { spec: Box::new(site()) }]
}

#[test]
fn a_site_is_defined_and_changed_and_the_same_again_writes_nothing() {
    assert_eq!(outcome::<Site>(&[], define(site())), Ok(defined()));
    assert_eq!(outcome::<Site>(&defined(), define(site())), Ok(vec![]));
    let changed = SiteSpec { next_server: None, ..site() };
    let expected = SiteEvent::SiteDefined { spec: Box::new(changed.clone()) };
    assert_eq!(outcome::<Site>(&defined(), define(changed)), Ok(vec![expected]));
}

#[test]
fn host_names_of_the_template_lie_in_the_sites_zones() {
    let template = |text: &str| SiteSpec { hostname_template: Some(parsed(text)), ..site() };
    assert_eq!(broken::<Site>(&[], define(template("h<1,9>.elsewhere.example"))), ["zone_not_managed"]);
    assert_eq!(broken::<Site>(&[], define(template("h<1,9>.dc1.example|h<1,9>.dc2.example"))), ["zone_not_managed"]);
    assert_eq!(
        broken::<Site>(&[], define(template("h<1,9>dc1.example"))),
        ["zone_not_managed"],
        "h1dc1.example is no name of dc1.example"
    );
    for inside in ["h<1,9>.dc1.example", "<1,9>x.dc1.example", "web.<1,9>.dc1.example", "h<1,9>.lab.dc1.example"] {
        assert!(outcome::<Site>(&[], define(template(inside))).is_ok(), "{inside}");
    }
    assert!(outcome::<Site>(&[], define(SiteSpec { hostname_template: None, zones: vec![], ..site() })).is_ok());
}

#[test]
fn a_name_belongs_to_the_longest_zone_that_contains_it() {
    let spec = SiteSpec { zones: ["example", "dc1.example", "0.10.in-addr.arpa"].map(parsed).into(), ..site() };
    let zone = |name: &str| spec.zone_of(name).map(ToString::to_string);
    assert_eq!(zone("h1.dc1.example").as_deref(), Some("dc1.example"));
    assert_eq!(zone("h1.dc2.example").as_deref(), Some("example"));
    assert_eq!(zone("5.0.0.10.in-addr.arpa").as_deref(), Some("0.10.in-addr.arpa"));
    assert_eq!(zone("h1.other"), None);
}

#[test]
fn a_site_is_retired_when_nothing_uses_it() {
    let retire = |used_by: &[&str]| SiteCommand::RetireSite { used_by: used_by.iter().map(ToString::to_string).collect() };
    assert_eq!(broken::<Site>(&defined(), retire(&["network dc1-prod"])), ["site_in_use"]);
    assert_eq!(outcome::<Site>(&defined(), retire(&[])), Ok(vec![SiteEvent::SiteRetired {}]));
    let retired: Vec<_> = defined().into_iter().chain([SiteEvent::SiteRetired {}]).collect();
    for given in [vec![], retired.clone()] {
        assert_eq!(outcome::<Site>(&given, retire(&[])), Ok(vec![]), "there is nothing to retire");
    }
    assert_eq!(outcome::<Site>(&retired, define(site())), Ok(defined()), "it may come back");
}

#[test]
fn a_boot_url_is_plain() {
    assert_eq!(parsed::<BootUrl>(" https://boot.dc1.example:8443/base/ ").as_str(), "https://boot.dc1.example:8443/base");
    for text in ["", "http://", "https:///x", "ftp://a", "http://a?b", "http://u@a", "http://a b", "http://a\nset x", "//a"] {
        assert!(text.parse::<BootUrl>().is_err(), "{text:?}");
    }
}

#[test]
fn updates_need_zones_and_a_secret_that_can_be_read() {
    let text = r#"{ "primary": "10.0.0.53", "key": { "name": "bootledger", "secret": "tsig-dc1" } }"#;
    let updates: DnsUpdates = serde_json::from_str(text).expect("updates");
    assert_eq!((updates.port.get(), updates.key.algorithm), (53, TsigAlgorithm::HmacSha256));
    let spec = SiteSpec { dns_updates: Some(updates), ..site() };
    assert!(outcome::<Site>(&[], define(spec.clone())).is_ok());
    let unread = SiteCommand::DefineSite {
        spec: Box::new(spec.clone()),
        secret_problem: Some("there is no secret".to_owned()),
        setting_secrets: SecretProblems::new(),
    };
    assert_eq!(broken::<Site>(&[], unread), ["secret_missing"]);
    let nowhere = SiteSpec { zones: vec![], hostname_template: None, ..spec };
    assert_eq!(broken::<Site>(&[], define(nowhere)), ["zones_missing"]);
}

#[test]
fn a_site_refers_only_to_secrets_for_boot_files_that_can_be_read() {
    let set = |secret: &str| SiteSpec {
        settings: crate::samples::settings(serde_json::json!({ "password": { "secret": secret } })),
        ..site()
    };
    assert_eq!(broken::<Site>(&[], define(set("bmc"))), ["secret_not_for_boot"]);
    let setting_secrets = SecretProblems::from([(parsed("boot-a"), "there is no secret boot-a".to_owned())]);
    let unread = SiteCommand::DefineSite { spec: Box::new(set("boot-a")), secret_problem: None, setting_secrets };
    assert_eq!(broken::<Site>(&[], unread), ["secret_missing"]);
    assert!(outcome::<Site>(&[], define(set("boot-a"))).is_ok());
}

#[test]
fn the_next_server_is_one_that_a_host_can_have() {
    let next = |text: &str| SiteSpec { next_server: Some(parsed(text)), ..site() };
    for wrong in ["0.0.0.0", "255.255.255.255", "224.0.0.1"] {
        assert_eq!(broken::<Site>(&[], define(next(wrong))), ["next_server_not_a_host"], "{wrong}");
    }
    let stored = vec![SiteEvent::SiteDefined { spec: Box::new(next("255.255.255.255")) }];
    let other = SiteSpec { name: parsed("other"), ..next("255.255.255.255") };
    assert!(outcome::<Site>(&stored, define(other)).is_ok(), "what is stored is not judged again");
}

#[test]
fn options_of_the_header_are_judged_with_the_site() {
    let with = |name: &str| {
        let value = serde_json::json!([{"name": name, "value": {"addresses": ["10.0.0.2"]}}]);
        SiteSpec { dhcp_header: serde_json::from_value(value).expect("options"), ..site() }
    };
    assert_eq!(broken::<Site>(&[], define(with("ntp-server"))), ["dhcp_option_unknown"]);
    assert!(outcome::<Site>(&[], define(with("ntp-servers"))).is_ok());
}
