//! The newest configurations, in memory. Each is rendered once for all clients, and again only after an event that may
//! have changed it.
//!
//! Entries may be dropped at any time. A returned configuration is correct at the position that it names, because the position,
//! the mark of the last change and the rows are read in one snapshot of the views.

use super::boot_file::BootSource;
use super::configuration::Configuration;
use super::format::Format;
use super::last_good::{self, Moment};
use super::revision::Revision;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use bootledger_aggregates::dhcp_server::DhcpKind;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{catalogue, dhcp_entries, dhcp_sites};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A configuration and the positions at which it is current.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    /// The configuration's text and its hash.
    pub(crate) revision: Arc<Revision>,
    /// The position up to which it is current or, if the site is held back, the position of its own moment.
    pub(crate) position: i64,
    /// The position of the last event that may have changed it.
    pub(crate) changed: i64,
    /// The position of the views up to which all of this is known.
    pub(crate) seen: i64,
    /// Whether it is from an earlier moment ([`last_good`]).
    pub(crate) held_back: bool,
}

/// The place for one site's configuration in one format. The holder of its lock may render the configuration.
type Place = Arc<tokio::sync::Mutex<Option<Current>>>;

/// The configurations of an application; share one between all of its servers.
#[derive(Debug, Default)]
pub struct Configurations(Mutex<HashMap<(Name, Format), Place>>);

impl Configurations {
    /// The newest configuration of a site. While the views do not move, this needs no query.
    pub(crate) async fn current(&self, backend: &mut Backend, site: &Name, format: Format) -> Result<Current, Error> {
        let key = (site.clone(), format);
        let known = self.places().get(&key).cloned();
        // Only places of sites that exist are kept, so that requests for other sites use no memory.
        let place = known.clone().unwrap_or_default();
        let mut held = place.lock().await;
        let shown = backend.position();
        if let Some(current) = held.as_ref().filter(|current| current.seen >= shown) {
            return Ok(current.clone());
        }
        let source = BootSource::of(backend.application());
        let mut shared = backend.for_machines();
        let mut snapshot = shared.read_now().await?;
        let position = snapshot.position;
        let changed = dhcp_sites::changed_at(snapshot.connection(), site).await?;
        let same = |current: &&Current| current.changed == changed && !current.held_back;
        let current = match held.as_ref().filter(same) {
            Some(current) => Current { position, seen: position, ..current.clone() },
            None => match render(snapshot, source, site, format).await {
                Ok(Rendered { revision, moment }) => Current {
                    revision: Arc::new(revision),
                    position: moment.position,
                    changed: changed.min(moment.position),
                    seen: position,
                    held_back: moment.held_back,
                },
                Err(error) => {
                    self.places().remove(&key);
                    return Err(error);
                }
            },
        };
        *held = Some(current.clone());
        if known.is_none() {
            self.places().entry(key).or_insert_with(|| Arc::clone(&place));
        }
        Ok(current)
    }

    fn places(&self) -> std::sync::MutexGuard<'_, HashMap<(Name, Format), Place>> {
        // No operation leaves the map in an inconsistent state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The revision that a site's servers of this kind should have been running at a past position. `None` if there was none,
/// because the format cannot express what the site had.
///
/// # Errors
/// Returns [`Error::NotFound`] if the site was not in use at the position, and another error if the views cannot be read.
pub async fn revision_at(application: &Application, site: &Name, kind: DhcpKind, position: i64) -> Result<Option<Sha256>, Error> {
    let mut backend = Backend::without_request(application);
    let mut snapshot = backend.read_now().await?;
    (snapshot.at, snapshot.position) = (At::Position(position), position);
    match render(snapshot, BootSource::of(application), site, Format::of_kind(kind)).await {
        Ok(rendered) => Ok(Some(rendered.revision.sha256)),
        Err(Error::Rejected { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A configuration and its moment.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) revision: Revision,
    pub(crate) moment: Moment,
}

/// Renders the configuration of a site at the reading's moment, or the last good one before it. Returns `Rejected` if the
/// format cannot express it. The reading is dropped before the text is written, which may have to wait for a thread.
pub(crate) async fn render(
    mut snapshot: Snapshot<'_>,
    source: impl Into<BootSource>,
    site: &Name,
    format: Format,
) -> Result<Rendered, Error> {
    let source = source.into();
    let moment = last_good::moment(&mut snapshot, site).await?;
    let at = moment.at;
    let entry = catalogue::site(snapshot.connection(), site, at).await?.filter(|entry| !entry.retired);
    let entry = entry.ok_or_else(|| Error::NotFound(format!("there is no site {site}, so it has no DHCP configuration")))?;
    let networks = catalogue::networks(snapshot.connection(), at).await?;
    let entries = dhcp_entries::of_site(snapshot.connection(), site, at).await?;
    drop(snapshot);
    let site = site.clone();
    let written = tokio::task::spawn_blocking(move || {
        let networks =
            networks.into_iter().filter(|network| network.spec.site == site).map(|network| (network.key, network.spec));
        let configuration = Configuration::new(site.clone(), &entry.spec, source, networks, entries);
        format.render(&configuration).map(Revision::of)
    });
    let revision = written.await.map_err(|error| Error::Internal(error.into()))?.map_err(|refused| refused.0)?;
    Ok(Rendered { revision, moment })
}
