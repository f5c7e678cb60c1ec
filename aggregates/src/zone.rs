//! A DNS zone that a site manages: its name, its addresses if it is a reverse zone, and what its file contains in addition to
//! device records.
//!
//! A zone without further settings is written as its name only.

pub mod data;
pub mod mailbox;
pub mod master_file;
mod naptr;
pub mod range;
pub mod rules;
pub mod serial;
#[cfg(test)]
mod tests;

use crate::values::hostname::{DomainName, Hostname, reverse_name};
use crate::values::schema::written_as_text;
use mailbox::Mailbox;
use master_file::{ExtraRecord, LONGEST_TTL, LineError};
use range::AddressRange;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serial::SerialPolicy;
use std::fmt;
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// The default TTL in seconds. It is short because a redeployed host moves within minutes.
pub const TTL: u32 = 300;
/// The most name servers of a zone.
const MOST_SERVERS: usize = 13;

/// A DNS zone. Omitted settings have defaults.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zone {
    /// The name of the zone.
    pub name: DomainName,
    /// All other settings of the zone.
    pub settings: Box<ZoneSettings>,
}

/// The settings of a zone, other than its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ZoneSettings {
    /// The addresses of a reverse zone, if its name does not determine them.
    pub range: Option<AddressRange>,
    /// The zone's name servers.
    pub name_servers: Vec<Hostname>,
    /// The primary name server in the SOA record.
    pub mname: Option<Hostname>,
    /// The mail address of the zone's administrator, for the SOA record.
    pub rname: Option<Mailbox>,
    /// SOA refresh: seconds until a secondary checks for changes.
    pub refresh: Option<u32>,
    /// SOA retry: seconds until a secondary retries a failed check.
    pub retry: Option<u32>,
    /// SOA expire: seconds without the primary after which a secondary stops answering.
    pub expire: Option<u32>,
    /// SOA minimum: the TTL of negative answers in seconds.
    pub minimum: Option<u32>,
    /// The TTL of records in seconds.
    pub ttl: Option<u32>,
    /// How serial numbers are chosen.
    pub serial: SerialPolicy,
    /// The serial number that all further ones must exceed.
    pub serial_floor: Option<u32>,
    /// Extra records, in master file format.
    pub records: String,
}

/// The fields of a zone, as they are stored and sent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneFields {
    /// The name of the zone.
    pub name: DomainName,
    /// The addresses of a reverse zone, if its name does not determine them: `192.0.2.0/25` or `192.0.2.10-192.0.2.20`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<AddressRange>,
    /// The zone's name servers. By default, `ns.` followed by the zone's name if that host has an address; otherwise
    /// `localhost`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    name_servers: Vec<ServerName>,
    /// The primary name server in the SOA record; by default the first of the name servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mname: Option<ServerName>,
    /// The mail address of the zone's administrator, for the SOA record; by default `hostmaster` at the site's domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rname: Option<Mailbox>,
    /// SOA refresh: seconds until a secondary checks for changes; 3600 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<u32>,
    /// SOA retry: seconds until a secondary retries a failed check; 600 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<u32>,
    /// SOA expire: seconds without the primary after which a secondary stops answering; 1209600 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expire: Option<u32>,
    /// SOA minimum: the TTL of negative answers in seconds; 60 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minimum: Option<u32>,
    /// The TTL of records in seconds; 300 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    /// How serial numbers are chosen: the event number of the last change, its time in seconds since 1970, or its day in UTC
    /// and two digits. A new policy continues from the last number and never lowers it.
    #[serde(default, skip_serializing_if = "is_default")]
    serial: SerialPolicy,
    /// The serial number that all further ones must exceed, for example because the secondaries of an existing zone have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial_floor: Option<u32>,
    /// Extra records in master file format (RFC 1035), with names relative to the zone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(example = "ns1 A 10.0.0.53\n@ MX 10 mail.example.net.")]
    records: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The name of a name server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerName(pub Hostname);

written_as_text!(ServerName, "A name server's name; a final dot is taken off", None, "ns1.dc1.example");

impl std::str::FromStr for ServerName {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl TryFrom<String> for ServerName {
    type Error = crate::values::ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServerName> for String {
    fn from(name: ServerName) -> Self {
        name.0.into()
    }
}

impl From<ZoneFields> for Zone {
    fn from(fields: ZoneFields) -> Self {
        let ZoneFields {
            name,
            range,
            name_servers,
            mname,
            rname,
            refresh,
            retry,
            expire,
            minimum,
            ttl,
            serial,
            serial_floor,
            records,
        } = fields;
        let name_servers = name_servers.into_iter().map(|server| server.0).collect();
        let mname = mname.map(|server| server.0);
        // Different line endings would turn the same records into two different texts.
        let records = records.replace("\r\n", "\n");
        let settings = ZoneSettings {
            range,
            name_servers,
            mname,
            rname,
            refresh,
            retry,
            expire,
            minimum,
            ttl,
            serial,
            serial_floor,
            records,
        };
        Self { name, settings: Box::new(settings) }
    }
}

impl From<Zone> for ZoneFields {
    fn from(zone: Zone) -> Self {
        let ZoneSettings {
            range,
            name_servers,
            mname,
            rname,
            refresh,
            retry,
            expire,
            minimum,
            ttl,
            serial,
            serial_floor,
            records,
        } = *zone.settings;
        let name_servers = name_servers.into_iter().map(ServerName).collect();
        let (name, mname) = (zone.name, mname.map(ServerName));
        Self { name, range, name_servers, mname, rname, refresh, retry, expire, minimum, ttl, serial, serial_floor, records }
    }
}

/// The form of a zone in requests: its name alone, or its fields.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum ZoneForm {
    /// The zone's name only.
    Name(DomainName),
    /// The zone's name and settings.
    Fields(ZoneFields),
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if is_default(&*self.settings) {
            self.name.serialize(serializer)
        } else {
            ZoneFields::from(self.clone()).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Zone;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a zone such as \"dc1.example\", or an object with its `name`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Zone, E> {
                text.parse::<DomainName>().map(Zone::from).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Zone, A::Error> {
                ZoneFields::deserialize(MapAccessDeserializer::new(map)).map(Zone::from)
            }
        }

        deserializer.deserialize_any(Form)
    }
}

impl From<DomainName> for Zone {
    fn from(name: DomainName) -> Self {
        Self { name, settings: Box::default() }
    }
}

impl std::str::FromStr for Zone {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(|name: DomainName| name.into())
    }
}

impl std::ops::Deref for Zone {
    type Target = ZoneSettings;

    fn deref(&self) -> &ZoneSettings {
        &self.settings
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// How the name of a reverse zone is interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The name identifies these addresses.
    Range(AddressRange),
    /// The name is ambiguous: it identifies either the first or the second range.
    Ambiguous(AddressRange, AddressRange),
    /// The name identifies no addresses.
    Nothing,
}

impl Zone {
    /// Whether the zone has settings in addition to its name.
    pub fn has_settings(&self) -> bool {
        !is_default(&*self.settings)
    }

    /// The TTL of records in seconds.
    pub fn ttl(&self) -> u32 {
        self.settings.ttl.unwrap_or(TTL)
    }

    /// Whether the zone is a reverse zone, which contains PTR records.
    pub fn is_reverse(&self) -> bool {
        let under = |top: &str| self.name.as_str().strip_suffix(top).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        self.range.is_some() || ["in-addr.arpa", "ip6.arpa", "arpa"].into_iter().any(under)
    }

    /// The addresses whose PTR records the zone contains.
    pub fn addresses(&self) -> Option<AddressRange> {
        self.range.or_else(|| match self.reading() {
            // Before zones had a range, an ambiguous name was read as the first and the last address.
            Reading::Range(range) | Reading::Ambiguous(range, _) => Some(range),
            Reading::Nothing => None,
        })
    }

    /// How the zone's name is interpreted if no range is given.
    pub fn reading(&self) -> Reading {
        if let Some(range) = octets(self.name.as_str()) {
            return Reading::Range(range);
        }
        let Some((part, above)) = self.name.as_str().split_once('.') else { return Reading::Nothing };
        let Some(network) = octets(above).filter(|network| network.size() == 256) else { return Reading::Nothing };
        let address = |last: u8| Ipv4Addr::from(u32::from(network.first()) | u32::from(last));
        let block = |first: &str, length: &str, lengths: std::ops::RangeInclusive<u32>| {
            let (first, length): (u8, u32) = (first.parse().ok()?, length.parse().ok()?);
            let size = 1_u16 << 32_u32.checked_sub(length).filter(|_| lengths.contains(&length))?;
            let last = u8::try_from(u16::from(first) + size - 1).ok()?;
            u16::from(first).is_multiple_of(size).then(|| AddressRange::new(address(first), address(last)))?
        };
        if let Some((first, length)) = part.split_once('/') {
            return block(first, length, 25..=31).map_or(Reading::Nothing, Reading::Range);
        }
        let Some((first, last)) = part.split_once('-') else { return Reading::Nothing };
        let ends = || {
            let (first, last): (u8, u8) = (first.parse().ok()?, last.parse().ok()?);
            AddressRange::new(address(first), address(last)).filter(|_| first < last)
        };
        match (ends(), block(first, last, 24..=32)) {
            (Some(ends), Some(block)) if ends != block => Reading::Ambiguous(ends, block),
            (Some(range), _) | (None, Some(range)) => Reading::Range(range),
            (None, None) => Reading::Nothing,
        }
    }

    /// The name of an address's PTR record in this zone; `None` if the zone is not for that address.
    ///
    /// A zone of whole octets, such as `0.10.in-addr.arpa`, contains the address's own reverse name. Any other zone uses the
    /// last octet, such as `20.0/25.2.0.192.in-addr.arpa`, and the zone above it refers to that name (RFC 2317).
    pub fn pointer_name(&self, ip: Ipv4Addr) -> Option<String> {
        if let Some(range) = octets(self.name.as_str()) {
            return range.contains(ip).then(|| reverse_name(ip));
        }
        self.addresses()?.contains(ip).then(|| format!("{}.{}", ip.octets()[3], self.name))
    }

    /// The zone whose names the zone's PTR records have in the views. In the views, each PTR record has its address's own
    /// reverse name.
    pub fn above(&self) -> DomainName {
        let network = self.addresses().filter(|_| octets(self.name.as_str()).is_none());
        let above = network.map(|range| {
            let [a, b, c, _] = range.first().octets();
            format!("{c}.{b}.{a}.in-addr.arpa")
        });
        above.and_then(|above| above.parse().ok()).unwrap_or_else(|| self.name.clone())
    }

    /// The extra records, or each error with its line.
    pub fn extra(&self) -> Result<Vec<ExtraRecord>, Vec<LineError>> {
        master_file::read(&self.records, &self.name)
    }

    /// The extra records that can be read, and the errors of the other lines. A line that an earlier version accepted and this
    /// one does not is omitted from the file; it does not affect other lines.
    pub fn readable(&self) -> (Vec<ExtraRecord>, Vec<LineError>) {
        master_file::read_each(&self.records, &self.name)
    }

    /// The problems with the zone on its own: each a field and a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = vec![];
        if let Err(problem) = self.range_problem() {
            problems.push(("range", problem));
        }
        if self.name_servers.len() > MOST_SERVERS {
            problems.push(("name_servers", format!("a zone has at most {MOST_SERVERS} name servers")));
        }
        for (index, server) in self.name_servers.iter().enumerate() {
            if self.name_servers[..index].contains(server) {
                problems.push(("name_servers", format!("{server} is listed twice")));
            }
        }
        if self.mname.is_some() && self.name_servers.is_empty() {
            problems.push((
                "name_servers",
                "mname names the primary, and name_servers is empty; list the zone's name servers".to_owned(),
            ));
        }
        let times = [
            ("refresh", self.refresh, 1),
            ("retry", self.retry, 1),
            ("expire", self.expire, 1),
            ("minimum", self.minimum, 0),
            ("ttl", self.settings.ttl, 0),
        ];
        for (field, time, least) in times {
            if time.is_some_and(|time| !(least..=LONGEST_TTL).contains(&time)) {
                problems.push((field, format!("{field} is from {least} to {LONGEST_TTL} seconds (RFC 2181, 8)")));
            }
        }
        let [refresh, retry, expire, _] = self.soa_times();
        if u64::from(expire) < u64::from(refresh) + u64::from(retry) {
            let message = format!(
                "expire ({expire}) is shorter than refresh ({refresh}) and retry ({retry}) together, so secondaries would stop answering before they try again"
            );
            problems.push(("expire", message));
        }
        problems
    }

    /// The SOA times: refresh, retry, expire, minimum.
    pub fn soa_times(&self) -> [u32; 4] {
        let or = |value: Option<u32>, default| value.unwrap_or(default);
        [or(self.refresh, 3600), or(self.retry, 600), or(self.expire, 1_209_600), or(self.minimum, 60)]
    }

    fn range_problem(&self) -> Result<(), String> {
        let (name, under) = (&self.name, |top: &str| self.name.as_str().ends_with(top));
        let reading = self.reading();
        let Some(range) = self.range else {
            return match reading {
                Reading::Ambiguous(ends, block) => Err(format!(
                    "{name} can mean the addresses {} to {} or {block}; say which one: \"range\": \"{block}\", or \"range\": \"{}-{}\"",
                    ends.first(),
                    ends.last(),
                    ends.first(),
                    ends.last()
                )),
                Reading::Nothing if under(".in-addr.arpa") => Err(format!(
                    "the name {name} does not say which addresses it is for; state them, such as \"range\": \"192.0.2.0/25\""
                )),
                _ => Ok(()),
            };
        };
        if under("ip6.arpa") {
            return Err(format!("{name} is for IPv6 addresses, whose names say them; remove the range"));
        }
        match (octets(name.as_str()), reading) {
            (Some(own), _) if own != range => {
                Err(format!("{name} is for {own} by its name, not for {range}; remove the range, or name a zone of a part of it"))
            }
            (Some(_), _) => Ok(()),
            (None, Reading::Range(said)) if said != range => {
                Err(format!("{name} says {said}, and the range is {range}; both have to agree"))
            }
            (None, Reading::Ambiguous(first, second)) if ![first, second].contains(&range) => {
                Err(format!("{name} says {first} or {second}, and the range is {range}; both have to agree"))
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
}

/// The zone that a record belongs to, of all managed zones, and the record's name in it: the smallest zone that contains it. If
/// two sites have the same zone, the one with settings applies. `reverse` is the address of a PTR record.
pub fn holding<'a, T: AsRef<Zone> + 'a>(
    zones: impl IntoIterator<Item = T>,
    name: &str,
    reverse: Option<Ipv4Addr>,
) -> Option<(T, String)> {
    let holding = zones.into_iter().filter_map(|item| {
        let zone = item.as_ref();
        let (size, name) = match reverse {
            Some(ip) => (zone.addresses()?.size(), zone.pointer_name(ip)?),
            None => (0, (zone.range.is_none() && zone.name.contains(name)).then(|| name.to_owned())?),
        };
        let place = (std::cmp::Reverse(size), zone.name.as_str().len(), zone.has_settings());
        Some((place, item, name))
    });
    holding.max_by_key(|(place, ..)| *place).map(|(_, item, name)| (item, name))
}

impl AsRef<Zone> for Zone {
    fn as_ref(&self) -> &Zone {
        self
    }
}

/// The addresses of a zone of whole octets.
fn octets(zone: &str) -> Option<AddressRange> {
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
