//! Search: every object that a text may mean, grouped by kind, the best first.
//!
//! Each group reads a bounded number of rows through indexes: whole values and beginnings of values through the holdings, parts
//! of words through the trigrams of the lists. In the past, holdings and the catalogue are searched as they were; a part of a
//! word is found if the device or deployment still has it, and had it then.

mod catalogue;
mod deployments;
mod devices;
mod events;
mod terms;
mod values;

pub use terms::Terms;

use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use serde::Serialize;
use utoipa::ToSchema;

/// How many objects of a kind are counted; there may be more.
pub const MOST: i64 = 100;
/// One more than is counted, to notice that there are more.
const LIMIT: i64 = MOST + 1;

/// The kind of an object that a search finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An IPv4 address, whether a device has it or not.
    Address,
    /// The MAC address of an interface.
    Mac,
    /// A host name.
    Hostname,
    /// A device, by its id.
    Device,
    /// A deployment, by its id.
    Deployment,
    /// The reservation of an address, by the address.
    Reservation,
    /// A network, by its name.
    Network,
    /// A rack, by its name.
    Rack,
    /// A site, by its code.
    Site,
    /// A DNS zone, by its name.
    Zone,
    /// A DHCP server, by its name.
    DhcpServer,
    /// A venture, by its name.
    Venture,
    /// A role of a venture, by its name.
    Role,
    /// A boot image, by its name.
    BootImage,
    /// A webhook, by its name.
    Webhook,
    /// A user, by the name for signing in.
    User,
    /// An event of the log, by its position.
    Event,
}

/// An object that a search found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SearchHit)]
pub struct Hit {
    /// The kind of the object.
    pub kind: Kind,
    /// The object's key among those of its kind.
    pub key: String,
    /// The venture of a role, the site of a zone, and the network of a reservation.
    pub parent: Option<String>,
    /// The name shown for the object.
    pub label: String,
    /// Other values of the object, such as its serial number and addresses, separated by commas.
    pub detail: String,
    /// Whether the text is a whole value of the object, and not only a part of one.
    pub exact: bool,
}

/// The objects of a kind that a search found, the best first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SearchGroup)]
pub struct Group {
    /// The kind of the objects.
    pub kind: Kind,
    /// How many objects match.
    pub count: i64,
    /// Whether more objects match than were counted.
    pub more: bool,
    /// The first objects.
    pub items: Vec<Hit>,
}

impl Group {
    /// A group of objects that were found in full, cut after `limit`; `None` without objects.
    fn of(kind: Kind, mut items: Vec<Hit>, found: usize, limit: usize) -> Option<Self> {
        let found = i64::try_from(found).unwrap_or(i64::MAX);
        items.truncate(limit);
        (!items.is_empty()).then_some(Self { kind, count: found.min(MOST), more: found > MOST, items })
    }
}

/// How much a search returns.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// How many objects of each kind are returned; the others are counted.
    pub each: usize,
    /// Whether users are searched. Only administrators and auditors see users.
    pub users: bool,
}

/// The groups of objects that a text may mean. Groups with an exact match come first; otherwise the order is that of [`Kind`].
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn find(connection: &mut Connection, terms: &Terms, at: At, extent: Extent) -> Result<Vec<Group>> {
    if terms.is_empty() {
        return Ok(vec![]);
    }
    let mut groups = values::find(connection, terms, at, extent.each).await?;
    groups.extend(devices::find(connection, terms, at, extent.each).await?);
    groups.extend(deployments::find(connection, terms, at, extent.each).await?);
    groups.extend(catalogue::find(connection, terms, at, extent).await?);
    groups.extend(events::find(connection, terms, at, extent.each).await?);
    groups.sort_by_key(|group| (!group.items.iter().any(|hit| hit.exact), group.kind));
    Ok(groups)
}

/// The one object that the text means beyond doubt: the only result, found by a whole value. Addresses, MAC addresses and host
/// names do not count beside the object that has them.
pub fn single(groups: &[Group]) -> Option<&Hit> {
    let is_value = |group: &&Group| matches!(group.kind, Kind::Address | Kind::Mac | Kind::Hostname);
    let (values, objects): (Vec<&Group>, Vec<&Group>) = groups.iter().partition(is_value);
    let all = if objects.is_empty() { values } else { objects };
    match all.as_slice() {
        [group] if group.count == 1 => group.items.first().filter(|hit| hit.exact),
        _ => None,
    }
}

/// The values that are not empty, separated by commas.
fn joined(values: impl IntoIterator<Item = String>) -> String {
    values.into_iter().filter(|value| !value.is_empty()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(kind: Kind, count: i64, exact: bool) -> Group {
        let hit = Hit { kind, key: "k".to_owned(), parent: None, label: "k".to_owned(), detail: String::new(), exact };
        Group { kind, count, more: false, items: vec![hit] }
    }

    #[test]
    fn only_one_exact_object_is_beyond_doubt() {
        let kind = |groups: &[Group]| single(groups).map(|hit| hit.kind);
        assert_eq!(kind(&[group(Kind::Mac, 1, true), group(Kind::Device, 1, true)]), Some(Kind::Device));
        assert_eq!(kind(&[group(Kind::Address, 1, true)]), Some(Kind::Address));
        assert_eq!(kind(&[group(Kind::Device, 1, false)]), None);
        assert_eq!(kind(&[group(Kind::Device, 2, true)]), None);
        assert_eq!(kind(&[group(Kind::Device, 1, true), group(Kind::Deployment, 1, false)]), None);
        assert_eq!(kind(&[]), None);
    }
}
