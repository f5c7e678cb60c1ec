//! The rules for extra records of a zone: they refuse records for which a DNS server would refuse the whole file, and records
//! that contradict those of devices.

use super::Zone;
use super::data::Data;
use super::master_file::{ExtraRecord, LineError, OwnerName};
use crate::values::hostname::DomainName;
use std::collections::{BTreeMap, BTreeSet};

/// A record that Bootledger creates for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRecord {
    /// The record's name in the zone.
    pub name: String,
    /// The record's type: `A` or `PTR`.
    pub kind: String,
    /// The record's value: an address or a name.
    pub value: String,
    /// The holder of the record, such as `device 0192…`.
    pub holder: String,
}

impl OwnRecord {
    fn shown(&self) -> String {
        format!("{} {} {}", self.name, self.kind, self.value)
    }
}

/// The extra record that contradicts a record of a device, and the reason.
pub fn conflict<'a>(
    zone: &Zone,
    records: &'a [ExtraRecord],
    name: &str,
    kind: &str,
    value: &str,
) -> Option<(&'a ExtraRecord, String)> {
    records.iter().find_map(|record| {
        let here = record.name.as_str() == name;
        let why = match &record.data {
            Data::Cname(target) if here => format!("{name} is an alias (CNAME) of {target}, and an alias has no other records"),
            Data::Ns(_) if record.name.as_str() != zone.name.as_str() && OwnerName::is_in(&owner(name), record.name.as_str()) => {
                format!("{} is delegated to other name servers (NS)", record.name)
            }
            data if here && data.kind() == kind && data.to_string().trim_end_matches('.') != value => {
                format!("{name} {kind} has the value {data} there")
            }
            _ => return None,
        };
        Some((record, why))
    })
}

fn owner(name: &str) -> OwnerName {
    OwnerName::of(name)
}

/// The problems with a zone's extra records. `nested` are the zones inside this one that have their own files; `own` are the
/// records of devices in this zone.
pub fn check(zone: &Zone, records: &[ExtraRecord], nested: &[&DomainName], own: &[OwnRecord]) -> Vec<LineError> {
    let all = Records::new(zone, records);
    let mut errors = vec![];
    for record in records {
        errors.extend(all.among_themselves(record).map(|why| LineError::new(record.line, why)));
        errors.extend(all.alone(record, nested).map(|why| LineError::new(record.line, why)));
    }
    for own in own {
        if let Some((record, why)) = conflict(zone, records, &own.name, &own.kind, &own.value) {
            let after = format!(" has the record {}. Remove the line, or give that device another name", own.shown());
            errors.push(LineError::naming(record.line, format!("{why}; "), &own.holder, after));
        }
        let ttl = records.iter().find(|record| record.name.as_str() == own.name && record.data.kind() == own.kind);
        if let Some((record, ttl)) = ttl.and_then(|record| Some((record, record.ttl.filter(|ttl| *ttl != zone.ttl())?))) {
            let before = format!("the time {ttl} differs from the {} of the record {} of ", zone.ttl(), own.shown());
            let after = "; records of one name and type have one. Remove the time from the line".to_owned();
            errors.push(LineError::naming(record.line, before, &own.holder, after));
        }
    }
    errors.sort_by_key(|error| error.line);
    errors
}

/// The zone's own name servers inside the zone that have no address or are aliases.
pub fn without_address(zone: &Zone, records: &[ExtraRecord]) -> Vec<String> {
    let all = Records::new(zone, records);
    let inside = zone.name_servers.iter().filter(|server| zone.name.contains(server.as_str()));
    inside.filter_map(|server| all.unreachable(&owner(server.as_str()), true)).collect()
}

/// The extra records, by name.
struct Records<'a> {
    zone: &'a Zone,
    of: BTreeMap<&'a OwnerName, Vec<&'a ExtraRecord>>,
    /// The names of delegated zones.
    cuts: BTreeSet<&'a OwnerName>,
}

impl<'a> Records<'a> {
    fn new(zone: &'a Zone, records: &'a [ExtraRecord]) -> Self {
        let mut of: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut cuts = BTreeSet::new();
        for record in records {
            of.entry(&record.name).or_default().push(record);
            if matches!(record.data, Data::Ns(_)) && record.name.as_str() != zone.name.as_str() {
                cuts.insert(&record.name);
            }
        }
        Self { zone, of, cuts }
    }

    fn at(&self, name: &OwnerName) -> &[&'a ExtraRecord] {
        self.of.get(name).map_or(&[], Vec::as_slice)
    }

    /// The delegation that a name is at or below.
    fn cut(&self, name: &OwnerName) -> Option<&OwnerName> {
        self.cuts.iter().find(|cut| name.is_in(cut.as_str())).copied()
    }

    /// The problem with a record in combination with those before it.
    fn among_themselves(&self, record: &ExtraRecord) -> Option<String> {
        let (name, kind) = (&record.name, record.data.kind());
        for other in self.at(name).iter().filter(|other| other.line < record.line) {
            let line = other.line;
            if other.data == record.data {
                return Some(format!("{name} {kind} is already in line {line}"));
            }
            if [other.data.kind(), kind].contains(&"CNAME") {
                return Some(format!(
                    "{name} has {} in line {line}, and an alias (CNAME) has no other records (RFC 1034, 3.6.2)",
                    other.data.kind()
                ));
            }
            let ttl = |record: &ExtraRecord| record.ttl.unwrap_or(self.zone.ttl());
            if other.data.kind() == kind && ttl(other) != ttl(record) {
                return Some(format!(
                    "the time {} differs from the {} in line {line}; records of one name and type have one (RFC 2181, 5.2)",
                    ttl(record),
                    ttl(other)
                ));
            }
        }
        None
    }

    /// The problem with a record on its own and in its place.
    fn alone(&self, record: &ExtraRecord, nested: &[&DomainName]) -> Option<String> {
        let (name, kind, apex) = (&record.name, record.data.kind(), self.zone.name.as_str());
        if let Some(why) = record.data.meaningless() {
            return Some(why);
        }
        if name.as_str() == apex {
            match &record.data {
                Data::Ns(target) => {
                    return Some(format!(
                        "the zone's own name servers are the field name_servers; add {target} there and remove the line"
                    ));
                }
                Data::Cname(_) => {
                    return Some(format!("{apex} is the zone itself, which has SOA and NS, and so cannot be an alias (CNAME)"));
                }
                Data::Ds(..) => return Some("DS belongs in the zone above".to_owned()),
                _ => {}
            }
        }
        if let Some(owner) = nested.iter().find(|zone| name.is_in(zone.as_str())) {
            let delegates = matches!(record.data, Data::Ns(_) | Data::Ds(..)) && name.as_str() == owner.as_str();
            let glue = matches!(record.data, Data::A(_) | Data::Aaaa(_)) && self.cut(name).is_some();
            if !delegates && !glue {
                return Some(format!(
                    "{name} is in the zone {owner}, which has a file of its own; add it to that zone's records"
                ));
            }
        }
        if let Some(cut) = self.cut(name) {
            let here = cut == name;
            let fits = match &record.data {
                Data::Ns(_) | Data::Ds(..) => here,
                Data::A(_) | Data::Aaaa(_) => true,
                _ => false,
            };
            if !fits {
                return Some(format!(
                    "{name} is delegated by the NS record of {cut}, so resolvers do not find {kind} there; add it to the \
                     delegated zone"
                ));
            }
        } else if matches!(record.data, Data::Ds(..)) {
            return Some(format!("DS needs NS records of {name} beside it"));
        }
        // What BIND checks with `check-names`, and refuses the zone for.
        let host = record.name.wildcard().map_or_else(|| name.clone(), OwnerName::of);
        // The name of Active Directory's global catalogue, which BIND accepts for addresses.
        let catalogue = name.as_str().strip_prefix("gc._msdcs.").filter(|_| !matches!(record.data, Data::Mx(..)));
        let host = catalogue.map_or(host, OwnerName::of);
        if matches!(record.data, Data::A(_) | Data::Aaaa(_) | Data::Mx(..)) && !host.is_host() {
            return Some(format!(
                "{name} cannot have {kind}: the name of a host has only letters, digits and inner hyphens (RFC 1123)"
            ));
        }
        if name.wildcard().is_some() && matches!(record.data, Data::Ns(_) | Data::Ds(..)) {
            return Some(format!("a wildcard cannot have {kind} (RFC 4592, 4.2)"));
        }
        if let Data::Ptr(target) = &record.data
            && (self.zone.is_reverse() || name.is_in("ip6.int"))
            && !target.is_host()
        {
            return Some(format!("{target} is not the name of a host (RFC 1123)"));
        }
        let target = record.data.target()?;
        if !target.is_host() {
            return Some(format!("{kind} names {target}, which is not the name of a host (RFC 1123)"));
        }
        if target.is_in(apex) {
            self.unreachable(target, matches!(record.data, Data::Ns(_))).map(|why| format!("{kind}: {why}"))
        } else {
            None
        }
    }

    /// Why a host inside the zone that records refer to cannot be found. `serves` is whether the host is a name server.
    fn unreachable(&self, host: &OwnerName, serves: bool) -> Option<String> {
        let here = self.at(host);
        if let Some(alias) = here.iter().find(|record| matches!(record.data, Data::Cname(_))) {
            return Some(format!("{host} is an alias (CNAME) in line {}; name the host itself (RFC 2181, 10.3)", alias.line));
        }
        if here.iter().any(|record| matches!(record.data, Data::A(_) | Data::Aaaa(_))) {
            return None;
        }
        // Below a delegation, other servers know the host; but a name server's address is needed to reach them.
        if self.cut(host).is_some() && !serves {
            return None;
        }
        Some(format!(
            "{host} has no address among the zone's extra records, and DNS servers reject such a zone; add a line such as `{host}. A 192.0.2.1`"
        ))
    }
}
