//! The boot table: the deployments in progress by address, in memory, so that `/pxe/` needs no query.
//!
//! Before the table is loaded, and when it has had no news of the views for a while, it reports that it does not know instead
//! of answering, because "no deployment" means "boot your disk" and an outdated entry means "install again". It decides nothing
//! and reads no database itself; [`super::follow`] fills it.

use super::pace::Paces;
use super::recorder::Recorder;
use super::sources::Sources;
use crate::images::target::{Rendered, Target};
use bootledger_aggregates::values::ids::DeploymentId;
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// How long the table answers without news of the views. A follower confirms every second that it is current.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// How many bytes of rendered scripts are kept; further ones are rendered for each request.
const KEPT_SCRIPTS: usize = 64 * 1024 * 1024;

/// The boot table; one for each instance of the service.
#[derive(Debug)]
pub struct BootTable {
    entries: RwLock<Entries>,
    started: Instant,
    /// When the table was last known to be current, in milliseconds after `started`; 0 before it is loaded.
    received: AtomicU64,
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
    /// A deployment whose image or network cannot be read; the log contains the reason.
    Unusable {
        /// The server's IPv4 address.
        ip: Ipv4Addr,
        /// The ID of the deployment.
        deployment: DeploymentId,
    },
}

impl Entry {
    fn ip(&self) -> Ipv4Addr {
        match self {
            Self::Usable(target) => target.identity.assignment.ip,
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

/// The result of looking up an address or a deployment.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// This deployment is in progress.
    Target(Arc<Target>),
    /// No deployment is in progress.
    Nothing,
    /// Several deployments in progress have the address, so none may be served.
    Ambiguous,
    /// A deployment is in progress, but cannot be served now.
    Unusable,
    /// The table does not know, because it is not loaded or not current.
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
            received: AtomicU64::new(0),
            kept_scripts: Arc::default(),
            sources: Sources::default(),
            recorder: Recorder::default(),
            paces: Paces::default(),
        }
    }
}

impl BootTable {
    /// The deployment in progress for an address.
    pub fn of_ip(&self, ip: Ipv4Addr) -> Lookup {
        if !self.is_ready() {
            return Lookup::Unknown;
        }
        match self.read().by_ip.get(&ip) {
            None => Lookup::Nothing,
            Some(Slot::One(Entry::Usable(target))) => Lookup::Target(Arc::clone(target)),
            Some(Slot::One(Entry::Unusable { .. })) => Lookup::Unusable,
            Some(Slot::Several(_)) => Lookup::Ambiguous,
        }
    }

    /// The deployment in progress with an ID; never ambiguous.
    pub fn of_deployment(&self, deployment: DeploymentId) -> Lookup {
        if !self.is_ready() {
            return Lookup::Unknown;
        }
        let entries = self.read();
        let slot = entries.by_deployment.get(&deployment).and_then(|ip| entries.by_ip.get(ip));
        let entry = match slot {
            None => None,
            Some(Slot::One(entry)) => Some(entry),
            Some(Slot::Several(several)) => several.iter().find(|entry| entry.deployment() == deployment),
        };
        match entry {
            None => Lookup::Nothing,
            Some(Entry::Usable(target)) => Lookup::Target(Arc::clone(target)),
            Some(Entry::Unusable { .. }) => Lookup::Unusable,
        }
    }

    /// Whether the table is loaded and was recently current.
    pub fn is_ready(&self) -> bool {
        let received = self.received.load(Ordering::Relaxed);
        received > 0 && self.milliseconds().saturating_sub(received) < u64::try_from(STALE_AFTER.as_millis()).unwrap_or(u64::MAX)
    }

    /// How many deployments are in progress.
    pub fn len(&self) -> usize {
        self.read().by_deployment.len()
    }

    /// Whether no deployment is in progress.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The deployment of an address that was just marked as done through this instance.
    pub fn just_done(&self, ip: Ipv4Addr) -> Option<DeploymentId> {
        let entries = self.read();
        entries.ended.iter().find(|(_, (ended, _))| *ended == ip).map(|(deployment, _)| *deployment)
    }

    /// Removes a deployment that ended at a position, before the views show it: the server may restart immediately.
    pub fn end(&self, deployment: DeploymentId, ip: Ipv4Addr, position: i64) {
        let mut entries = self.write();
        entries.remove(ip, deployment);
        entries.ended.insert(deployment, (ip, position));
    }

    /// Replaces all entries by these, as the views showed them at a position.
    pub fn load(&self, loaded: Vec<Entry>, position: i64) {
        let mut fresh = Entries::default();
        // Memory is reserved at once: growing step by step would briefly hold twice the memory.
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
        self.touch();
    }

    /// Applies the rows that were removed and added until the views showed a position.
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
        self.touch();
    }

    /// Every target, to replace those whose network changed.
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

    /// Whether a deployment cannot be served, which a change of the catalogue may fix.
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

    /// Seconds since the table was created, at least one.
    pub(super) fn seconds(&self) -> u64 {
        self.started.elapsed().as_secs() + 1
    }

    /// Records that everything that the views show is in the table.
    pub fn touch(&self) {
        self.received.store(self.milliseconds(), Ordering::Relaxed);
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    // A panic in another thread cannot leave the maps in a state that is worse than not booting at all.
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
                // The claims make this impossible, so that an operator must be notified.
                tracing::error!(
                    ip = %ip,
                    "the deployments {} and {deployment} are both in progress for {ip}; neither is served by address until one of them ends",
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

    /// Removes ended deployments that the views show as ended at this position.
    fn seen(&mut self, position: i64) {
        self.ended.retain(|_, (_, ended_at)| *ended_at > position);
    }
}
