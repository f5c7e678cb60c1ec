//! The [`Application`]: the state that every handler receives, the same in production and in tests.

use crate::http::ports::{LibraryPort, Port};
use crate::http::provider::IdentityProvider;
use crate::http::worker_status::Vitals;
use bootledger_aggregates::site::BootUrl;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_boot_loaders::Loaders;
use bootledger_projections::database::pool::Pool;
use hmac::{Hmac, KeyInit, Mac};
use ipnet::IpNet;
use object_store::ObjectStore;
use sha2::Sha256;
use std::sync::Arc;
use tokio::sync::watch;

/// The parts that handlers use. Cheap to clone.
#[derive(Clone)]
pub struct Application {
    /// The connection to the domain, which runs commands.
    pub commands: Port,
    /// The library of boot images and its downloads; `None` in tests that need neither.
    pub library: Option<LibraryPort>,
    /// The database connections for people and their programs. They read the views and the log.
    pub views: Pool,
    /// Separate connections to the same database for machines: DHCP agents, DNS servers, Puppet and monitoring.
    pub agents: Pool,
    /// The position that the views show. The projector of this or another instance moves it.
    pub position: watch::Receiver<i64>,
    /// The signs of life of the background workers, for `/readyz`.
    pub vitals: Vitals,
    /// The contents of boot files, by SHA-256.
    pub files: Arc<dyn ObjectStore>,
    /// The boot loaders for firmware without iPXE; `None` if no folder of loaders is set.
    pub loaders: Option<Loaders>,
    /// The service's key, from which a deployment's token is derived.
    pub key: ServiceKey,
    /// The URL at which servers and users reach the service.
    pub base_url: BootUrl,
    /// The identity provider through which users can sign in instead of with a password.
    pub provider: Option<Arc<dyn IdentityProvider>>,
    /// The proxies whose `X-Forwarded-For` header is trusted.
    pub trusted_proxies: Arc<[IpNet]>,
    /// The clock of the HTTP layer. The domain reads no clock; commands contain times.
    pub now: fn() -> Timestamp,
    /// The measurements that `/metrics` shows.
    pub metrics: prometheus::Registry,
    /// The largest upload, in bytes.
    pub max_upload: u64,
    /// Whether the service is stopping. Long polls and streams then end.
    pub stopping: watch::Receiver<bool>,
}

impl Application {
    /// The same application with other connections and commands, for the service's own workers.
    #[must_use]
    pub fn over(&self, pool: &Pool, commands: Port) -> Self {
        Self { views: pool.clone(), agents: pool.clone(), commands, ..self.clone() }
    }
}

/// A secret of at least 32 random bytes. It is never shown.
#[derive(Clone)]
pub struct ServiceKey(Arc<[u8]>);

impl ServiceKey {
    /// Creates a key from these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// A value that identifies this key without revealing it: an HMAC under the key.
    pub fn fingerprint(&self) -> [u8; 32] {
        // HMAC accepts a key of any length.
        Hmac::<Sha256>::new_from_slice(&self.0)
            .map(|mut mac| {
                mac.update(b"bootledger service key fingerprint 1");
                mac.finalize().into_bytes().into()
            })
            .unwrap_or_default()
    }

    /// The bytes of the key. Use them for an HMAC only.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceKey(…)")
    }
}
