//! Tests of the rules of a site, one for each.

mod zones;

use super::*;
use crate::samples::{broken, outcome, parsed, site};

fn define(spec: SiteSpec) -> SiteCommand {
    SiteCommand::DefineSite {
        spec: Box::new(spec),
        secret_problem: None,
        setting_secrets: SecretProblems::new(),
        zones: ZoneFacts::default(),
    }
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
fn host_names_of_the_template_belong_to_the_sites_zones() {
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
        zones: ZoneFacts::default(),
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
    let unread = SiteCommand::DefineSite {
        spec: Box::new(set("boot-a")),
        secret_problem: None,
        setting_secrets,
        zones: ZoneFacts::default(),
    };
    assert_eq!(broken::<Site>(&[], unread), ["secret_missing"]);
    assert!(outcome::<Site>(&[], define(set("boot-a"))).is_ok());
}

#[test]
fn zones_agree_with_each_other_and_with_those_of_other_sites() {
    let zones = |zones: serde_json::Value| SiteSpec {
        zones: serde_json::from_value(zones).expect("zones"),
        hostname_template: None,
        ..site()
    };
    let refused = |spec: &SiteSpec, facts: ZoneFacts| {
        let command = SiteCommand::DefineSite {
            spec: Box::new(spec.clone()),
            secret_problem: None,
            setting_secrets: SecretProblems::new(),
            zones: facts,
        };
        match outcome::<Site>(&[], command) {
            Ok(_) => vec![],
            Err(refused) => refused.0.into_iter().map(|broken| (broken.field, broken.rule)).collect::<Vec<_>>(),
        }
    };
    let rule = |field: &str, rule: &str| (field.to_owned(), rule.to_owned());
    let alone = |value| refused(&zones(value), ZoneFacts::default());
    assert_eq!(alone(serde_json::json!(["a.example", "a.example"])), [rule("zones[1].name", "zone_listed_twice")]);
    assert_eq!(alone(serde_json::json!(["0-25.2.0.192.in-addr.arpa"])), [rule("zones[0].range", "zone_malformed")]);
    let twice = serde_json::json!(["0/25.2.0.192.in-addr.arpa", {"name": "rev.2.0.192.in-addr.arpa", "range": "192.0.2.0/25"}]);
    assert_eq!(alone(twice), [rule("zones[0].range", "range_claimed"), rule("zones[1].range", "range_claimed")]);
    assert_eq!(alone(serde_json::json!(["2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa", "0/26.2.0.192.in-addr.arpa"])), []);
    assert_eq!(
        alone(serde_json::json!([{"name": "a.example", "records": "x A 1"}])),
        [rule("zones[0].records", "record_malformed")]
    );
    assert_eq!(
        alone(serde_json::json!([{"name": "a.example", "records": "@ CNAME b"}])),
        [rule("zones[0].records", "record_conflicts")]
    );
    assert_eq!(
        alone(serde_json::json!([{"name": "a.example", "name_servers": ["ns.a.example"]}])),
        [rule("zones[0].name_servers", "name_server_unknown")]
    );
    let elsewhere = |zone: serde_json::Value| ZoneFacts {
        elsewhere: vec![(parsed("dc2"), serde_json::from_value(zone).expect("a zone"))],
        own: vec![],
    };
    let stated = serde_json::json!({"name": "10.in-addr.arpa", "ttl": 60});
    assert_eq!(
        refused(&zones(serde_json::json!([stated])), elsewhere(stated.clone())),
        [rule("zones[0].name", "zone_stated_twice")]
    );
    assert_eq!(
        refused(&zones(serde_json::json!(["10.in-addr.arpa"])), elsewhere(stated)),
        [],
        "one of the two states the fields"
    );
    let ours = serde_json::json!(["0/25.2.0.192.in-addr.arpa"]);
    let theirs = serde_json::json!({"name": "r.2.0.192.in-addr.arpa", "range": "192.0.2.64-192.0.2.191"});
    assert_eq!(refused(&zones(ours), elsewhere(theirs)), [rule("zones[0].range", "range_claimed")]);
}

#[test]
fn names_are_the_same_with_a_final_dot_and_in_capital_letters() {
    let spec = |domain: &str, zones: [&str; 2], server: &str| -> SiteSpec {
        let zone =
            serde_json::json!({"name": zones[1], "name_servers": [server], "mname": server, "rname": format!("ops@{domain}")});
        let updates = serde_json::json!({"primary": "10.0.0.53", "key": {"name": format!("key.{domain}"), "secret": "tsig"}});
        let spec = serde_json::json!({"domain": domain, "zones": [zones[0], zone], "dns_updates": updates});
        serde_json::from_value(spec).expect("a site")
    };
    let plain = spec("dc1.example", ["dc1.example", "0.10.in-addr.arpa"], "ns1.dc1.example");
    assert_eq!(spec("DC1.example.", ["Dc1.Example.", "0.10.IN-ADDR.arpa."], "NS1.dc1.example."), plain);
    for wrong in ["dc1.example..", ".", "..", "dc1..example", "bücher.example"] {
        assert!(serde_json::from_value::<crate::zone::Zone>(wrong.into()).is_err(), "{wrong}");
    }
}

#[test]
fn a_site_whose_domain_is_not_a_host_name_needs_a_responsible_mailbox() {
    let spec = |rname: Option<&str>| -> SiteSpec {
        let zone = serde_json::json!({"name": "dc1.example", "rname": rname});
        serde_json::from_value(serde_json::json!({"domain": "a_b.example", "zones": [zone]})).expect("a site")
    };
    let refused = Site::default().decide(define(spec(None))).expect_err("refused");
    assert!(refused.0.iter().any(|rule| rule.field == "zones[0].rname" && rule.message.contains("set rname")), "{refused:?}");
    let said = Site::default().decide(define(spec(Some("ops@dc1.example")))).map_err(|refused| format!("{refused:?}"));
    assert!(!said.is_err_and(|said| said.contains("rname")));
}

#[test]
fn a_zone_from_before_a_rule_stays_while_the_site_changes() {
    let old = SiteSpec { zones: vec![parsed("dc1.example"), parsed("0-25.2.0.192.in-addr.arpa")], ..site() };
    let given = [SiteEvent::SiteDefined { spec: Box::new(old.clone()) }];
    assert!(outcome::<Site>(&given, define(SiteSpec { next_server: None, ..old.clone() })).is_ok());
    let changed = SiteSpec { zones: [old.zones.clone(), vec![parsed("1-26.2.0.192.in-addr.arpa")]].concat(), ..old };
    assert_eq!(broken::<Site>(&given, define(changed)), ["range_claimed"], "1-26 can only mean 1 to 26, and that is taken");
}

#[test]
fn weak_algorithms_are_refused_with_the_way_out() {
    for (text, words) in [("hmac-md5", "tsig-keygen -a hmac-sha256"), ("hmac-sha1", "too weak"), ("sha256", "is not one of")] {
        let error = text.parse::<TsigAlgorithm>().expect_err("refused").to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!("HMAC-SHA512.".parse(), Ok(TsigAlgorithm::HmacSha512));
}

#[test]
fn the_next_server_is_one_that_a_host_can_have() {
    let next = |text: &str| SiteSpec { next_server: Some(parsed(text)), ..site() };
    for wrong in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1", "169.254.0.2", "240.0.0.1"] {
        assert_eq!(broken::<Site>(&[], define(next(wrong))), ["next_server_not_a_host"], "{wrong}");
    }
    let boot = |host: &str| SiteSpec { boot_url: Some(parsed(&format!("http://{host}:8080/boot"))), ..site() };
    for wrong in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "169.254.0.2"] {
        assert_eq!(broken::<Site>(&[], define(boot(wrong))), ["boot_url_not_a_host"], "{wrong}");
    }
    for fine in ["127.0.0.1", "10.0.0.1", "boot.dc1.example"] {
        assert!(outcome::<Site>(&[], define(boot(fine))).is_ok(), "{fine}");
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
