//! The deployments in progress by address, in memory, so that `/pxe/` asks no database.
//!
//! The table knows whether it knows: before it is loaded, and when it has not heard of the views for a while, it says
//! so instead of answering, because "no deployment" means "boot your disk" and an old entry means "install again".
//! It decides nothing and reads no database itself; [`super::follow`] fills it.

use super::record::Recorder;
use super::render::Sources;
use super::report::Paces;
use super::target::{Rendered, Target};
use bootledger_aggregates::values::ids::DeploymentId;
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// After how long without news of the views the table no longer answers. A follower hears of them every second.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// How many bytes of rendered scripts are kept; those beyond are rendered for each request.
const KEPT_SCRIPTS: usize = 64 * 1024 * 1024;

/// The boot table; one for each instance of the service.
#[derive(Debug)]
pub struct BootTable {
    entries: RwLock<Entries>,
    started: Instant,
    /// When the views were last heard of, in milliseconds after `started`; 0 before the table is loaded.
    heard: AtomicU64,
    kept_scripts: Arc<AtomicUsize>,
    pub(super) sources: Sources,
    pub(super) recorder: Recorder,
    pub(super) paces: Paces,
}

/// A row of the table.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A deployment that can be served.
    Usable(Arc<Target>),
    /// A deployment whose image or network cannot be read; the log says why.
    Unusable {
        /// Its address.
        ip: Ipv4Addr,
        /// Which one.
        deployment: DeploymentId,
    },
}

impl Entry {
    fn ip(&self) -> Ipv4Addr {
        match self {
            Self::Usable(target) => target.identity.ip,
            Self::Unusable { ip, .. } => *ip,
        }
    }

    fn deployment(&self) -> DeploymentId {
        match self {
            Self::Usable(target) => target.identity.deployment,
            Self::Unusable { deployment, .. } => *deployment,
        }
    }
}

/// What the table says about an address or a deployment.
#[derive(Clone, Debug)]
pub enum Found {
    /// This deployment is in progress.
    Target(Arc<Target>),
    /// No deployment is in progress.
    Nothing,
    /// Several deployments in progress have the address, so that none may be served.
    Ambiguous,
    /// A deployment is in progress, but cannot be served now.
    Unusable,
    /// The table does not know.
    Unknown,
}

#[derive(Debug, Default)]
struct Entries {
    by_ip: HashMap<Ipv4Addr, Slot>,
    by_deployment: HashMap<DeploymentId, Ipv4Addr>,
    /// Deployments that ended through this instance, with address and position, until the views show it.
    ended: HashMap<DeploymentId, (Ipv4Addr, i64)>,
}

#[derive(Debug)]
enum Slot {
    One(Entry),
    Several(Vec<Entry>),
}

impl Default for BootTable {
    fn default() -> Self {
        Self {
            entries: RwLock::default(),
            started: Instant::now(),
            heard: AtomicU64::new(0),
            kept_scripts: Arc::default(),
            sources: Sources::default(),
            recorder: Recorder::default(),
            paces: Paces::default(),
        }
    }
}

impl BootTable {
    /// What is in progress for an address.
    pub fn of_ip(&self, ip: Ipv4Addr) -> Found {
        if !self.is_ready() {
            return Found::Unknown;
        }
        match self.read().by_ip.get(&ip) {
            None => Found::Nothing,
            Some(Slot::One(Entry::Usable(target))) => Found::Target(Arc::clone(target)),
            Some(Slot::One(Entry::Unusable { .. })) => Found::Unusable,
            Some(Slot::Several(_)) => Found::Ambiguous,
        }
    }

    /// What is in progress under an id; never ambiguous.
    pub fn of_deployment(&self, deployment: DeploymentId) -> Found {
        if !self.is_ready() {
            return Found::Unknown;
        }
        let entries = self.read();
        let slot = entries.by_deployment.get(&deployment).and_then(|ip| entries.by_ip.get(ip));
        let entry = match slot {
            None => None,
            Some(Slot::One(entry)) => Some(entry),
            Some(Slot::Several(several)) => several.iter().find(|entry| entry.deployment() == deployment),
        };
        match entry {
            None => Found::Nothing,
            Some(Entry::Usable(target)) => Found::Target(Arc::clone(target)),
            Some(Entry::Unusable { .. }) => Found::Unusable,
        }
    }

    /// Whether the table is loaded and has lately heard of the views.
    pub fn is_ready(&self) -> bool {
        let heard = self.heard.load(Ordering::Relaxed);
        heard > 0 && self.milliseconds().saturating_sub(heard) < u64::try_from(STALE_AFTER.as_millis()).unwrap_or(u64::MAX)
    }

    /// How many deployments are in progress.
    pub fn len(&self) -> usize {
        self.read().by_deployment.len()
    }

    /// Whether no deployment is in progress.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The deployment of an address that was done through this instance just now.
    pub fn just_done(&self, ip: Ipv4Addr) -> Option<DeploymentId> {
        let entries = self.read();
        entries.ended.iter().find(|(_, (ended, _))| *ended == ip).map(|(deployment, _)| *deployment)
    }

    /// Forgets a deployment that ended at a position, before the views show it: a server may restart at once.
    pub fn end(&self, deployment: DeploymentId, ip: Ipv4Addr, position: i64) {
        let mut entries = self.write();
        entries.remove(ip, deployment);
        entries.ended.insert(deployment, (ip, position));
    }

    /// Begins anew with these entries, as the views showed them at a position.
    pub fn load(&self, loaded: Vec<Entry>, position: i64) {
        let mut fresh = Entries::default();
        // Room at once: growing would hold twice the memory for a moment.
        fresh.by_ip.reserve(loaded.len());
        fresh.by_deployment.reserve(loaded.len());
        let mut entries = self.write();
        fresh.ended = std::mem::take(&mut entries.ended);
        for entry in loaded {
            fresh.put(entry);
        }
        *entries = fresh;
        entries.seen(position);
        drop(entries);
        self.hear();
    }

    /// Takes in what went and what came until the views showed a position.
    pub fn apply(&self, went: &HashSet<(Ipv4Addr, DeploymentId)>, came: Vec<Entry>, position: i64) {
        let mut entries = self.write();
        for (ip, deployment) in went {
            entries.remove(*ip, *deployment);
        }
        for entry in came {
            entries.put(entry);
        }
        entries.seen(position);
        drop(entries);
        self.hear();
    }

    /// Every target, for replacing those whose network changed.
    pub fn targets(&self) -> Vec<Arc<Target>> {
        let entries = self.read();
        let all = entries.by_ip.values().flat_map(|slot| match slot {
            Slot::One(entry) => std::slice::from_ref(entry),
            Slot::Several(several) => several.as_slice(),
        });
        let usable = all.filter_map(|entry| match entry {
            Entry::Usable(target) => Some(Arc::clone(target)),
            Entry::Unusable { .. } => None,
        });
        usable.collect()
    }

    /// Whether a deployment cannot be served, which a change of the catalogue may mend.
    pub fn has_unusable(&self) -> bool {
        let entries = self.read();
        entries.by_ip.values().any(|slot| match slot {
            Slot::One(entry) => matches!(entry, Entry::Unusable { .. }),
            Slot::Several(several) => several.iter().any(|entry| matches!(entry, Entry::Unusable { .. })),
        })
    }

    /// Keeps a target's script for the next request.
    pub(super) fn keep_script(&self, target: &Target, script: Rendered) {
        target.keep_script(script, &self.kept_scripts, KEPT_SCRIPTS);
    }

    /// Seconds since the table was made, at least one.
    pub(super) fn seconds(&self) -> u64 {
        self.started.elapsed().as_secs() + 1
    }

    /// The views were heard of, and everything that they show is in the table.
    pub fn hear(&self) {
        self.heard.store(self.milliseconds(), Ordering::Relaxed);
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    // A panic elsewhere cannot leave the maps half-changed in a way that matters more than not booting at all.
    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn put(&mut self, entry: Entry) {
        let (ip, deployment) = (entry.ip(), entry.deployment());
        if self.ended.contains_key(&deployment) {
            return;
        }
        self.remove(ip, deployment);
        self.by_deployment.insert(deployment, ip);
        let slot = match self.by_ip.remove(&ip) {
            None => Slot::One(entry),
            Some(Slot::One(other)) => {
                // The claims make this impossible, so that an operator must hear of it.
                tracing::error!(
                    ip = %ip,
                    "the deployments {} and {deployment} are both in progress for {ip}; neither is served by address until one ends",
                    other.deployment()
                );
                Slot::Several(vec![other, entry])
            }
            Some(Slot::Several(mut several)) => {
                several.push(entry);
                Slot::Several(several)
            }
        };
        self.by_ip.insert(ip, slot);
    }

    fn remove(&mut self, ip: Ipv4Addr, deployment: DeploymentId) {
        if self.by_deployment.get(&deployment) != Some(&ip) {
            return;
        }
        self.by_deployment.remove(&deployment);
        let left = match self.by_ip.remove(&ip) {
            None | Some(Slot::One(_)) => vec![],
            Some(Slot::Several(several)) => several.into_iter().filter(|entry| entry.deployment() != deployment).collect(),
        };
        let slot = match <[Entry; 1]>::try_from(left) {
            Ok([entry]) => Slot::One(entry),
            Err(several) if several.is_empty() => return,
            Err(several) => Slot::Several(several),
        };
        self.by_ip.insert(ip, slot);
    }

    /// The views show this position, so that they show what ended up to it.
    fn seen(&mut self, position: i64) {
        self.ended.retain(|_, (_, ended_at)| *ended_at > position);
    }
}
