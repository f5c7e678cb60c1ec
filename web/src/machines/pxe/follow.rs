//! Keeps the boot table equal to the views.
//!
//! There is one way for every case: at every move of the views, and at least every second, it queries what changed. So nothing
//! depends on a message that may be lost, and the table catches up after a database outage. If the views were rebuilt and are
//! at an earlier position, everything is loaded again.

use super::render;
use super::service::BootService;
use super::table::{BootTable, Entry};
use crate::images::target::{Identity, Image, Place, Target};
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::Error;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::projector::checkpoint;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::boot_targets::{self, BootTarget};
use bootledger_projections::rows::catalogue;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How often the views are queried even if nothing seems to have moved.
const REGARDLESS: Duration = Duration::from_secs(1);

/// How long a step may be overdue before readiness reports the table.
const VITAL: Duration = Duration::from_secs(5);

/// How many scripts are rendered before other tasks get the processor.
const BEFORE_OTHERS: usize = 16;

/// Runs the boot service's background work until the service stops: loads the table, follows the views, renders scripts ahead,
/// and records what was served.
pub async fn run(service: BootService) {
    let mut stopping = service.application.stopping.clone();
    let kept = async {
        tokio::select! {
            () = keep(&service) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    };
    futures::join!(kept, service.table.recorder.run(&service.application));
}

async fn keep(service: &BootService) {
    let application = &service.application;
    let mut follower = Follower::new(application.agents.clone());
    let mut position = application.position.clone();
    let mut failing = false;
    let status = application.vitals.worker("boot_table");
    application.vitals.require("the boot table cannot be updated from the views", VITAL, status.clone());
    loop {
        match follower.step(&service.table).await {
            Ok(fresh) => {
                status.succeeded();
                if failing {
                    tracing::info!("the boot table is updated from the views again");
                }
                failing = false;
                prepare(service, fresh).await;
            }
            Err(error) => {
                status.failed(&error);
                if !failing {
                    tracing::error!("the boot table cannot follow the views: {:#}", anyhow::Error::new(error));
                }
                failing = true;
            }
        }
        let moved = async {
            // If waiting fails, no sender will ever move the position again, and the periodic queries continue.
            if failing || position.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = moved => {}
            () = tokio::time::sleep(REGARDLESS) => {}
        }
    }
}

async fn prepare(service: &BootService, fresh: Vec<Arc<Target>>) {
    for (target, number) in fresh.into_iter().zip(1_usize..) {
        if let Err(error) = render::prepare(service, &target).await {
            tracing::error!(deployment.id = %target.identity.deployment, "a server cannot boot: {error}");
        }
        if number.is_multiple_of(BEFORE_OTHERS) {
            tokio::task::yield_now().await;
        }
    }
}

/// The state that is needed to build targets from rows.
#[derive(Debug)]
pub struct Follower {
    views: Pool,
    images: HashMap<(Name, i32), Arc<Image>>,
    places: HashMap<Name, Arc<Place>>,
    /// The settings that targets share.
    settings: HashSet<ResolvedSettings>,
    /// The position that the table shows; `None` before it is loaded.
    position: Option<i64>,
}

impl Follower {
    /// A follower that has not queried the views yet.
    pub fn new(views: impl Into<Pool>) -> Self {
        Self { views: views.into(), images: HashMap::new(), places: HashMap::new(), settings: HashSet::new(), position: None }
    }

    /// Updates a table to what the views show, and returns the targets that are new in it.
    ///
    /// # Errors
    /// Returns an error if the database does not answer. The table is not changed then, and after a while reports that
    /// it is stale.
    pub async fn step(&mut self, table: &BootTable) -> Result<Vec<Arc<Target>>, Error> {
        // The position is read first: rows that are read afterwards are at least as new, and newer ones are read again.
        let now = checkpoint::position(&self.views).await?;
        let fresh = match self.position {
            Some(position) if position == now => {
                table.touch();
                return Ok(vec![]);
            }
            Some(position) if position < now => self.follow(table, position, now).await?,
            _ => self.load(table, now).await?,
        };
        self.position = Some(now);
        self.images.retain(|_, image| Arc::strong_count(image) > 1);
        self.settings.retain(|settings| settings.owners() > 1);
        Ok(fresh)
    }

    async fn load(&mut self, table: &BootTable, now: i64) -> Result<Vec<Arc<Target>>, Error> {
        self.places = self.read_places().await?;
        let rows = boot_targets::all(&self.views, At::Now).await?;
        let entries = self.entries(rows).await?;
        let fresh = usable(&entries);
        table.load(entries, now);
        Ok(fresh)
    }

    async fn follow(&mut self, table: &BootTable, position: i64, now: i64) -> Result<Vec<Arc<Target>>, Error> {
        let mut came = vec![];
        if catalogue::places_changed_since(&self.views, position).await? {
            if table.has_unusable() {
                return self.load(table, now).await;
            }
            let places = self.read_places().await?;
            let before = std::mem::replace(&mut self.places, places);
            for target in table.targets() {
                let network = &target.place.network;
                if let Some(place) = self.places.get(network).filter(|place| before.get(network) != Some(place)) {
                    let identity = target.identity.clone();
                    let (image, settings) = (Arc::clone(&target.image), target.settings.clone());
                    came.push(Entry::Usable(Arc::new(Target::new(identity, image, Arc::clone(place), settings))));
                }
            }
        }
        let changes = boot_targets::changed_since(&self.views, position).await?;
        let (present, absent): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.present);
        let went: HashSet<_> = absent.into_iter().map(|change| (change.target.ip, change.target.deployment)).collect();
        // Deployments that ended are still in the table, and must not be added again when their network changes.
        came.retain(
            |entry| !matches!(entry, Entry::Usable(target) if went.contains(&(target.identity.assignment.ip, target.identity.deployment))),
        );
        came.extend(self.entries(present.into_iter().map(|change| change.target).collect()).await?);
        let fresh = usable(&came);
        table.apply(&went, came, now);
        Ok(fresh)
    }

    async fn read_places(&self) -> Result<HashMap<Name, Arc<Place>>, Error> {
        let sites = catalogue::sites(&self.views, At::Now).await?;
        let sites: HashMap<Name, SiteSpec> = sites.into_iter().map(|site| (site.key, site.spec)).collect();
        let networks = catalogue::networks(&self.views, At::Now).await?;
        let places = networks.into_iter().filter_map(|network| {
            let place = Place::new(network.key.clone(), network.spec.clone(), sites.get(&network.spec.site)?);
            Some((network.key, Arc::new(place)))
        });
        Ok(places.collect())
    }

    async fn entries(&mut self, rows: Vec<BootTarget>) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            entries.push(self.entry(row).await?);
        }
        Ok(entries)
    }

    async fn entry(&mut self, row: BootTarget) -> Result<Entry, Error> {
        let image = self.image(&row.boot_image, row.boot_image_revision).await?;
        let place = self.places.get(&row.network).cloned();
        let (Some(image), Some(place)) = (image, place) else {
            tracing::error!(
                deployment.id = %row.deployment,
                "a server cannot boot: the views lack revision {} of the boot image {}, or network {} or its site",
                row.boot_image_revision, row.boot_image, row.network
            );
            return Ok(Entry::Unusable { ip: row.ip, deployment: row.deployment });
        };
        let identity = Identity { deployment: row.deployment, assignment: row.assignment(), next_boot: row.next_boot };
        let settings = self.shared(row.settings);
        Ok(Entry::Usable(Arc::new(Target::new(identity, image, place, settings))))
    }

    /// The equal settings that are already in use by other targets, so that targets share one map.
    fn shared(&mut self, settings: ResolvedSettings) -> ResolvedSettings {
        if settings.is_empty() {
            return settings;
        }
        if let Some(known) = self.settings.get(&settings) {
            return known.clone();
        }
        self.settings.insert(settings.clone());
        settings
    }

    async fn image(&mut self, name: &Name, revision: i32) -> Result<Option<Arc<Image>>, Error> {
        let key = (name.clone(), revision);
        if let Some(image) = self.images.get(&key) {
            return Ok(Some(Arc::clone(image)));
        }
        let Some(found) = catalogue::boot_image_revision(&self.views, name, revision).await? else {
            return Ok(None);
        };
        let image = Arc::new(Image::new(found.key, found.spec));
        self.images.insert(key, Arc::clone(&image));
        Ok(Some(image))
    }
}

fn usable(entries: &[Entry]) -> Vec<Arc<Target>> {
    let targets = entries.iter().filter_map(|entry| match entry {
        Entry::Usable(target) => Some(Arc::clone(target)),
        Entry::Unusable { .. } => None,
    });
    targets.collect()
}
