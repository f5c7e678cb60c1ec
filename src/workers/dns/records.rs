//! A record set at its primary: the update that it needs, and whether the update is allowed.

use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::reverse_zone::reversed;
use bootledger_aggregates::zone::{Zone, holding};
use bootledger_projections::rows::catalogue::Entry;
use std::collections::BTreeSet;

/// The type of a record set: A or PTR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    A,
    Ptr,
}

impl Kind {
    /// The type of a row of the views.
    pub(crate) fn of(text: &str) -> Option<Self> {
        match text {
            "A" => Some(Self::A),
            "PTR" => Some(Self::Ptr),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Ptr => "PTR",
        }
    }
}

/// All records of one name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Records {
    /// The records' name at the primary.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The values that were sent to the primary, which it may hold. Those of them that it holds are ours.
    pub(super) sent: BTreeSet<String>,
    /// The values in the primary's last response.
    pub(super) answered: BTreeSet<String>,
    /// The expected values.
    pub(super) wanted: BTreeSet<String>,
}

/// An update of a record set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Update<'a> {
    pub(super) records: &'a Records,
    /// The values that the primary must hold for the update, as an exact prerequisite; `None` if they do not matter.
    pub(super) held: Option<BTreeSet<String>>,
    pub(super) removed: BTreeSet<String>,
    pub(super) added: BTreeSet<String>,
}

/// What to do, given the records that a primary holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// The primary holds all expected records, and none of ours that should not exist.
    Nothing,
    /// The primary needs this update.
    Update(Update<'a>),
    /// The primary holds these records, which are not ours, in place of ours.
    Conflict(BTreeSet<String>),
}

impl Records {
    /// The update that starts from the primary's last response. Its prerequisite makes it fail if that is out of date.
    pub(super) fn expected(&self) -> Update<'_> {
        Update {
            records: self,
            held: Some(self.answered.clone()),
            removed: &self.answered - &self.wanted,
            added: &self.wanted - &self.answered,
        }
    }

    /// The next step, given the records that the primary holds.
    pub(super) fn from(&self, found: &BTreeSet<String>) -> Step<'_> {
        let ours = &self.sent | &self.wanted;
        let foreign = found - &ours;
        let (removed, added) = (&(&self.sent - &self.wanted) & found, &self.wanted - found);
        if removed.is_empty() && added.is_empty() {
            return Step::Nothing;
        }
        if !added.is_empty() && !foreign.is_empty() {
            return Step::Conflict(foreign);
        }
        // Records of others are kept when ours are removed, even if their values have changed by then.
        let held = foreign.is_empty().then(|| found.clone());
        Step::Update(Update { records: self, held, removed, added })
    }
}

/// A zone, with the site that manages it.
struct OfSite<'a>(&'a Entry<SiteSpec>, &'a Zone);

impl AsRef<Zone> for OfSite<'_> {
    fn as_ref(&self) -> &Zone {
        self.1
    }
}

/// The site, the zone and the name within it for a row of the views. `None` if no site updates the zone.
pub(crate) fn place<'a>(sites: &'a [Entry<SiteSpec>], name: &str, kind: Kind) -> Option<(&'a Entry<SiteSpec>, &'a Zone, String)> {
    let zones = sites.iter().flat_map(|site| site.spec.zones.iter().map(move |zone| OfSite(site, zone)));
    let reverse = match kind {
        Kind::A => None,
        Kind::Ptr => Some(reversed(name)?),
    };
    let (OfSite(site, zone), name) = holding(zones, name, reverse)?;
    site.spec.dns_updates.is_some().then_some((site, zone, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(ToString::to_string).collect()
    }

    fn records(sent: &[&str], wanted: &[&str]) -> Records {
        let (sent, answered) = (set(sent), set(sent));
        Records { name: "h1.dc1.example".to_owned(), kind: Kind::A, sent, answered, wanted: set(wanted) }
    }

    fn step(published: &[&str], wanted: &[&str], found: &[&str]) -> String {
        match records(published, wanted).from(&set(found)) {
            Step::Nothing => "nothing".to_owned(),
            Step::Update(update) => format!("{:?} -{:?} +{:?}", update.held, update.removed, update.added),
            Step::Conflict(foreign) => format!("conflict {foreign:?}"),
        }
    }

    #[test]
    fn the_published_records_are_the_prerequisite_of_an_update() {
        let records = records(&["1"], &["2"]);
        let update = records.expected();
        assert_eq!((update.held, update.removed, update.added), (Some(set(&["1"])), set(&["1"]), set(&["2"])));
    }

    #[test]
    fn records_of_others_are_never_overwritten_and_never_removed() {
        assert_eq!(step(&[], &["1"], &["9"]), r#"conflict {"9"}"#);
        assert_eq!(step(&["1"], &["2"], &["1", "9"]), r#"conflict {"9"}"#);
        assert_eq!(step(&["1"], &[], &["1", "9"]), r#"None -{"1"} +{}"#, "ours goes, theirs stays");
        assert_eq!(step(&["1"], &[], &["9"]), "nothing");
        assert_eq!(step(&[], &["1"], &["1", "9"]), "nothing", "ours is there");
    }

    #[test]
    fn correct_records_stay_and_missing_ones_are_published_again() {
        assert_eq!(step(&[], &["1"], &["1"]), "nothing");
        assert_eq!(step(&["1"], &["1"], &[]), r#"Some({}) -{} +{"1"}"#);
        assert_eq!(step(&["1"], &["2"], &[]), r#"Some({}) -{} +{"2"}"#);
        assert_eq!(step(&["1", "2"], &["2"], &["1", "2"]), r#"Some({"1", "2"}) -{"1"} +{}"#);
    }

    #[test]
    fn records_of_an_unanswered_update_may_exist_and_are_ours() {
        let lost = Records { answered: set(&[]), ..records(&["1"], &[]) };
        assert_eq!(lost.expected().held, Some(set(&[])), "nothing is relied on that was not answered");
        let Step::Update(update) = lost.from(&set(&["1", "9"])) else { panic!("it is removed") };
        assert_eq!((update.removed, update.added), (set(&["1"]), set(&[])));
    }

    #[test]
    fn records_belong_to_the_smallest_zone_of_any_site() {
        let key = r#"{ "name": "k", "secret": "s" }"#;
        let site = |zones: &str, primary: &str| -> Entry<SiteSpec> {
            let updates = if primary.is_empty() {
                String::new()
            } else {
                format!(r#", "dns_updates": {{ "primary": "{primary}", "key": {key} }}"#)
            };
            let spec =
                serde_json::from_str(&format!(r#"{{ "domain": "example", "zones": [{zones}]{updates} }}"#)).expect("a site");
            Entry { key: "dc".parse().expect("a name"), sequence: 1, spec, retired: false }
        };
        let sites = [
            site(r#""example", "2.0.192.in-addr.arpa""#, "10.0.0.1"),
            site(r#""dc1.example", "0/25.2.0.192.in-addr.arpa""#, "10.0.0.2"),
            site(r#""dc2.example""#, ""),
        ];
        let placed = |name: &str, kind| place(&sites, name, kind).map(|(_, zone, name)| format!("{zone} {name}"));
        assert_eq!(placed("h1.example", Kind::A).as_deref(), Some("example h1.example"));
        assert_eq!(placed("h1.dc1.example", Kind::A).as_deref(), Some("dc1.example h1.dc1.example"));
        assert_eq!(placed("h1.dc2.example", Kind::A), None, "its site updates nothing, and it is not in the outer zone");
        assert_eq!(
            placed("5.2.0.192.in-addr.arpa", Kind::Ptr).as_deref(),
            Some("0/25.2.0.192.in-addr.arpa 5.0/25.2.0.192.in-addr.arpa")
        );
        assert_eq!(
            placed("200.2.0.192.in-addr.arpa", Kind::Ptr).as_deref(),
            Some("2.0.192.in-addr.arpa 200.2.0.192.in-addr.arpa")
        );
        assert_eq!(placed("1.1.1.10.in-addr.arpa", Kind::Ptr), None);
    }
}
