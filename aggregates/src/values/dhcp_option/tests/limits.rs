//! Tests of the limits of options, of custom definitions of standard ones, and of options that are stored already.

use super::*;

/// Custom options with different codes that are not those of standard options.
fn custom(count: usize) -> Vec<DhcpOption> {
    let free = (1..=254).filter(|code| standard::by_code(*code).is_none());
    let one = |code: u8| option(json!({"name": format!("my-{code}"), "code": code, "type": "hex", "value": {"hex": "01"}}));
    let options: Vec<_> = free.take(count).map(one).collect();
    assert_eq!(options.len(), count);
    options
}

fn rules(options: &[DhcpOption], before: &[DhcpOption]) -> Vec<String> {
    broken("o", options, before).into_iter().map(|broken| broken.rule).collect()
}

#[test]
fn values_up_to_the_limits_are_accepted() {
    let text = "x".repeat(255);
    let addresses = vec!["100.100.100.100"; MOST_ADDRESSES];
    for fine in [
        json!({"name": "root-path", "value": {"text": text}}),
        json!({"name": "ntp-servers", "value": {"addresses": addresses}}),
        json!({"name": "vivco", "value": {"hex": "0000000902ffff00000009020102"}}),
        json!({"name": "vivso", "value": {"hex": "00000009060101ff0201ff"}}),
        json!({"name": "vivso", "value": {"hex": "0000000900"}}),
    ] {
        assert_eq!(refused(std::slice::from_ref(&fine)), [], "{fine}");
    }
    assert_eq!("ab".repeat(512).parse::<HexBytes>().expect("the longest").bytes().len(), 512);
    assert!("ab".repeat(513).parse::<HexBytes>().is_err());
    assert!("a".repeat(64).parse::<OptionName>().is_ok());
    assert!("a".repeat(65).parse::<OptionName>().is_err());
}

#[test]
fn the_number_of_options_is_limited_where_it_grows() {
    let all = custom(MOST + 2);
    assert_eq!(rules(&all[..MOST], &[]), [""; 0]);
    assert_eq!(rules(&all[..=MOST], &[]), ["dhcp_options_too_many"]);
    let before = &all[..=MOST];
    assert_eq!(rules(&all[1..], before), [""; 0], "one is replaced");
    assert_eq!(rules(&all, before), ["dhcp_options_too_many"]);
    assert_eq!(rules(&all[..=MOST], &all), [""; 0], "one is removed");
}

#[test]
fn a_stored_option_is_repeated_only_where_it_is_added_once_more() {
    let one = custom(1);
    let two = [one.clone(), one.clone()].concat();
    assert_eq!(rules(&two, &one), ["dhcp_option_repeated"]);
    assert_eq!(rules(&two, &two), [""; 0], "an earlier version accepted it");
}

#[test]
fn a_standard_option_may_repeat_its_own_code_and_type_and_no_other() {
    let addresses = json!({"addresses": ["10.0.0.1"]});
    for (fine, mut json) in [
        (true, json!({"name": "ntp-servers", "type": "ip-addresses"})),
        (true, json!({"name": "ntp-servers", "code": 42, "type": "ip-addresses"})),
        (true, json!({"name": "ntp-servers", "code": 42})),
        (true, json!({"name": "ien116-name-servers", "code": 5, "type": "ip-addresses"})),
        (false, json!({"name": "ntp-servers", "code": 42, "type": "ip-address"})),
        (false, json!({"name": "ntp-servers", "code": 5, "type": "ip-addresses"})),
        (false, json!({"name": "my-option", "code": 42, "type": "ip-addresses"})),
    ] {
        json["value"] = addresses.clone();
        assert_eq!(refused(std::slice::from_ref(&json)).is_empty(), fine, "{json}");
    }
}

#[test]
fn a_number_with_a_unit_has_digits_and_hyphens_before_it() {
    for (text, expected) in [("12b", true), ("-5s", true), ("1-2i", true), ("s", true), ("xs", false), ("12", false), ("", false)]
    {
        assert_eq!(is_number_with_unit(text), expected, "{text:?}");
    }
}

#[test]
fn a_name_is_suggested_up_to_a_quarter_of_its_letters_and_one_more() {
    assert_eq!(standard::nearest("rotrs"), Some("routers"), "two of five letters are missing");
    assert_eq!(standard::nearest("xxxxx"), None);
}

#[test]
fn dnsmasq_knows_the_options_that_it_or_isc_dhcpd_names() {
    let known = |json: Value| option(json).resolved().expect("an option").dnsmasq;
    assert!(known(json!({"name": "sip-servers", "value": {"hex": "01"}})), "by a name of its own");
    assert!(known(json!({"name": "time-servers", "value": {"addresses": ["10.0.0.1"]}})), "by that of isc dhcpd");
    assert!(!known(json!({"name": "vivco", "value": {"hex": "0000000900"}})));
}
