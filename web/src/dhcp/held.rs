//! The newest configurations, in memory: rendered once for all who ask, and again only after an event that may
//! have changed them.
//!
//! It may forget anything at any time. What it gives is true at the position that it names, because the position, the mark of
//! the last change and the rows are read in one snapshot of the views.

use super::boot_file::BootSource;
use super::configuration::{Configuration, Format};
use super::revision::Revision;
use crate::application::Application;
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::reading::Reading;
use bootledger_aggregates::dhcp_server::DhcpKind;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_projections::at::At;
use bootledger_projections::{catalogue, dhcp_entries, dhcp_sites};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A configuration and when it is true.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    /// The configuration.
    pub(crate) revision: Arc<Revision>,
    /// The position up to which it is current.
    pub(crate) position: i64,
    /// The position of the last event that may have changed it.
    pub(crate) changed: i64,
}

/// Where one site's configuration in one format is kept; whoever holds it may render.
type Place = Arc<tokio::sync::Mutex<Option<Current>>>;

/// The configurations of an application; share one between all of its servers.
#[derive(Debug, Default)]
pub struct Configurations(Mutex<HashMap<(Name, Format), Place>>);

impl Configurations {
    /// The newest configuration of a site. While the views do not move, this asks no database.
    pub(crate) async fn current(&self, backend: &mut Backend, site: &Name, format: Format) -> Result<Current, Error> {
        let key = (site.clone(), format);
        let known = self.places().get(&key).cloned();
        // Only places of sites that exist are kept, so that asking for others takes no memory.
        let place = known.clone().unwrap_or_default();
        let mut held = place.lock().await;
        let shown = backend.position();
        if let Some(current) = held.as_ref().filter(|current| current.position >= shown) {
            return Ok(current.clone());
        }
        let source = backend.boot_source();
        let mut shared = backend.for_machines();
        let mut reading = shared.read_now().await?;
        let position = reading.position;
        let changed = dhcp_sites::changed_at(reading.connection(), site).await?;
        let revision = match held.as_ref().filter(|current| current.changed == changed) {
            Some(current) => Arc::clone(&current.revision),
            None => match render(reading, source, site, format).await {
                Ok(revision) => Arc::new(revision),
                Err(error) => {
                    self.places().remove(&key);
                    return Err(error);
                }
            },
        };
        let current = Current { revision, position, changed };
        *held = Some(current.clone());
        if known.is_none() {
            self.places().entry(key).or_insert_with(|| Arc::clone(&place));
        }
        Ok(current)
    }

    fn places(&self) -> std::sync::MutexGuard<'_, HashMap<(Name, Format), Place>> {
        // Nothing is ever left half-done in the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The revision that a site's servers of this kind should have been running at a position of the past. `None` where there was
/// none for them, as the format cannot say what the site had.
pub async fn revision_at(application: &Application, site: &Name, kind: DhcpKind, position: i64) -> Result<Option<Sha256>, Error> {
    let mut backend = Backend::of_nobody(application);
    let mut reading = backend.read_now().await?;
    (reading.at, reading.position) = (At::Position(position), position);
    match render(reading, BootSource::of(application), site, Format::of_kind(kind)).await {
        Ok(revision) => Ok(Some(revision.sha256)),
        Err(Error::Rejected { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The configuration of a site at the reading's moment. Rejected where the format cannot say it. The reading ends before the
/// text is written, which may have to wait for a thread.
pub(crate) async fn render(
    mut reading: Reading<'_>,
    source: impl Into<BootSource>,
    site: &Name,
    format: Format,
) -> Result<Revision, Error> {
    let (at, source) = (reading.at, source.into());
    let entry = catalogue::site(reading.connection(), site, at).await?.filter(|entry| !entry.retired);
    let entry = entry.ok_or_else(|| Error::NotFound(format!("there is no site {site}, so it has no DHCP configuration")))?;
    let networks = catalogue::networks(reading.connection(), at).await?;
    let entries = dhcp_entries::of_site(reading.connection(), site, at).await?;
    drop(reading);
    let site = site.clone();
    let written = tokio::task::spawn_blocking(move || {
        let networks =
            networks.into_iter().filter(|network| network.spec.site == site).map(|network| (network.key, network.spec));
        let configuration = Configuration::new(site.clone(), &entry.spec, source, networks, entries);
        format.render(&configuration).map(Revision::of)
    });
    Ok(written.await.map_err(|error| Error::Internal(error.into()))?.map_err(|refused| refused.0)?)
}
