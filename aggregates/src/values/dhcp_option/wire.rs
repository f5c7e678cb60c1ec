//! A DHCP option in wire format: its code and its bytes in a DHCP message, and why an option cannot be saved.
//!
//! There are two separate checks. [`DhcpOption::resolved`] says whether the option can be written at all, and applies to
//! anything in the log. [`DhcpOption::accepted`] says whether the option may be saved today.

use super::standard::{self, Standard};
use super::{DhcpOption, OptionType, OptionValue};
use crate::rules::Rule;
use crate::values::hostname::DomainName;
use std::net::Ipv4Addr;

/// The most bytes of an option's value (RFC 2132, 2).
const LONGEST: usize = 255;

/// The most addresses of an option: as many as fit into a line of dnsmasq's configuration, which has at most 1,023 bytes.
pub const MOST_ADDRESSES: usize = 56;

/// An option that can be written for every supported DHCP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The option's code.
    pub code: u8,
    /// The option's name in ISC dhcpd; `None` if the configuration must define the option.
    pub isc: Option<&'static str>,
    /// The option's name in Kea; `None` if the option must be written as bytes.
    pub kea: Option<&'static str>,
    /// Whether dnsmasq knows the option's type.
    pub dnsmasq: bool,
    /// The type of the option's value.
    pub kind: OptionType,
    /// The value's bytes in a DHCP message.
    pub wire: Vec<u8>,
}

impl DhcpOption {
    /// Returns how the option is written.
    ///
    /// # Errors
    /// The reason, if the option is unknown or its value has the wrong type.
    pub fn resolved(&self) -> Result<Resolved, String> {
        let (standard, code, kind) = self.definition().map_err(|(_, why)| why)?;
        let wire = bytes(kind, &self.value).map_err(|why| why.unwrap_or_else(|| self.wrong_type(kind)))?;
        let named = standard.filter(|_| self.code.is_none());
        Ok(Resolved {
            code,
            isc: named.and_then(Standard::isc),
            kea: named.and_then(Standard::kea),
            dnsmasq: named.is_some_and(|standard| standard.dnsmasq().is_some() || standard.isc().is_some()),
            kind,
            wire,
        })
    }

    /// Checks whether the option may be saved; if not, returns the rule's code and the reason.
    pub(super) fn accepted(&self) -> Result<(), (Rule, String)> {
        let (standard, code, kind) = self.definition()?;
        if let Some(reason) = standard.and_then(Standard::refused) {
            return Err((Rule::DhcpOptionReserved, format!("it cannot be set: {reason}")));
        }
        if let (OptionType::Hex, OptionValue::Text(_)) = (kind, &self.value) {
            return Err((Rule::DhcpOptionType, self.wrong_type(kind)));
        }
        let wire = bytes(kind, &self.value).map_err(|why| match why {
            None => (Rule::DhcpOptionType, self.wrong_type(kind)),
            Some(why) => (Rule::DhcpOptionValue, why),
        })?;
        let value = |why: String| Err((Rule::DhcpOptionValue, why));
        if wire.is_empty() {
            return value("it is empty; enter a value, or remove the option".to_owned());
        }
        if wire.len() > LONGEST {
            return value(format!("it has {} bytes; an option has room for {LONGEST} (RFC 2132)", wire.len()));
        }
        match &self.value {
            OptionValue::Text(text) => {
                if let Some(wrong) = text.as_str().chars().find(|c| !matches!(c, ' '..='~')) {
                    return value(format!(
                        "the character {wrong:?} is not ASCII; texts of DHCP options are ASCII only (RFC 2132)"
                    ));
                }
                if let (OptionType::Domain, Err(Some(why))) = (kind, domain(text.as_str())) {
                    return value(why);
                }
                if matches!(kind, OptionType::Text | OptionType::Domain) && is_number_with_unit(text.as_str()) {
                    return value(format!("dnsmasq reads {:?} as a number with a unit; choose another text", text.as_str()));
                }
            }
            OptionValue::Addresses(addresses) => {
                if addresses.0.len() > MOST_ADDRESSES {
                    return value(format!(
                        "{} addresses are too many: all DHCP servers support at most {MOST_ADDRESSES}. Remove some",
                        addresses.0.len()
                    ));
                }
                if addresses.0.contains(&Ipv4Addr::UNSPECIFIED) {
                    return value("0.0.0.0 cannot be an address of an option: dnsmasq sends its own address instead".to_owned());
                }
            }
            OptionValue::Routes(routes) => {
                if let Some(route) = routes.iter().find(|route| route.destination.trunc() != route.destination) {
                    let (wrong, meant) = (route.destination, route.destination.trunc());
                    return value(format!("{wrong} has host bits set; did you mean {meant}?"));
                }
            }
            OptionValue::Number(_) | OptionValue::Numbers(_) | OptionValue::Flag(_) | OptionValue::Hex(_) => {}
        }
        standard.map_or(Ok(()), |standard| self.in_range(standard))?;
        if matches!(code, 124 | 125) && !in_groups(code, &wire) {
            return value(
                "its bytes are groups of an enterprise number (4 bytes), a length (1 byte) and as many bytes (RFC 3925)"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Checks that numbers are within the option's range, and that bytes have the right length.
    fn in_range(&self, standard: &Standard) -> Result<(), (Rule, String)> {
        let (least, most) = standard.range();
        let length;
        let (numbers, noun): (&[i64], &str) = match &self.value {
            OptionValue::Number(number) => (std::slice::from_ref(number), "number"),
            OptionValue::Numbers(numbers) => (numbers, "number"),
            OptionValue::Hex(hex) => {
                length = [i64::try_from(hex.bytes().len()).unwrap_or(i64::MAX)];
                (&length, "number of bytes")
            }
            _ => return Ok(()),
        };
        let Some(wrong) = numbers.iter().find(|number| !(least..=most).contains(number)) else {
            let node_type = standard.code() == 46 && !numbers.iter().all(|number| matches!(number, 1 | 2 | 4 | 8));
            let why = "a NetBIOS node type is 1 (B-node), 2 (P-node), 4 (M-node) or 8 (H-node)";
            return if node_type { Err((Rule::DhcpOptionValue, why.to_owned())) } else { Ok(()) };
        };
        let why = if most == i64::MAX {
            format!("the {noun} {wrong} is less than {least}, the minimum of the option")
        } else {
            format!("the {noun} {wrong} is not from {least} to {most}, the range of the option")
        };
        Err((Rule::DhcpOptionValue, why))
    }

    fn wrong_type(&self, kind: OptionType) -> String {
        format!("it requires {}, not {}", kind.expected(), self.value.noun())
    }

    /// The standard definition of the option, if it has one, with its code and type.
    fn definition(&self) -> Result<(Option<&'static Standard>, u8, OptionType), (Rule, String)> {
        let name = self.name.as_str();
        let known = standard::by_name(name);
        match (self.code, self.kind, known) {
            (None, None, Some(standard)) => Ok((Some(standard), standard.code(), standard.kind())),
            (None, Some(kind), Some(standard)) if kind == standard.kind() => Ok((Some(standard), standard.code(), kind)),
            (None, Some(kind), Some(standard)) => {
                let why = format!("its type is {}, not {}; leave `type` out", standard.kind().as_str(), kind.as_str());
                Err((Rule::DhcpOptionType, why))
            }
            (None, _, None) => Err((Rule::DhcpOptionUnknown, unknown(name))),
            (Some(0 | 255), ..) => Err((Rule::DhcpOptionCustom, "the code of an option is 1 to 254".to_owned())),
            (Some(code), kind, _) => match (standard::by_code(code), kind) {
                (Some(standard), _) if standard.name() != name && known.is_none_or(|known| known.code() != code) => {
                    let why = format!("the code {code} is that of {}; use that name, without a code", standard.name());
                    Err((Rule::DhcpOptionCustom, why))
                }
                (Some(standard), kind) if kind.is_none_or(|kind| kind == standard.kind()) => {
                    Ok((Some(standard), code, standard.kind()))
                }
                (Some(standard), _) => {
                    let why = format!("the type of option {code} is {}; leave `code` and `type` out", standard.kind().as_str());
                    Err((Rule::DhcpOptionType, why))
                }
                (None, _) if known.is_some() => {
                    let why =
                        format!("{name} is the name of another option; give the custom option with code {code} another name");
                    Err((Rule::DhcpOptionCustom, why))
                }
                (None, None) => {
                    let types: Vec<&str> = OptionType::ALL.iter().map(|(_, text)| *text).collect();
                    let why = format!("a custom option needs its `type`, one of {}", types.join(", "));
                    Err((Rule::DhcpOptionCustom, why))
                }
                (None, Some(kind)) => Ok((None, code, kind)),
            },
        }
    }
}

fn unknown(name: &str) -> String {
    if let Some(place) = standard::elsewhere(name) {
        return format!("it is not a DHCP option: {place}");
    }
    let near = standard::nearest(name).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!(
        "there is no DHCP option of this name{near}{} a custom option needs its `code` and `type` too",
        if near.is_empty() { ";" } else { " Else," }
    )
}

/// Whether dnsmasq would read a text, even a quoted one, as a number with a unit letter, and remove the letter.
pub fn is_number_with_unit(text: &str) -> bool {
    text.strip_suffix(['b', 's', 'i']).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '-'))
}

/// The bytes of a value. The error is `None` if the value is not of this type.
fn bytes(kind: OptionType, value: &OptionValue) -> Result<Vec<u8>, Option<String>> {
    let number = |number: i64, least: i64, most: i64, length: usize| {
        let within = (least..=most).contains(&number);
        let why = || format!("the number {number} is not from {least} to {most}");
        if within { Ok(number.to_be_bytes()[8 - length..].to_vec()) } else { Err(Some(why())) }
    };
    let short = |one: i64| number(one, 0, u16::MAX.into(), 2);
    match (kind, value) {
        (OptionType::Address, OptionValue::Addresses(addresses)) if addresses.0.len() != 1 => {
            Err(Some(format!("it requires one address, not {}", addresses.0.len())))
        }
        (OptionType::AddressPairs, OptionValue::Addresses(addresses)) if !addresses.0.len().is_multiple_of(2) => {
            Err(Some(format!("it requires its addresses in pairs; there are {}", addresses.0.len())))
        }
        (OptionType::Address | OptionType::Addresses | OptionType::AddressPairs, OptionValue::Addresses(addresses)) => {
            Ok(addresses.0.iter().flat_map(Ipv4Addr::octets).collect())
        }
        // Earlier versions did not check that a text is a domain name, and before bytes were supported, a text could replace
        // them.
        (OptionType::Text | OptionType::Domain | OptionType::Hex, OptionValue::Text(text)) => {
            Ok(text.as_str().as_bytes().to_vec())
        }
        (OptionType::DomainName, OptionValue::Text(text)) => domain(text.as_str()).map(|name| labels(&name)),
        (OptionType::DomainNames, OptionValue::Text(text)) => {
            let names = names(text.as_str()).map(domain).collect::<Result<Vec<_>, _>>()?;
            if names.is_empty() {
                Err(Some("it names no domain".to_owned()))
            } else {
                Ok(names.iter().flat_map(labels).collect())
            }
        }
        (OptionType::Boolean, OptionValue::Flag(flag)) => Ok(vec![u8::from(*flag)]),
        (OptionType::Uint8, OptionValue::Number(one)) => number(*one, 0, u8::MAX.into(), 1),
        (OptionType::Uint16 | OptionType::Uint16List, OptionValue::Number(one)) => short(*one),
        (OptionType::Uint32, OptionValue::Number(one)) => number(*one, 0, u32::MAX.into(), 4),
        (OptionType::Int32, OptionValue::Number(one)) => number(*one, i32::MIN.into(), i32::MAX.into(), 4),
        (OptionType::Uint16List, OptionValue::Numbers(several)) => {
            Ok(several.iter().map(|one| short(*one)).collect::<Result<Vec<_>, _>>()?.concat())
        }
        (OptionType::Routes, OptionValue::Routes(routes)) => Ok(routes.iter().flat_map(route).collect()),
        (OptionType::Hex, OptionValue::Hex(hex)) => Ok(hex.bytes().to_vec()),
        _ => Err(None),
    }
}

/// The names in a list that is separated by commas or spaces.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).filter(|name| !name.is_empty())
}

fn domain(text: &str) -> Result<DomainName, Option<String>> {
    // The text is written into the servers' files unchanged, and clients append it to other names.
    if text.ends_with('.') {
        return Err(Some(format!("{text:?} has a final dot, which DHCP options do not have; write it without")));
    }
    text.parse().map_err(|_| Some(format!("{text:?} is not a domain name such as dc1.example")))
}

/// A name in DNS wire format (RFC 1035, 3.1).
fn labels(name: &DomainName) -> Vec<u8> {
    let label = |label: &str| [&[u8::try_from(label.len()).unwrap_or(63)], label.as_bytes()].concat();
    name.as_str().split('.').flat_map(label).chain([0]).collect()
}

/// Whether bytes have the structure of option 124 or 125 (RFC 3925, 3 and 4), which Kea parses: groups of an enterprise number,
/// a length and data. The data of option 125 is a list of options of that enterprise.
fn in_groups(code: u8, bytes: &[u8]) -> bool {
    let [_, _, _, _, length, rest @ ..] = bytes else { return bytes.is_empty() };
    let Some((data, rest)) = rest.split_at_checked(usize::from(*length)) else { return false };
    if code == 125 { rest.is_empty() && is_options(data) } else { in_groups(code, rest) }
}

/// Whether bytes are a list of options: each a code, a length and as many bytes.
fn is_options(mut bytes: &[u8]) -> bool {
    while let [_, length, rest @ ..] = bytes {
        let Some(rest) = rest.get(usize::from(*length)..) else { return false };
        bytes = rest;
    }
    bytes.is_empty()
}

/// A route (RFC 3442): the mask's length, the significant bytes of the destination, and the router.
fn route(route: &super::Route) -> Vec<u8> {
    let length = route.destination.prefix_len();
    let destination = route.destination.network().octets();
    let significant = usize::from(length.div_ceil(8));
    [&[length], &destination[..significant], &route.router.octets()].concat()
}
