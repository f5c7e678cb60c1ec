//! The data of extra records: the supported types, and how the data is read from master files and written to them.

use super::master_file::{OwnerName, Word};
use super::naptr;
use crate::values::ParseError;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The types that extra records can have.
pub const TYPES: &str = "A, AAAA, CAA, CNAME, DS, MX, NAPTR, NS, PTR, SRV, SSHFP, TLSA, TXT";

/// The data of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Which certification authorities may issue certificates (RFC 8659).
    Caa(u8, String, CharacterString),
    /// The canonical name of an alias.
    Cname(OwnerName),
    /// The digest of a signed child zone's key (RFC 4034).
    Ds(u16, u8, u8, Hex),
    /// A mail server, with its preference.
    Mx(u16, OwnerName),
    /// A rewrite rule (RFC 3403).
    Naptr(u16, u16, [CharacterString; 3], OwnerName),
    /// A name server of a delegated zone.
    Ns(OwnerName),
    /// The host name of an address.
    Ptr(OwnerName),
    /// The location of a service (RFC 2782).
    Srv([u16; 3], OwnerName),
    /// The fingerprint of an SSH key (RFC 4255).
    Sshfp(u8, u8, Hex),
    /// The association of a certificate with a service (RFC 6698).
    Tlsa([u8; 3], Hex),
    /// Free text, in one or more character strings.
    Txt(Vec<CharacterString>),
}

/// A character string of up to 255 octets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CharacterString(Vec<u8>);

/// Octets, written in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hex(String);

impl Data {
    /// Reads the data of a record type from its words. `kind` is in capital letters.
    pub(super) fn read(kind: &str, words: &[Word], origin: &OwnerName) -> Result<Self, ParseError> {
        let mut words = Words { kind, left: words.iter(), origin };
        let data = match kind {
            "A" => Self::A(words.value("an IPv4 address such as 192.0.2.1")?),
            "AAAA" => Self::Aaaa(words.value("an IPv6 address such as 2001:db8::1")?),
            "CAA" => {
                let (flags, tag) =
                    (words.value("flags from 0 to 255")?, words.plain("a tag such as issue")?.to_ascii_lowercase());
                if tag.is_empty() || tag.len() > 15 || !tag.chars().all(|c| c.is_ascii_alphanumeric()) {
                    return Err(ParseError::new(format!(
                        "{tag:?} is not a tag of CAA such as issue, issuewild or iodef (RFC 8659)"
                    )));
                }
                Self::Caa(flags, tag, words.string()?)
            }
            "CNAME" => Self::Cname(words.name()?),
            "DS" => {
                let (tag, algorithm, digest) =
                    (words.value("a key tag")?, words.value("an algorithm")?, words.value("a digest type")?);
                Self::Ds(tag, algorithm, digest, words.hex()?.digest("digest type", digest, &DS_DIGESTS)?)
            }
            "MX" => Self::Mx(words.value("a preference such as 10")?, words.name()?),
            "NAPTR" => {
                let (order, preference) = (words.value("an order")?, words.value("a preference")?);
                let texts = [words.string()?, words.string()?, words.string()?];
                if let Some(problem) = naptr::problem(&texts[2].0) {
                    return Err(ParseError::new(format!("{} is not a substitution of NAPTR (RFC 3402): {problem}", texts[2])));
                }
                Self::Naptr(order, preference, texts, words.name()?)
            }
            "NS" => Self::Ns(words.name()?),
            "PTR" => Self::Ptr(words.name()?),
            "SRV" => Self::Srv([words.value("a priority")?, words.value("a weight")?, words.value("a port")?], words.name()?),
            "SSHFP" => {
                let (algorithm, kind) = (words.value("an algorithm")?, words.value("a fingerprint type")?);
                Self::Sshfp(algorithm, kind, words.hex()?.digest("fingerprint type", kind, &SSHFP_DIGESTS)?)
            }
            "TLSA" => {
                Self::Tlsa([words.value("a usage")?, words.value("a selector")?, words.value("a matching type")?], words.hex()?)
            }
            "TXT" => {
                let mut strings = vec![words.string()?];
                while words.left.len() > 0 {
                    strings.push(words.string()?);
                }
                Self::Txt(strings)
            }
            "SOA" => {
                return Err(ParseError::new(
                    "the SOA record is made from the zone's fields mname, rname, refresh, retry, expire, minimum and serial; remove it here",
                ));
            }
            "DNSKEY" | "RRSIG" | "NSEC" | "NSEC3" | "NSEC3PARAM" | "CDS" | "CDNSKEY" => {
                return Err(ParseError::new(format!(
                    "{kind} records are made by the DNS server that signs the zone; remove it here"
                )));
            }
            "SPF" => return Err(ParseError::new("SPF records are obsolete (RFC 7208, 3.1); write the same text as TXT")),
            other => return Err(ParseError::new(format!("{other} records are not supported here; the types are {TYPES}"))),
        };
        match words.left.next() {
            Some(word) => Err(ParseError::new(format!("{kind} records have no further value such as {:?}", word.shown()))),
            None => Ok(data),
        }
    }

    /// The name of the record type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::A(..) => "A",
            Self::Aaaa(..) => "AAAA",
            Self::Caa(..) => "CAA",
            Self::Cname(..) => "CNAME",
            Self::Ds(..) => "DS",
            Self::Mx(..) => "MX",
            Self::Naptr(..) => "NAPTR",
            Self::Ns(..) => "NS",
            Self::Ptr(..) => "PTR",
            Self::Srv(..) => "SRV",
            Self::Sshfp(..) => "SSHFP",
            Self::Tlsa(..) => "TLSA",
            Self::Txt(..) => "TXT",
        }
    }

    /// The host that a record of a service names; `None` if the record says that there is no such service (RFC 2782, RFC 7505).
    pub fn target(&self) -> Option<&OwnerName> {
        match self {
            Self::Ns(name) => Some(name),
            Self::Mx(_, name) | Self::Srv(_, name) => Some(name).filter(|name| !name.is_root()),
            _ => None,
        }
    }

    /// What is wrong with data that BIND loads but that makes no sense. It is refused when it is saved.
    pub(super) fn meaningless(&self) -> Option<String> {
        match self {
            Self::Tlsa([_, _, kind], hex) => hex.clone().digest("matching type", *kind, &TLSA_DIGESTS).err().map(|error| error.0),
            Self::Cname(name) | Self::Ptr(name) if name.is_root() => {
                Some(format!("{} is the root of DNS; write a host's name", self.kind()))
            }
            Self::Cname(name) | Self::Ptr(name) | Self::Ns(name) | Self::Mx(_, name) | Self::Srv(_, name)
                if name.as_str().parse::<Ipv4Addr>().is_ok() =>
            {
                Some(format!("{} names a host, and {name} is an address; give the address a name, and write that", self.kind()))
            }
            _ => None,
        }
    }
}

/// The length of digests in octets, by digest type: of DS (RFC 4034, RFC 4509, RFC 6605), SSHFP (RFC 4255, RFC 6594) and TLSA
/// (RFC 6698). BIND refuses a zone for a wrong length in the first two.
const DS_DIGESTS: [(u8, usize); 3] = [(1, 20), (2, 32), (4, 48)];
const SSHFP_DIGESTS: [(u8, usize); 2] = [(1, 20), (2, 32)];
const TLSA_DIGESTS: [(u8, usize); 2] = [(1, 32), (2, 64)];

impl Hex {
    /// Returns the digest, if it has the length of its type.
    fn digest(self, what: &str, kind: u8, lengths: &[(u8, usize)]) -> Result<Self, ParseError> {
        let (octets, expected) = (self.0.len() / 2, lengths.iter().find(|(known, _)| *known == kind));
        match expected {
            Some((_, length)) if *length != octets => Err(ParseError::new(format!(
                "{} has {octets} octets, and {what} {kind} has {length}, which are {} hexadecimal digits",
                self.0,
                length * 2
            ))),
            _ => Ok(self),
        }
    }
}

/// The remaining words of a record's data.
struct Words<'a> {
    kind: &'a str,
    left: std::slice::Iter<'a, Word>,
    origin: &'a OwnerName,
}

impl<'a> Words<'a> {
    fn next(&mut self, what: &str) -> Result<&'a Word, ParseError> {
        self.left.next().ok_or_else(|| ParseError::new(format!("the {} record ends before {what}", self.kind)))
    }

    fn plain(&mut self, what: &str) -> Result<String, ParseError> {
        Ok(self.next(what)?.shown())
    }

    fn value<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, ParseError> {
        let word = self.plain(what)?;
        // A number in a master file has no sign.
        let parsed = if word.starts_with('+') { None } else { word.parse().ok() };
        parsed.ok_or_else(|| ParseError::new(format!("{word:?} in a {} record is not {what}", self.kind)))
    }

    fn name(&mut self) -> Result<OwnerName, ParseError> {
        self.next("a name")?.name(self.origin)
    }

    fn string(&mut self) -> Result<CharacterString, ParseError> {
        let octets = self.next("a text")?.octets()?;
        if octets.len() > 255 {
            return Err(ParseError::new(format!(
                "a text of {} octets is longer than 255; split it into several texts in quotes, which are read as one",
                octets.len()
            )));
        }
        Ok(CharacterString(octets))
    }

    /// The hexadecimal digits of all remaining words.
    fn hex(&mut self) -> Result<Hex, ParseError> {
        let first = self.plain("hexadecimal digits")?;
        let digits: String = std::iter::once(first).chain(self.left.by_ref().map(Word::shown)).collect();
        let digits = digits.to_ascii_lowercase();
        if digits.is_empty() || digits.len() % 2 == 1 || digits.len() > 1_024 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(ParseError::new(format!(
                "{digits:?} in a {} record is not an even number of hexadecimal digits",
                self.kind
            )));
        }
        Ok(Hex(digits))
    }
}

impl fmt::Display for CharacterString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for octet in &self.0 {
            match octet {
                b'"' | b'\\' => write!(f, "\\{}", char::from(*octet))?,
                b' '..=b'~' => write!(f, "{}", char::from(*octet))?,
                octet => write!(f, "\\{octet:03}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Writes the data in master file format, with fully qualified names.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(address) => write!(f, "{address}"),
            Self::Aaaa(address) => write!(f, "{address}"),
            Self::Caa(flags, tag, value) => write!(f, "{flags} {tag} {value}"),
            Self::Cname(name) | Self::Ns(name) | Self::Ptr(name) => write!(f, "{name}."),
            Self::Ds(tag, algorithm, digest, hex) => write!(f, "{tag} {algorithm} {digest} {}", hex.0),
            Self::Mx(preference, name) => write!(f, "{preference} {name}."),
            Self::Naptr(order, preference, [flags, service, expression], name) => {
                write!(f, "{order} {preference} {flags} {service} {expression} {name}.")
            }
            Self::Srv([priority, weight, port], name) => write!(f, "{priority} {weight} {port} {name}."),
            Self::Sshfp(algorithm, kind, hex) => write!(f, "{algorithm} {kind} {}", hex.0),
            Self::Tlsa([usage, selector, kind], hex) => write!(f, "{usage} {selector} {kind} {}", hex.0),
            Self::Txt(strings) => {
                let strings: Vec<String> = strings.iter().map(ToString::to_string).collect();
                f.write_str(&strings.join(" "))
            }
        }
    }
}
