//! What every handler is given: the same in production and in tests.

use crate::auth::provider::IdentityProvider;
use crate::boot::loaders::Loaders;
use crate::boot::table::BootTable;
use crate::health::vitals::Vitals;
use crate::request::backend::{LibraryPort, Port};
use bootledger_aggregates::site::BootUrl;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::pool::Pool;
use hmac::{Hmac, KeyInit, Mac};
use ipnet::IpNet;
use object_store::ObjectStore;
use sha2::Sha256;
use std::sync::Arc;
use tokio::sync::watch;

/// The parts that handlers use. Cheap to clone.
#[derive(Clone)]
pub struct Application {
    /// The way to the domain.
    pub commands: Port,
    /// The library of boot images, and downloads from it; `None` where tests need neither.
    pub library: Option<LibraryPort>,
    /// The views, and the log for reading, for people and their programs.
    pub views: Pool,
    /// The same, over connections of their own, for machines: DHCP agents, DNS, Puppet, what watches the service.
    pub agents: Pool,
    /// The position that the views show, moved by the projector (of this or another instance).
    pub position: watch::Receiver<i64>,
    /// What works in the background, for `/readyz`.
    pub vitals: Vitals,
    /// The deployments in progress, in memory.
    pub boot: Arc<BootTable>,
    /// The contents of boot files, by SHA-256.
    pub files: Arc<dyn ObjectStore>,
    /// The boot loaders for firmware without an iPXE, where there is a folder of them.
    pub loaders: Option<Loaders>,
    /// The service's key, from which a deployment's token is derived.
    pub key: ServiceKey,
    /// Where servers and people reach the service.
    pub base_url: BootUrl,
    /// Who vouches for people, beside their passwords.
    pub provider: Option<Arc<dyn IdentityProvider>>,
    /// The proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Arc<[IpNet]>,
    /// The clock of the edge; the domain is given times.
    pub now: fn() -> Timestamp,
    /// What `/metrics` shows.
    pub metrics: prometheus::Registry,
    /// The largest upload, in bytes.
    pub max_upload: u64,
    /// Whether the service is stopping; long polls and streams end.
    pub stopping: watch::Receiver<bool>,
}

impl Application {
    /// The same, over other connections and by other commands: for the service's own workers.
    #[must_use]
    pub fn over(&self, pool: &Pool, commands: Port) -> Self {
        Self { views: pool.clone(), agents: pool.clone(), commands, ..self.clone() }
    }
}

/// A secret of at least 32 random bytes; never shown.
#[derive(Clone)]
pub struct ServiceKey(Arc<[u8]>);

impl ServiceKey {
    /// The key with these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// What tells this key from others and does not give it away: an HMAC under the key.
    pub fn fingerprint(&self) -> [u8; 32] {
        // A key of any length will do.
        Hmac::<Sha256>::new_from_slice(&self.0)
            .map(|mut mac| {
                mac.update(b"bootledger service key fingerprint 1");
                mac.finalize().into_bytes().into()
            })
            .unwrap_or_default()
    }

    /// The bytes, for an HMAC only.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceKey(…)")
    }
}
