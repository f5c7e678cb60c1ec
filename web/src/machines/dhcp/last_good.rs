//! The moment of a site's DHCP configuration: now, or the last moment at which it left no entry out.
//!
//! An entry that no network serves is a defect: no change that is accepted today leads to one, but the log of an earlier
//! version can contain them. The servers then keep the last configuration that had every entry, and a deployment that needs a
//! later one waits and shows why. If a server has already confirmed a later one, an earlier version has left the entry out, and
//! going back would remove what was added since: that site gets the current configuration. `/readyz`, `/metrics` and the drift
//! check report both cases.

use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::questions::strays::{self, Stray};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;

/// The maximum number of changes of the entries' networks to go back.
const STEPS: usize = 16;

/// The moment of a configuration.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The moment in the form that queries of the views take.
    pub(crate) at: At,
    /// The position of the moment.
    pub position: i64,
    /// The entries that no network serves now.
    pub strays: Vec<Stray>,
    /// Whether the moment is an earlier one, because of these entries.
    pub held_back: bool,
}

/// The moment of the configuration that a site gets at the moment of a reading.
///
/// # Errors
/// Returns an error if the database does not answer.
pub async fn moment(snapshot: &mut Snapshot<'_>, site: &Name) -> Result<Moment, Error> {
    let (at, position) = (snapshot.at, snapshot.position);
    let found = strays::list(snapshot.connection(), Some(site), at).await?;
    let mut now = Moment { at, position, strays: found, held_back: false };
    let Some(good) = last_good(snapshot, site, &now.strays).await? else { return Ok(now) };
    let servers = catalogue::dhcp_servers_of(snapshot.connection(), site, at).await?;
    let later = servers.iter().filter_map(|server| server.spec.confirmed.as_ref()).any(|confirmed| confirmed.position > good);
    if !later {
        (now.at, now.position, now.held_back) = (At::Position(good), good, true);
    }
    Ok(now)
}

/// The last position at which every entry of the site had its network; `None` if there are no such entries, or always were.
async fn last_good(snapshot: &mut Snapshot<'_>, site: &Name, strays: &[Stray]) -> Result<Option<i64>, Error> {
    let mut since = strays.iter().map(|stray| stray.since).min();
    for _ in 0..STEPS {
        let Some(position) = since.map(|since| since - 1).filter(|position| *position > 0) else { return Ok(None) };
        let at = At::Position(position);
        if catalogue::site(snapshot.connection(), site, at).await?.is_none_or(|entry| entry.retired) {
            return Ok(None);
        }
        let found = strays::list(snapshot.connection(), Some(site), at).await?;
        if found.is_empty() {
            return Ok(Some(position));
        }
        since = found.iter().map(|stray| stray.since).min();
    }
    Ok(None)
}
