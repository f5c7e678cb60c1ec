//! Checks a site's zones for consistency: with each other, with the zones of other sites, and with the records of devices.
//!
//! An unchanged zone is not checked again, so a site that predates a rule can still be changed.

use super::SiteSpec;
use crate::rules::{BrokenRule, Rule};
use crate::values::hostname::{DomainName, Hostname};
use crate::values::name::Name;
use crate::zone::Zone;
use crate::zone::data::Data;
use crate::zone::mailbox::hostmaster;
use crate::zone::master_file::LineError;
use crate::zone::rules::{OwnRecord, check, conflict, without_address};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The most errors that are listed for one zone's extra records.
const LISTED: usize = 20;

/// The facts that were looked up for a site's zones.
#[derive(Clone, Debug, Default)]
pub struct ZoneFacts {
    /// The zones of other sites.
    pub elsewhere: Vec<(Name, Zone)>,
    /// The records of devices, each with the zone that contains it.
    pub own: Vec<(DomainName, OwnRecord)>,
}

/// Every problem with the zones of `spec`. Before the change, the zones were those of `before`.
pub(super) fn broken(before: Option<&SiteSpec>, spec: &SiteSpec, facts: &ZoneFacts) -> Vec<BrokenRule> {
    let known: &[Zone] = before.map_or(&[], |before| &before.zones);
    let mut broken = vec![];
    for (index, zone) in spec.zones.iter().enumerate() {
        if known.contains(zone) && known.iter().filter(|known| known.name == zone.name).count() >= same(spec, zone) {
            continue;
        }
        let refuse =
            |field: &str, rule: Rule, message: String| BrokenRule::new(&format!("zones[{index}].{field}"), rule, message);
        if spec.zones[..index].iter().any(|other| other.name == zone.name) {
            broken.push(refuse(
                "name",
                Rule::ZoneListedTwice,
                format!("the zone {zone} is listed twice; list it once, with all of its fields"),
            ));
        }
        broken.extend(zone.problems().into_iter().map(|(field, message)| refuse(field, Rule::ZoneMalformed, message)));
        if zone.rname.is_none() && hostmaster(&spec.domain).is_none() {
            let message = format!(
                "hostmaster@{}, the default of rname, is not an email address; set rname, such as hostmaster@dc1.example",
                spec.domain
            );
            broken.push(refuse("rname", Rule::ZoneMalformed, message));
        }
        broken.extend(claimed(zone, spec, facts).map(|message| refuse("range", Rule::RangeClaimed, message)));
        let configured = |(site, other): &(Name, Zone)| (other.name == zone.name && other.has_settings()).then_some(site.clone());
        if let Some(site) = facts.elsewhere.iter().find_map(configured).filter(|_| zone.has_settings()) {
            let message = format!(
                "the zone {zone} is also managed by site {site}, which sets its fields; enter only the zone's name here, or \
                 change it there"
            );
            broken.push(refuse("name", Rule::ZoneStatedTwice, message).held_by(format!("site {site}")));
        }
        let extra = match zone.extra() {
            Ok(extra) => extra,
            Err(errors) => {
                broken.extend(
                    errors.into_iter().take(LISTED).map(|error| refuse("records", Rule::RecordMalformed, error.to_string())),
                );
                continue;
            }
        };
        let elsewhere = facts.elsewhere.iter().map(|(_, zone)| zone);
        let nested = spec.zones.iter().chain(elsewhere).map(|zone| &zone.name);
        let nested: Vec<&DomainName> =
            nested.filter(|other| *other != &zone.name && zone.name.contains(other.as_str())).collect();
        let own: Vec<OwnRecord> = facts.own.iter().filter(|(of, _)| *of == zone.name).map(|(_, own)| own.clone()).collect();
        let errors = check(zone, &extra, &nested, &own);
        let named = |error: LineError| match error.around_holder.as_deref() {
            Some([before, holder, after]) => {
                let before = format!("line {}: {before}", error.line);
                BrokenRule::naming(&format!("zones[{index}].records"), Rule::RecordConflicts, before, holder, after)
            }
            None => refuse("records", Rule::RecordConflicts, error.to_string()),
        };
        broken.extend(errors.into_iter().take(LISTED).map(named));
        broken.extend(
            without_address(zone, &extra).into_iter().map(|message| refuse("name_servers", Rule::NameServerUnknown, message)),
        );
    }
    broken
}

/// How many times a zone is listed.
fn same(spec: &SiteSpec, zone: &Zone) -> usize {
    spec.zones.iter().filter(|other| other.name == zone.name).count()
}

/// The other zone that is for the same addresses, if any. A zone within another one is allowed: the smallest one has the
/// record.
fn claimed(zone: &Zone, spec: &SiteSpec, facts: &ZoneFacts) -> Option<String> {
    let range = zone.addresses()?;
    let here = spec.zones.iter().map(|other| (None, other));
    let all = here.chain(facts.elsewhere.iter().map(|(site, other)| (Some(site), other)));
    all.filter(|(_, other)| other.name != zone.name).find_map(|(site, other)| {
        let theirs = other.addresses()?;
        let nested = range != theirs && (range.holds(theirs) || theirs.holds(range));
        if nested || !range.overlaps(theirs) {
            return None;
        }
        let whose = site.map_or(String::new(), |site| format!(" of site {site}"));
        Some(format!(
            "{zone} is for {range} and {other}{whose} for {theirs}; an address belongs to one zone, so one range must \
             contain the other, or they must not overlap"
        ))
    })
}

/// Why a device at a site cannot have the A record of this name and address, or its PTR record: extra records of the site's
/// zones contradict it.
pub fn contradicted(site: &SiteSpec, hostname: &Hostname, ip: Ipv4Addr) -> Option<String> {
    let forward = site.forward_zone(hostname).map(|zone| (zone, hostname.to_string(), "A", ip.to_string()));
    let reverse = site.reverse_zone(ip).map(|(zone, name)| (zone, name, "PTR", hostname.to_string()));
    forward.into_iter().chain(reverse).filter(|(zone, ..)| !zone.records.is_empty()).find_map(|(zone, name, kind, value)| {
        // A line that cannot be read was refused when it was saved, or is omitted from the file.
        let (extra, _) = zone.readable();
        let (record, why) = conflict(zone, &extra, &name, kind, &value)?;
        Some(format!("line {} of the extra records of zone {zone} contradicts it: {why}", record.line))
    })
}

/// The names that the extra records of a site's zones use for something else, so that no device gets them.
pub fn taken(site: &SiteSpec) -> BTreeSet<Hostname> {
    let extra = site.zones.iter().filter(|zone| !zone.records.is_empty()).flat_map(|zone| zone.readable().0);
    let others = extra.filter(|record| matches!(record.data, Data::A(_) | Data::Cname(_) | Data::Ns(_)));
    others.filter_map(|record| record.name.as_str().parse().ok()).collect()
}
