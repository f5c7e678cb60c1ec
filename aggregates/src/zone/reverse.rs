//! The addresses that the name of a reverse zone identifies.

use super::range::AddressRange;
use crate::values::hostname::DomainName;
use std::net::Ipv4Addr;

/// How the name of a reverse zone is interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameMeaning {
    /// The name identifies these addresses.
    Range(AddressRange),
    /// The name is ambiguous: it identifies either the first or the second range.
    Ambiguous(AddressRange, AddressRange),
    /// The name identifies no addresses.
    Nothing,
}

/// How the name of a zone is interpreted if no range is given.
pub(super) fn name_meaning(name: &DomainName) -> NameMeaning {
    if let Some(range) = octets(name.as_str()) {
        return NameMeaning::Range(range);
    }
    let Some((part, above)) = name.as_str().split_once('.') else { return NameMeaning::Nothing };
    let Some(network) = octets(above).filter(|network| network.size() == 256) else { return NameMeaning::Nothing };
    let address = |last: u8| Ipv4Addr::from(u32::from(network.first()) | u32::from(last));
    let block = |first: &str, length: &str, lengths: std::ops::RangeInclusive<u32>| {
        let (first, length): (u8, u32) = (first.parse().ok()?, length.parse().ok()?);
        let size = 1_u16 << 32_u32.checked_sub(length).filter(|_| lengths.contains(&length))?;
        let last = u8::try_from(u16::from(first) + size - 1).ok()?;
        u16::from(first).is_multiple_of(size).then(|| AddressRange::new(address(first), address(last)))?
    };
    if let Some((first, length)) = part.split_once('/') {
        return block(first, length, 25..=31).map_or(NameMeaning::Nothing, NameMeaning::Range);
    }
    let Some((first, last)) = part.split_once('-') else { return NameMeaning::Nothing };
    let ends = || {
        let (first, last): (u8, u8) = (first.parse().ok()?, last.parse().ok()?);
        AddressRange::new(address(first), address(last)).filter(|_| first < last)
    };
    match (ends(), block(first, last, 24..=32)) {
        (Some(ends), Some(block)) if ends != block => NameMeaning::Ambiguous(ends, block),
        (Some(range), _) | (None, Some(range)) => NameMeaning::Range(range),
        (None, None) => NameMeaning::Nothing,
    }
}

/// The addresses of a zone of whole octets.
pub(super) fn octets(zone: &str) -> Option<AddressRange> {
    if zone == "in-addr.arpa" || zone == "arpa" {
        return AddressRange::new(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
    }
    let (mut first, mut last) = ([0; 4], [255; 4]);
    for (index, label) in zone.strip_suffix(".in-addr.arpa")?.rsplit('.').enumerate() {
        let octet: u8 = label.parse().ok()?;
        // A name with leading zeros, such as 01.0.10.in-addr.arpa, is not the reverse name of an address.
        if octet.to_string() != label {
            return None;
        }
        *first.get_mut(index)? = octet;
        *last.get_mut(index)? = octet;
    }
    AddressRange::new(first.into(), last.into())
}

/// What is wrong with the range of a zone of this name, as a sentence.
pub(super) fn range_problem(name: &DomainName, range: Option<AddressRange>) -> Result<(), String> {
    let under = |top: &str| name.as_str().ends_with(top);
    let name_meaning = name_meaning(name);
    let Some(range) = range else {
        return match name_meaning {
            NameMeaning::Ambiguous(ends, block) => Err(format!(
                "{name} can mean the addresses {} to {} or {block}; say which one: \"range\": \"{block}\", or \"range\": \"{}-{}\"",
                ends.first(),
                ends.last(),
                ends.first(),
                ends.last()
            )),
            NameMeaning::Nothing if under(".in-addr.arpa") => Err(format!(
                "the name {name} does not determine the addresses of the zone; set its range, such as \"range\": \
                 \"192.0.2.0/25\""
            )),
            _ => Ok(()),
        };
    };
    if under("ip6.arpa") {
        return Err(format!("{name} is a zone of IPv6 addresses, and its name determines the range; remove the range"));
    }
    match (octets(name.as_str()), name_meaning) {
        (Some(own), _) if own != range => {
            Err(format!("{name} is for {own} by its name, not for {range}; remove the range, or name a zone of a part of it"))
        }
        (Some(_), _) => Ok(()),
        (None, NameMeaning::Range(said)) if said != range => {
            Err(format!("the name {name} means {said}, but the range is {range}; correct one of them"))
        }
        (None, NameMeaning::Ambiguous(first, second)) if ![first, second].contains(&range) => {
            Err(format!("the name {name} means {first} or {second}, but the range is {range}; correct one of them"))
        }
        _ if !range.is_of_one_24() => Err(format!(
            "{range} is more than one /24, and the zone's names have only the last octet; use zones of whole octets, such as 2.0.192.in-addr.arpa"
        )),
        // The longest label in front of the zone's name has three digits.
        _ if name.as_str().len() > 249 => {
            Err(format!("{name} is so long that the names of its addresses would have more than 253 characters (RFC 1035)"))
        }
        _ => {
            let above = name.as_str().match_indices('.').find_map(|(at, _)| octets(&name.as_str()[at + 1..]));
            match above {
                Some(above) if !above.holds(range) => {
                    Err(format!("{name} is below the zone of {above}, which does not have {range}"))
                }
                _ => Ok(()),
            }
        }
    }
}
