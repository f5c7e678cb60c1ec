//! Writes options in dnsmasq's syntax: by number, with a value whose length is explicit.
//!
//! dnsmasq has other names for a few options and no types for most, and interprets any value in some way. So options come from
//! the table for all servers (`aggregates/src/values/dhcp_option/standard.rs`), and are written in a form that has only one
//! meaning for dnsmasq; a value without such a form is written as bytes. `parse_dhcp_opt` in its `src/option.c` determines how
//! dnsmasq interprets a value, and `opttab` in its `src/dhcp-common.c` which types it knows.

use super::super::boot_file::hexadecimal;
use super::super::configuration::names;
use super::quoted;
use bootledger_aggregates::values::dhcp_option::{DhcpOption, OptionType, OptionValue, Resolved, is_number_with_unit};
use bootledger_aggregates::values::hostname::DomainName;
use std::net::Ipv4Addr;

/// The options whose value dnsmasq knows to be a text or a name (`OT_NAME`): it accepts no bytes for them, and
/// takes digits literally.
const NAMES: [u8; 10] = [12, 15, 17, 18, 40, 64, 66, 67, 100, 101];

/// The option `domain-search`, whose names dnsmasq compresses itself.
const SEARCH: u8 = 119;

/// Maximum length of an option's value, in bytes.
const LONGEST: usize = 255;

/// Maximum length of a written value, in bytes, so that a line with the longest tag stays below dnsmasq's 1,024.
const LONGEST_WRITTEN: usize = 900;

/// The number and value of an option, or why it cannot be written for dnsmasq.
pub(super) fn written(option: &DhcpOption) -> Result<(u8, String), String> {
    let resolved = option.resolved()?;
    if resolved.wire.len() > LONGEST {
        return Err(format!("a value of {} bytes is longer than an option can be", resolved.wire.len()));
    }
    let value = match (resolved.kind, &option.value) {
        (OptionType::Address | OptionType::Addresses | OptionType::AddressPairs, OptionValue::Addresses(addresses)) => {
            list(&addresses.0)
        }
        (OptionType::Text | OptionType::Domain, OptionValue::Text(text)) => self::text(&resolved, text.as_str()),
        (OptionType::DomainNames, value) if resolved.code == SEARCH => search(&names(value)),
        (OptionType::Uint16, OptionValue::Number(number)) => Ok(format!("{number}s")),
        (OptionType::Uint32, OptionValue::Number(number)) => Ok(format!("{number}i")),
        _ => Ok(bytes(&resolved.wire)),
    }?;
    if value.len() > LONGEST_WRITTEN {
        return Err(format!("its line would be longer than dnsmasq reads; the value alone has {} characters", value.len()));
    }
    Ok((resolved.code, value))
}

/// Addresses in dnsmasq's list form.
pub(super) fn joined(addresses: &[Ipv4Addr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Bytes in hexadecimal, or a single one as a number with its length, because dnsmasq takes hexadecimal digits without a colon
/// for a text.
fn bytes(bytes: &[u8]) -> String {
    match bytes {
        [one] => format!("{one}b"),
        more => hexadecimal(more, ":"),
    }
}

fn list(addresses: &[Ipv4Addr]) -> Result<String, String> {
    if addresses.iter().any(Ipv4Addr::is_unspecified) {
        return Err("dnsmasq sends its own address instead of 0.0.0.0".to_owned());
    }
    Ok(joined(addresses))
}

/// A text. Even within quotes, dnsmasq takes digits for a number, and a letter after them for its length.
fn text(resolved: &Resolved, text: &str) -> Result<String, String> {
    let is_name = NAMES.contains(&resolved.code);
    if is_number_with_unit(text) {
        return if is_name {
            Err(format!("dnsmasq reads {text:?} as a number with its unit"))
        } else {
            Ok(bytes(&resolved.wire))
        };
    }
    let is_number = text.chars().all(|c| c.is_ascii_digit() || c == '-');
    Ok(if is_number && !is_name { bytes(&resolved.wire) } else { quoted(text) })
}

fn search(names: &[&str]) -> Result<String, String> {
    if let Some(wrong) = names.iter().find(|name| name.parse::<DomainName>().is_err()) {
        return Err(format!("{wrong:?} is not a domain name"));
    }
    if names.is_empty() { Err("it names no domain".to_owned()) } else { Ok(names.join(",")) }
}
