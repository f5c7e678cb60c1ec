//! The files that TFTP clients get: boot loaders from their folder, and the files that a signed GRUB loads after that: its
//! configuration, and the files of the boot image. GRUB, as Debian signs it, has no HTTP.
//!
//! A file of a boot image is requested as over HTTP, `pxe/NAME`, and by the same rules: by the client's address, or with the
//! deployment's token. The address of a packet can be forged, so a file counts as served only when the client has acknowledged
//! some of it, which a forged address never does.

use super::boot_client::BootClient;
use super::recorder::Served;
use super::routes::{BootRequest, requested};
use super::service::BootService;
use super::{grub, record, render};
use crate::images::serve::Source;
use crate::images::store::Contents;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_boot_loaders::{Loader, LoaderError, Loaders};
use bytes::Bytes;
use futures::TryStreamExt;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Everything that is served over TFTP. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    loaders: Loaders,
    /// The boot service, to look up deployments; `None` if only loaders are served.
    service: Option<Arc<BootService>>,
}

impl From<Loaders> for Files {
    fn from(loaders: Loaders) -> Self {
        Self { loaders, service: None }
    }
}

/// A file that may be sent.
pub struct Opened {
    size: u64,
    content: Content,
    given: Given,
}

/// The place of the file's bytes.
enum Content {
    File(Arc<File>),
    Memory(Bytes),
    Stored(Contents, Sha256),
}

/// The record to write once the client has proved that it exists.
enum Given {
    Nothing,
    File(Arc<BootService>, Box<Served>),
    Loader(Arc<BootService>, Ipv4Addr, String),
}

impl Files {
    /// Serves loaders, and the files of deployments in progress.
    pub fn of(loaders: Loaders, service: BootService) -> Self {
        Self { loaders, service: Some(Arc::new(service)) }
    }

    /// Opens the file that a client requests.
    ///
    /// # Errors
    /// Returns an error if there is no such file for this client.
    pub async fn open(&self, client: IpAddr, name: &[u8]) -> Result<Opened, LoaderError> {
        if let Some(opened) = self.of_deployment(client, name).await {
            return opened;
        }
        let (loaders, wanted) = (self.loaders.clone(), name.to_owned());
        let opened = tokio::task::spawn_blocking(move || loaders.open(&wanted)).await;
        let loader = opened.unwrap_or_else(|error| Err(LoaderError::Unreadable(io::Error::other(error))))?;
        Ok(self.loader(client, name, loader))
    }

    /// Opens a file of a deployment; `None` if the name is that of a loader.
    async fn of_deployment(&self, client: IpAddr, name: &[u8]) -> Option<Result<Opened, LoaderError>> {
        let service = self.service.as_ref()?;
        let plain = Loaders::plain(name)?;
        if grub::is_configuration(&plain) {
            return Some(self.configuration(service, client).await);
        }
        match plain.strip_prefix("pxe/") {
            Some(path) => {
                let opened = file(service, client, path).await;
                // A folder of boot loaders may contain a folder `pxe` of its own.
                if opened.is_err() && self.has_loader(name).await { None } else { Some(opened) }
            }
            None => None,
        }
    }

    async fn has_loader(&self, name: &[u8]) -> bool {
        let (loaders, name) = (self.loaders.clone(), name.to_owned());
        tokio::task::spawn_blocking(move || loaders.open(&name).is_ok()).await.unwrap_or_default()
    }

    /// Wraps a loader that was opened for a client.
    fn loader(&self, client: IpAddr, name: &[u8], Loader { file, size, .. }: Loader) -> Opened {
        let given = match (&self.service, client.to_canonical(), Loaders::plain(name)) {
            (Some(service), IpAddr::V4(client), Some(name)) => Given::Loader(Arc::clone(service), client, name),
            _ => Given::Nothing,
        };
        Opened { size, content: Content::File(Arc::new(file)), given }
    }

    async fn configuration(&self, service: &Arc<BootService>, client: IpAddr) -> Result<Opened, LoaderError> {
        let asker = BootClient { client: ipv4(client)?, by_token: None };
        let grub::Configuration { bytes, record } = grub::configuration(service, asker).await;
        let given = record.map_or(Given::Nothing, |served| Given::File(Arc::clone(service), Box::new(served)));
        Ok(Opened { size: bytes.len() as u64, content: Content::Memory(bytes), given })
    }
}

fn ipv4(client: IpAddr) -> Result<Ipv4Addr, LoaderError> {
    match client.to_canonical() {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => Err(LoaderError::Refused("servers are deployed over IPv4".to_owned())),
    }
}

/// A file of a deployment's boot image, by its path below `pxe/`.
async fn file(service: &Arc<BootService>, client: IpAddr, path: &str) -> Result<Opened, LoaderError> {
    let (token, name) = match path.strip_prefix("t/").and_then(|rest| rest.split_once('/')) {
        Some((token, name)) => (Some(token), name),
        None => (None, path),
    };
    let asker = BootClient::with(ipv4(client)?, token, &service.application)
        .map_err(|refusal| LoaderError::Refused(refusal.sentence()))?;
    let found = asker.find(&service.table);
    let BootRequest { target, name, file } =
        requested(asker, &found, name).map_err(|refusal| LoaderError::Refused(refusal.sentence()))?;
    let content = render::file(service, target, name, file).await.map_err(|error| {
        tracing::error!("a booting server is not served: {error}");
        LoaderError::Refused("the file cannot be served; the service's log says why".to_owned())
    })?;
    let served = Served {
        deployment: target.identity.deployment,
        file: name.clone(),
        sha256: content.sha256,
        client: asker.client,
        at: (service.application.now)(),
        then_disk: target.boots_disk_after(name),
    };
    let (size, sha256) = (content.size, content.sha256);
    let content = match content.source {
        Source::Memory(bytes) => Content::Memory(bytes),
        Source::Stored(contents) => Content::Stored(contents, sha256),
    };
    Ok(Opened { size, content, given: Given::File(Arc::clone(service), Box::new(served)) })
}

impl Opened {
    /// The size of the file in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes from one offset to another, both within the file.
    ///
    /// # Errors
    /// Returns an error if the disk or the store fails, or if the file has become shorter.
    pub async fn read(&self, from: u64, to: u64) -> io::Result<Bytes> {
        let length = index(to.saturating_sub(from));
        if length == 0 {
            return Ok(Bytes::new());
        }
        let read = match &self.content {
            Content::Memory(bytes) => bytes.slice(index(from).min(bytes.len())..index(to).min(bytes.len())),
            Content::File(file) => {
                let file = Arc::clone(file);
                let read = move || {
                    let mut bytes = vec![0; length];
                    file.read_exact_at(&mut bytes, from)?;
                    Ok(Bytes::from(bytes))
                };
                tokio::task::spawn_blocking(read).await.map_err(io::Error::other).flatten()?
            }
            Content::Stored(contents, sha256) => {
                let parts = contents.read(*sha256, from..to).await.map_err(io::Error::other)?;
                let parts: Vec<Bytes> = parts.try_collect().await.map_err(io::Error::other)?;
                parts.concat().into()
            }
        };
        // The client was sent the file's size, so a shorter file is an error.
        if read.len() == length { Ok(read) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// How many bytes to read at once. A store should get fewer requests than a disk.
    pub fn part(&self) -> u64 {
        if matches!(self.content, Content::Stored(..)) { 256 * 1024 } else { 64 * 1024 }
    }

    /// Records that the client received the file: it has acknowledged some of it, so its address is not forged.
    pub async fn given(&self) {
        match &self.given {
            Given::Nothing => {}
            Given::File(service, served) => record::given(service, Served::clone(served)).await,
            Given::Loader(service, client, name) => {
                if let Content::File(file) = &self.content {
                    record::loader_given(service, *client, name, file).await;
                }
            }
        }
    }
}

fn index(place: u64) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}
