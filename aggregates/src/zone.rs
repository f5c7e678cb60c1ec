//! A DNS zone that a site manages: its name, its addresses if it is a reverse zone, and what its file contains in addition to
//! device records.
//!
//! A zone without further settings is written as its name only.

pub mod data;
mod fields;
pub mod mailbox;
pub mod master_file;
mod naptr;
pub mod range;
mod reverse;
pub mod rules;
pub mod serial;
#[cfg(test)]
mod tests;

pub use fields::{ServerName, ZoneFields, ZoneForm};

use crate::values::hostname::{DomainName, Hostname, reverse_name};
use mailbox::Mailbox;
use master_file::{ExtraRecord, LONGEST_TTL, LineError};
use range::AddressRange;
use reverse::{NameMeaning, name_meaning, octets, range_problem};
use serial::SerialPolicy;
use std::fmt;
use std::net::Ipv4Addr;

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

impl Zone {
    /// Whether the zone has settings in addition to its name.
    pub fn has_settings(&self) -> bool {
        *self.settings != ZoneSettings::default()
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
        self.range.or_else(|| match name_meaning(&self.name) {
            // Before zones had a range, an ambiguous name was read as the first and the last address.
            NameMeaning::Range(range) | NameMeaning::Ambiguous(range, _) => Some(range),
            NameMeaning::Nothing => None,
        })
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

    /// The extra records.
    ///
    /// # Errors
    /// Each line that cannot be read, with its number and the reason.
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
        if let Err(problem) = range_problem(&self.name, self.range) {
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
                problems.push((field, format!("{field} must be {least} to {LONGEST_TTL} seconds (RFC 2181, 8)")));
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
