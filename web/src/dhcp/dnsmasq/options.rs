//! Options as dnsmasq reads them: by number, with a value whose length is said.
//!
//! dnsmasq has other names for a few options and no types for most, and takes whatever can be read as something. So options
//! come from the table of all servers (`aggregates/src/values/dhcp_option/standard.rs`), and are written in the form that
//! dnsmasq reads as nothing else: what it has no form for, as bytes. How it characterises a value is `parse_dhcp_opt` in its
//! `src/option.c`, and which types it knows is `opttab` in its `src/dhcp-common.c`.

use super::super::boot_file::hexadecimal;
use super::super::configuration::names;
use super::quoted;
use bootledger_aggregates::values::dhcp_option::{DhcpOption, OptionType, OptionValue, Resolved, is_number_with_unit};
use bootledger_aggregates::values::hostname::DomainName;
use std::net::Ipv4Addr;

/// The options that dnsmasq knows to be a text or a name (`OT_NAME`): it takes no bytes for them, and digits as they are.
const NAMES: [u8; 10] = [12, 15, 17, 18, 40, 64, 66, 67, 100, 101];

/// `domain-search`, whose names dnsmasq compresses itself.
const SEARCH: u8 = 119;

/// The most bytes of an option's value.
const LONGEST: usize = 255;

/// The most bytes of a written value, so that a line with the longest tag stays shorter than dnsmasq's 1,024.
const LONGEST_WRITTEN: usize = 900;

/// An option's number and value, or why dnsmasq cannot be told it.
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
        return Err(format!("its line would be longer than dnsmasq reads, the value alone has {} characters", value.len()));
    }
    Ok((resolved.code, value))
}

/// Addresses as dnsmasq lists them.
pub(super) fn joined(addresses: &[Ipv4Addr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Bytes: in hexadecimal, or a single one as a number with its length, since it takes hexadecimal for a text without a colon.
fn bytes(bytes: &[u8]) -> String {
    match bytes {
        [one] => format!("{one}b"),
        more => hexadecimal(more, ":"),
    }
}

fn list(addresses: &[Ipv4Addr]) -> Result<String, String> {
    if addresses.iter().any(Ipv4Addr::is_unspecified) {
        return Err("dnsmasq would say its own address for 0.0.0.0".to_owned());
    }
    Ok(joined(addresses))
}

/// Even within quotes, dnsmasq takes digits for a number, and a letter after them for its length.
fn text(resolved: &Resolved, text: &str) -> Result<String, String> {
    let is_name = NAMES.contains(&resolved.code);
    if is_number_with_unit(text) {
        return if is_name {
            Err(format!("dnsmasq takes {text:?} for a number with its unit"))
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
