//! Options as dnsmasq reads them: by number, with a value whose length is said.
//!
//! dnsmasq has other names for a few options and no types for most, and takes whatever can be read as something. So the names
//! of ISC dhcpd and Kea are translated here, and a value of another type is refused, as those two refuse it.

use super::super::configuration::search_list;
use super::quoted;
use bootledger_aggregates::values::dhcp_option::{DhcpOption, OptionValue};
use bootledger_aggregates::values::hostname::DomainName;
use std::net::Ipv4Addr;

/// What an option holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One address.
    Address,
    /// One address or more.
    Addresses,
    /// Addresses in pairs.
    Pairs,
    /// A text.
    Text,
    /// Domain names (RFC 3397).
    Names,
    /// A flag, as a byte.
    Flag,
    /// A number of one byte.
    Byte,
    /// A number of two bytes.
    Short,
    /// A number of four bytes.
    Long,
}

/// The names of ISC dhcpd and Kea, their numbers (RFC 2132 and what IANA has registered since), and what they hold. Those are
/// left out that the protocol or a host's entry sets, such as `dhcp-lease-time` and `host-name`, and those of other shapes.
#[rustfmt::skip]
pub(super) const OPTIONS: &[(&str, u8, Kind)] = &[
    ("subnet-mask", 1, Kind::Address), ("time-offset", 2, Kind::Long), ("routers", 3, Kind::Addresses),
    ("time-servers", 4, Kind::Addresses), ("ien116-name-servers", 5, Kind::Addresses), ("name-servers", 5, Kind::Addresses),
    ("domain-name-servers", 6, Kind::Addresses), ("log-servers", 7, Kind::Addresses), ("cookie-servers", 8, Kind::Addresses),
    ("lpr-servers", 9, Kind::Addresses), ("impress-servers", 10, Kind::Addresses),
    ("resource-location-servers", 11, Kind::Addresses), ("boot-size", 13, Kind::Short), ("merit-dump", 14, Kind::Text),
    ("domain-name", 15, Kind::Text), ("swap-server", 16, Kind::Address), ("root-path", 17, Kind::Text),
    ("extensions-path", 18, Kind::Text), ("ip-forwarding", 19, Kind::Flag), ("non-local-source-routing", 20, Kind::Flag),
    ("policy-filter", 21, Kind::Pairs), ("max-dgram-reassembly", 22, Kind::Short), ("default-ip-ttl", 23, Kind::Byte),
    ("path-mtu-aging-timeout", 24, Kind::Long), ("path-mtu-plateau-table", 25, Kind::Short), ("interface-mtu", 26, Kind::Short),
    ("all-subnets-local", 27, Kind::Flag), ("broadcast-address", 28, Kind::Address), ("perform-mask-discovery", 29, Kind::Flag),
    ("mask-supplier", 30, Kind::Flag), ("router-discovery", 31, Kind::Flag), ("router-solicitation-address", 32, Kind::Address),
    ("static-routes", 33, Kind::Pairs), ("trailer-encapsulation", 34, Kind::Flag), ("arp-cache-timeout", 35, Kind::Long),
    ("ieee802-3-encapsulation", 36, Kind::Flag), ("default-tcp-ttl", 37, Kind::Byte), ("tcp-keepalive-interval", 38, Kind::Long),
    ("tcp-keepalive-garbage", 39, Kind::Flag), ("nis-domain", 40, Kind::Text), ("nis-servers", 41, Kind::Addresses),
    ("ntp-servers", 42, Kind::Addresses), ("netbios-name-servers", 44, Kind::Addresses), ("netbios-dd-server", 45, Kind::Addresses),
    ("netbios-node-type", 46, Kind::Byte), ("netbios-scope", 47, Kind::Text), ("font-servers", 48, Kind::Addresses),
    ("x-display-manager", 49, Kind::Addresses), ("dhcp-renewal-time", 58, Kind::Long), ("dhcp-rebinding-time", 59, Kind::Long),
    ("vendor-class-identifier", 60, Kind::Text), ("nwip-domain", 62, Kind::Text), ("nwip-domain-name", 62, Kind::Text),
    ("nisplus-domain", 64, Kind::Text), ("nisplus-domain-name", 64, Kind::Text), ("nisplus-servers", 65, Kind::Addresses),
    ("tftp-server-name", 66, Kind::Text), ("bootfile-name", 67, Kind::Text), ("boot-file-name", 67, Kind::Text),
    ("mobile-ip-home-agent", 68, Kind::Addresses), ("smtp-server", 69, Kind::Addresses), ("pop-server", 70, Kind::Addresses),
    ("nntp-server", 71, Kind::Addresses), ("www-server", 72, Kind::Addresses), ("finger-server", 73, Kind::Addresses),
    ("irc-server", 74, Kind::Addresses), ("streettalk-server", 75, Kind::Addresses),
    ("streettalk-directory-assistance-server", 76, Kind::Addresses), ("nds-servers", 85, Kind::Addresses),
    ("nds-tree-name", 86, Kind::Text), ("nds-context", 87, Kind::Text), ("uap-servers", 98, Kind::Text), ("pcode", 100, Kind::Text),
    ("tcode", 101, Kind::Text), ("v6-only-preferred", 108, Kind::Long), ("netinfo-server-address", 112, Kind::Addresses),
    ("netinfo-server-tag", 113, Kind::Text), ("default-url", 114, Kind::Text), ("auto-config", 116, Kind::Byte),
    ("domain-search", 119, Kind::Names), ("capwap-ac-v4", 138, Kind::Addresses), ("loader-configfile", 209, Kind::Text),
    ("loader-pathprefix", 210, Kind::Text),
];

/// The most bytes of an option's value.
const LONGEST: usize = 255;

/// The most bytes of a written value, so that a line with the longest tag stays shorter than dnsmasq's 1,024.
const LONGEST_WRITTEN: usize = 900;

/// An option's number and value, or why dnsmasq cannot be told it.
pub(super) fn written(option: &DhcpOption) -> Result<(u8, String), String> {
    let Some((_, code, kind)) = OPTIONS.iter().find(|(name, ..)| *name == option.name.as_str()) else {
        return Err("it is none that Bootledger can write for dnsmasq".to_owned());
    };
    let value = match (kind, &option.value) {
        (Kind::Address, OptionValue::Addresses(addresses)) if addresses.0.len() != 1 => Err("it takes one address".to_owned()),
        (Kind::Pairs, OptionValue::Addresses(addresses)) if !addresses.0.len().is_multiple_of(2) => {
            Err("it takes its addresses in pairs".to_owned())
        }
        (Kind::Address | Kind::Addresses | Kind::Pairs, OptionValue::Addresses(addresses)) => list(&addresses.0),
        (Kind::Text, OptionValue::Text(text)) => self::text(text.as_str()),
        (Kind::Names, OptionValue::Text(_)) => names(&search_list(option).unwrap_or_default()),
        (Kind::Flag, OptionValue::Flag(flag)) => Ok(format!("{}b", u8::from(*flag))),
        (Kind::Byte, OptionValue::Number(number)) => whole(*number, u8::MAX.into(), 'b'),
        (Kind::Short, OptionValue::Number(number)) => whole(*number, u16::MAX.into(), 's'),
        (Kind::Long, OptionValue::Number(number)) => whole(*number, u32::MAX, 'i'),
        (kind, value) => Err(format!("it takes {}, not {}", wanted(*kind), given(value))),
    }?;
    if value.len() > LONGEST_WRITTEN {
        return Err(format!("its line would be longer than dnsmasq reads, the value alone has {} characters", value.len()));
    }
    Ok((*code, value))
}

/// Addresses as dnsmasq lists them.
pub(super) fn joined(addresses: &[Ipv4Addr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn list(addresses: &[Ipv4Addr]) -> Result<String, String> {
    if addresses.iter().any(Ipv4Addr::is_unspecified) {
        return Err("dnsmasq would say its own address for 0.0.0.0".to_owned());
    }
    if addresses.len() * 4 > LONGEST {
        return Err(format!("{} addresses are more than an option can hold", addresses.len()));
    }
    Ok(joined(addresses))
}

fn text(text: &str) -> Result<String, String> {
    // Even within quotes, dnsmasq takes such an end for the unit of a number.
    if ["s", "i"].contains(&text.trim_start_matches('-')) {
        return Err(format!("dnsmasq takes {text:?} for the unit of a number"));
    }
    if text.len() > LONGEST {
        return Err(format!("a text of {} bytes is longer than an option can be", text.len()));
    }
    Ok(quoted(text))
}

fn names(names: &[&str]) -> Result<String, String> {
    if let Some(wrong) = names.iter().find(|name| name.parse::<DomainName>().is_err()) {
        return Err(format!("{wrong:?} is not a domain name"));
    }
    if names.is_empty() { Err("it names no domain".to_owned()) } else { Ok(names.join(",")) }
}

/// A number with the letter by which dnsmasq knows its length.
fn whole(number: u32, most: u32, length: char) -> Result<String, String> {
    if number > most { Err(format!("{number} is more than {most}")) } else { Ok(format!("{number}{length}")) }
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Address | Kind::Addresses | Kind::Pairs => "addresses",
        Kind::Text | Kind::Names => "a text",
        Kind::Flag => "a flag",
        Kind::Byte | Kind::Short | Kind::Long => "a number",
    }
}

fn given(value: &OptionValue) -> &'static str {
    match value {
        OptionValue::Addresses(_) => "addresses",
        OptionValue::Text(_) => "a text",
        OptionValue::Number(_) => "a number",
        OptionValue::Flag(_) => "a flag",
    }
}
