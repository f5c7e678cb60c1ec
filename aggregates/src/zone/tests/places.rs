//! Tests of ranges, and of the zone that has an address or a name.

use super::*;
use crate::zone::range::AddressRange;

fn range(text: &str) -> AddressRange {
    text.parse().expect(text)
}

#[test]
fn a_range_has_its_first_and_its_last_address() {
    let middle = range("192.0.2.10-192.0.2.20");
    let contained = [9, 10, 15, 20, 21].map(|last| middle.contains(Ipv4Addr::new(192, 0, 2, last)));
    assert_eq!(contained, [false, true, true, true, false]);
    assert_eq!((middle.size(), range("192.0.2.7/32").size(), range("0.0.0.0/0").size()), (11, 1, 1 << 32));
    assert!(range("192.0.2.0/24").is_of_one_24() && !range("192.0.2.255-192.0.3.0").is_of_one_24());
}

#[test]
fn a_range_holds_what_is_inside_and_overlaps_what_it_shares_an_address_with() {
    let middle = range("192.0.2.10-192.0.2.20");
    for (other, holds, overlaps) in [
        ("192.0.2.10-192.0.2.20", true, true),
        ("192.0.2.11-192.0.2.19", true, true),
        ("192.0.2.9-192.0.2.20", false, true),
        ("192.0.2.10-192.0.2.21", false, true),
        ("192.0.2.0-192.0.2.10", false, true),
        ("192.0.2.20-192.0.2.30", false, true),
        ("192.0.2.0-192.0.2.9", false, false),
        ("192.0.2.21-192.0.2.30", false, false),
    ] {
        assert_eq!((middle.holds(range(other)), middle.overlaps(range(other))), (holds, overlaps), "{other}");
    }
}

#[test]
fn a_reverse_zone_is_below_arpa_or_has_a_range() {
    for (value, reverse) in [
        (json!("arpa"), true),
        (json!("in-addr.arpa"), true),
        (json!("10.in-addr.arpa"), true),
        (json!("8.b.d.0.1.0.0.2.ip6.arpa"), true),
        (json!({"name": "rev.dc1.example", "range": "192.0.2.0/25"}), true),
        (json!("dc1.example"), false),
        (json!("xarpa"), false),
    ] {
        assert_eq!(zone(value.clone()).is_reverse(), reverse, "{value}");
    }
    assert_eq!(name("arpa", [10, 0, 3, 20]).as_deref(), Some("20.3.0.10.in-addr.arpa"));
}

#[test]
fn two_numbers_are_a_range_or_a_block_and_in_one_case_both_are_the_same() {
    assert_eq!(name("30-31.2.0.192.in-addr.arpa", [192, 0, 2, 31]).as_deref(), Some("31.30-31.2.0.192.in-addr.arpa"));
    assert_eq!(zone(json!("30-31.2.0.192.in-addr.arpa")).problems(), []);
    assert_eq!(name("5-5.2.0.192.in-addr.arpa", [192, 0, 2, 5]), None);
}

#[test]
fn a_default_of_a_zone_is_not_stored() {
    let stored = json!({"name": "dc1.example", "ttl": 60});
    assert_eq!(serde_json::to_value(zone(stored.clone())).expect("JSON"), stored);
}

#[test]
fn a_range_may_repeat_what_the_name_says() {
    for (name, range) in [("2.0.192.in-addr.arpa", "192.0.2.0/24"), ("0/25.2.0.192.in-addr.arpa", "192.0.2.0/25")] {
        assert_eq!(zone(json!({"name": name, "range": range})).problems(), [], "{name}");
    }
}

#[test]
fn a_name_with_a_range_leaves_room_for_the_last_octet() {
    let problems = |length: usize| {
        let name = format!("{}.{}", vec!["a".repeat(63); 3].join("."), "b".repeat(length - 3 * 64));
        zone(json!({"name": name, "range": "192.0.2.0/25"})).problems().len()
    };
    assert_eq!((problems(249), problems(250)), (0, 1));
}

#[test]
fn a_zone_with_a_range_has_pointers_only() {
    let zones = [json!({"name": "rev.dc1.example", "range": "192.0.2.0/25"}), json!("dc1.example")].map(zone);
    let held = |name: &str| holding(&zones, name, None).map(|(zone, _)| zone.to_string());
    assert_eq!(held("h1.rev.dc1.example").as_deref(), Some("dc1.example"));
    assert_eq!(held("h1.dc2.example"), None);
}
