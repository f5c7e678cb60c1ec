//! Tests that any text that a user writes into an option arrives as that text, in every format, and never becomes syntax. The
//! fuzz target `dhcp_writers` does the same with texts that a fuzzer finds.

use super::{check, configuration, network, render, site_with};
use crate::machines::dhcp::configuration::Configuration;
use crate::machines::dhcp::format::Format;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::values::text::Text;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// Texts with all kinds of characters, and with those that have a meaning for one of the servers.
fn texts() -> impl Strategy<Value = String> {
    let texts =
        prop_oneof!["[\"\\\\,;{}#/*$<?>'`%=:|&@!~ a01ns-]{1,60}", "\\PC{1,60}", "[a-z\\\\\"]{1,300}", "(\\\\|\"|,){1,40}"];
    let allowed = |text: String| text.parse::<Text>().ok().map(|text| text.as_str().to_owned()).filter(|text| !text.is_empty());
    texts.prop_filter_map("no text that may be saved", allowed)
}

/// A site whose networks have one of these texts each, as an option.
fn with(texts: &[String]) -> Configuration {
    let specs: Vec<(String, NetworkSpec)> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| {
            let options = json!({ "dhcp_options": [{ "name": "merit-dump", "value": { "text": text } }] });
            (format!("n{n}"), network(&format!("10.{}.{}.0/24", n / 250, n % 250), &options))
        })
        .collect();
    let specs = specs.iter().map(|(name, spec)| (name.as_str(), spec.clone())).collect();
    configuration(&site_with(&json!([])), specs, vec![])
}

/// Reads a text as dhcpd does: three octal digits after a backslash are a byte.
fn read_by_dhcpd(text: &str) -> Option<Vec<u8>> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix("option merit-dump \"")?.strip_suffix("\";"))?;
    let (mut bytes, mut rest) = (vec![], value.as_bytes());
    while let [first, more @ ..] = rest {
        rest = more;
        match first {
            b'"' => return None,
            b'\\' => {
                let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 8).ok()?);
                rest = &rest[3..];
            }
            byte => bytes.push(*byte),
        }
    }
    Some(bytes)
}

/// Reads a text as Kea does: a comma without a backslash before it separates values.
fn read_by_kea(text: &str) -> Option<String> {
    let document: Value = serde_json::from_str(text).ok()?;
    let options = document["Dhcp4"]["subnet4"][0]["option-data"].as_array()?.clone();
    let data = options.iter().find(|option| option["name"] == "merit-dump")?["data"].as_str()?.to_owned();
    unescaped(&data, |c| c == ',')
}

/// Reads a text within quotes as dnsmasq does.
fn read_by_dnsmasq(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("dhcp-option=tag:net/n0,14,"))?;
    // A value that dnsmasq would take for a number is written as bytes.
    let Some(value) = value.strip_prefix('"') else {
        let single = value.strip_suffix('b').and_then(|number| number.parse().ok()).map(|byte: u8| vec![byte]);
        let bytes = single.or_else(|| value.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect());
        return String::from_utf8(bytes?).ok();
    };
    unescaped(value.strip_suffix('"')?, |c| c == '"')
}

/// A text without its backslashes; `None` if a character that needs a backslash has none.
fn unescaped(text: &str, needs_one: impl Fn(char) -> bool) -> Option<String> {
    let (mut out, mut characters) = (String::new(), text.chars());
    while let Some(c) = characters.next() {
        match c {
            '\\' => out.push(characters.next()?),
            c if needs_one(c) => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

proptest! {
    #[test]
    fn every_text_arrives_as_it_was_written(text in texts()) {
        let configuration = with(std::slice::from_ref(&text));
        let isc = render(Format::Isc, &configuration);
        prop_assert_eq!(read_by_dhcpd(&isc), Some(text.as_bytes().to_vec()), "{}", isc);
        let kea = render(Format::Kea, &configuration);
        prop_assert_eq!(read_by_kea(&kea), Some(text.clone()), "{}", kea);
        // A value that cannot be written for dnsmasq is refused.
        if let Ok(dnsmasq) = Format::Dnsmasq.render(&configuration) {
            prop_assert_eq!(read_by_dnsmasq(&dnsmasq), Some(text), "{}", dnsmasq);
            prop_assert!(dnsmasq.lines().all(|line| line.len() < 1024), "{}", dnsmasq);
        }
    }
}

#[test]
fn servers_accept_texts_of_all_kinds() {
    let mut runner = TestRunner::deterministic();
    let strategy = texts();
    let texts: Vec<String> = (0..300).map(|_| strategy.new_tree(&mut runner).expect("a text").current()).collect();
    for format in [Format::Isc, Format::Kea] {
        check(format, &render(format, &with(&texts))).unwrap_or_else(|said| panic!("{format}: {said}"));
    }
    let message: Vec<String> =
        texts.into_iter().filter(|text| Format::Dnsmasq.render(&with(std::slice::from_ref(text))).is_ok()).collect();
    assert!(message.len() > 200, "{}", message.len());
    check(Format::Dnsmasq, &render(Format::Dnsmasq, &with(&message))).unwrap_or_else(|said| panic!("dnsmasq: {said}"));
}
