//! Property tests of value types: no text makes a parser panic, a value that is written as text reads back as the same value,
//! and names that templates offer are free, valid and never repeated.

use super::dhcp_option::{Addresses, OptionName};
use super::hostname::{DomainName, Hostname};
use super::hostname_template::HostnameTemplate;
use super::ids::DeviceId;
use super::mac_address::MacAddress;
use super::name::Name;
use super::sha256::Sha256;
use super::text::Text;
use super::timestamp::Timestamp;
use super::{ParseError, shortened};
use crate::claims::Holder;
use crate::samples::parsed;
use crate::site::BootUrl;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// Checks that a parsed value reads back from its text as the same value, and that its JSON is that text.
fn round_trip<T>(text: &str) -> Option<T>
where
    T: FromStr<Err = ParseError> + Display + Debug + PartialEq + serde::Serialize,
{
    match text.parse::<T>() {
        Ok(value) => {
            assert_eq!(value.to_string().parse::<T>().as_ref(), Ok(&value));
            assert_eq!(serde_json::to_value(&value).expect("JSON"), value.to_string());
            Some(value)
        }
        Err(ParseError(why)) => {
            assert!(!why.is_empty());
            None
        }
    }
}

fn read_as_everything(text: &str) {
    round_trip::<Name>(text);
    round_trip::<Text>(text);
    round_trip::<DomainName>(text);
    round_trip::<Hostname>(text);
    round_trip::<HostnameTemplate>(text);
    round_trip::<MacAddress>(text);
    round_trip::<Sha256>(text);
    round_trip::<OptionName>(text);
    round_trip::<Timestamp>(text);
    round_trip::<DeviceId>(text);
    let _ = text.parse::<BootUrl>();
    let _ = text.parse::<Holder>();
    let fitted = Text::fitted(text);
    assert_eq!(fitted.to_string().parse::<Text>(), Ok(fitted), "what is made to fit fits");
}

/// Templates whose ranges may overlap, be small, or end at the largest number.
fn template() -> impl Strategy<Value = String> {
    let range = prop_oneof![(0..30u32, 0..30u32), (0..30u32, 0..30u32).prop_map(|(a, b)| (u32::MAX - a.max(b), b))];
    let alternative = (prop_oneof!["h", "h1", "", "web-"], range, prop_oneof![Just(".dc1.example"), Just("1.dc1.example")])
        .prop_map(|(prefix, (first, more), suffix)| format!("{prefix}<{first},{}>{suffix}", first.saturating_add(more)));
    vec(alternative, 1..4).prop_map(|alternatives| alternatives.join("|"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_a_panic(text in any::<String>()) {
        read_as_everything(&text);
    }

    #[test]
    fn no_text_that_is_nearly_right_is_a_panic(text in "[a-hA-H0-9<>,|.:+/ _-]{0,70}|[0-9a-f+]{64}|[0-9a-f:.+-]{12,17}") {
        read_as_everything(&text);
    }

    #[test]
    fn no_time_is_a_panic(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|[+-][0-2][0-9]:[0-5][0-9])") {
        if let Some(at) = round_trip::<Timestamp>(&text) {
            for seconds in [0, 60, -60, i64::MAX, i64::MIN] {
                prop_assert!(!at.plus_seconds(seconds).to_string().is_empty());
            }
        }
    }

    #[test]
    fn names_that_read_are_plain_ascii(text in "\\PC{0,20}") {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b)));
            prop_assert!(text.is_ascii() || text.trim().is_ascii(), "{:?} became {}", text, name);
        }
    }

    #[test]
    fn interfaces_are_read_in_every_notation(octets in any::<[u8; 6]>()) {
        let bare: String = octets.map(|octet| format!("{octet:02X}")).concat();
        if let Some(mac) = round_trip::<MacAddress>(&bare) {
            prop_assert_eq!(mac.octets(), octets);
            prop_assert_eq!(mac.bare().parse::<MacAddress>(), Ok(mac));
            prop_assert_eq!(mac.cisco().parse::<MacAddress>(), Ok(mac));
        } else {
            prop_assert!(octets[0] & 1 == 1 || octets == [0; 6]);
        }
    }

    #[test]
    fn a_digest_is_read_back(bytes in any::<[u8; 32]>()) {
        let digest = round_trip::<Sha256>(&Sha256::new(bytes).to_string()).expect("a digest");
        prop_assert_eq!(digest.bytes(), &bytes);
    }

    #[test]
    fn offered_names_are_free_valid_and_each_offered_once(text in template(), taken in vec(0..200usize, 0..20)) {
        let template: HostnameTemplate = parsed(&text);
        let all: Vec<Hostname> = template.free([]).collect();
        let taken: BTreeSet<&str> = taken.iter().filter_map(|place| all.get(*place)).map(Hostname::as_str).collect();
        let free: Vec<Hostname> = template.free(taken.iter().copied()).collect();
        let distinct: BTreeSet<&str> = free.iter().map(Hostname::as_str).collect();
        prop_assert_eq!(distinct.len(), free.len(), "a name was offered twice");
        prop_assert!(distinct.is_disjoint(&taken), "a taken name was offered");
        prop_assert_eq!(distinct.len() + taken.len(), all.len(), "a name was forgotten");
        for name in &free {
            prop_assert_eq!(name.to_string().parse::<Hostname>(), Ok(name.clone()));
        }
    }
}

#[test]
fn letters_that_only_become_ascii_are_refused() {
    let kelvin = "\u{212A}elvin.example";
    assert!(kelvin.parse::<Hostname>().is_err() && kelvin.parse::<Name>().is_err() && kelvin.parse::<DomainName>().is_err());
    assert!("\u{212A}<1,2>.example".parse::<HostnameTemplate>().is_err());
}

#[test]
fn signs_are_no_digits() {
    assert!("+a".repeat(32).parse::<Sha256>().is_err());
    assert!("h<+1,+2>.dc1.example".parse::<HostnameTemplate>().is_err());
}

#[test]
fn overlapping_alternatives_offer_each_name_once() {
    let template: HostnameTemplate = parsed("h<1,3>.dc1.example|h<2,4>.dc1.example");
    let names: Vec<_> = template.free([]).map(|name| name.to_string()).collect();
    assert_eq!(names, ["h1", "h2", "h3", "h4"].map(|name| format!("{name}.dc1.example")));
}

#[test]
fn the_largest_numbers_are_no_panic() {
    let template: HostnameTemplate = parsed("h<4294967294,4294967295>.dc1.example");
    let names: Vec<_> = template.free(["h4294967295.dc1.example"]).map(|name| name.to_string()).collect();
    assert_eq!(names, ["h4294967294.dc1.example"]);
    assert!("h<1,4294967296>.dc1.example".parse::<HostnameTemplate>().is_err());
}

#[test]
fn times_are_shown_in_utc_from_every_offset() {
    assert_eq!(parsed::<Timestamp>("2026-01-31T14:03:07+02:00").to_string(), "2026-01-31T12:03:07Z");
    let read: Timestamp = serde_json::from_str("\"2026-01-31T14:03:07+02:00\"").expect("JSON");
    assert_eq!(serde_json::to_string(&read).expect("JSON"), "\"2026-01-31T12:03:07Z\"");
    for text in ["", "now", "2026-01-31", "0000-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"] {
        assert!(text.parse::<Timestamp>().is_err(), "{text:?}");
    }
}

#[test]
fn an_option_of_addresses_has_at_least_one() {
    assert!(serde_json::from_str::<Addresses>("[]").is_err());
    assert_eq!(serde_json::from_str::<Addresses>("[\"10.0.0.3\"]").expect("JSON"), Addresses(vec![parsed("10.0.0.3")]));
}

#[test]
fn texts_are_one_line_of_at_most_300_characters() {
    assert_eq!(parsed::<Text>(" a line ").as_str(), "a line");
    assert!("ä".repeat(300).parse::<Text>().is_ok() && "ä".repeat(301).parse::<Text>().is_err());
    assert!("a\nb".parse::<Text>().is_err() && "a\0".parse::<Text>().is_err());
    assert_eq!(Text::fitted("a\nb\0").as_str(), "a b");
    assert_eq!(Text::fitted(&"ä".repeat(400)).as_str().chars().count(), 300);
}

#[test]
fn a_quoted_value_is_shown_up_to_its_hundredth_character() {
    let sentence = |quoted: &str| shortened(format!("{quoted:?} is not a name; write a name of {}", "few letters ".repeat(9)));
    let whole = "a".repeat(100);
    assert!(sentence(&whole).starts_with(&format!("\"{whole}\" is")));
    for longer in [101, 102] {
        assert!(sentence(&"a".repeat(longer)).starts_with(&format!("\"{whole}…\" is")), "{longer}");
    }
    let escaped = format!("{}\"{}", "a".repeat(50), "b".repeat(60));
    assert!(sentence(&escaped).contains("b…\" is not a name"), "{}", sentence(&escaped));
    let open = format!("an \"open quotation mark, {}", "and more ".repeat(20));
    assert_eq!(shortened(open.clone()), open);
}

#[test]
fn a_text_and_a_time_go_as_far_as_their_limits() {
    assert!("ä".repeat(300).parse::<Text>().is_ok() && "ä".repeat(301).parse::<Text>().is_err());
    assert!("0000-01-01T00:00:00Z".parse::<Timestamp>().is_ok());
}
