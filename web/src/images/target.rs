//! A deployment in progress with everything that rendering needs, so that `/pxe/` needs no query.
//!
//! Values that many targets have in common are shared: an image at a revision, and a network with its site. A target never
//! changes: when its network or site changes, a new target replaces it, and with it the cached script.

use crate::images::settings::Declared;
use actix_web::http::header::HeaderValue;
use bootledger_aggregates::boot_image::{BootFile, BootImage, FileKind, NetworkBoot};
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::installer::NextBoot;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::site::{BootUrl, SiteSpec};
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::{SettingName, SettingType};
use bootledger_aggregates::values::sha256::Sha256;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// A boot image at the revision that a deployment was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The name of the boot image.
    pub name: Name,
    /// The revision of the boot image.
    pub revision: u32,
    /// The files of the boot image, by name.
    pub files: BTreeMap<Name, BootFile>,
    /// How often a server boots the image from the network.
    pub network_boot: NetworkBoot,
    /// The settings that the boot image declares.
    pub settings: Declared,
}

impl Image {
    /// The boot image of a name, as the catalogue has it at a revision.
    pub fn new(name: Name, image: BootImage) -> Self {
        let (network_boot, settings) = image.spec.map(|spec| (spec.network_boot, spec.settings)).unwrap_or_default();
        Self { name, revision: image.revision, files: image.files, network_boot, settings }
    }

    /// The settings with secrets that a file uses.
    pub fn secrets_of<'a>(&'a self, file: &'a BootFile) -> impl Iterator<Item = &'a SettingName> {
        let is_secret = |name: &&SettingName| self.settings.get(*name).is_some_and(|spec| spec.kind == SettingType::Secret);
        file.settings.iter().filter(is_secret)
    }

    /// The first file of a kind, by name.
    pub fn file_of_kind(&self, kind: FileKind) -> Option<(&Name, &BootFile)> {
        self.files.iter().find(|(_, file)| file.kind == kind)
    }
}

/// The values of a network and its site that a booting server needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The network's name.
    pub network: Name,
    /// The site's code.
    pub site: Name,
    /// The URL at which the site's servers reach the boot pages; `None` uses the service's own base URL.
    pub boot_url: Option<BootUrl>,
    /// The network's domain or, without one, the site's.
    pub domain: String,
    /// The network's router.
    pub gateway: Option<Ipv4Addr>,
    /// The network's mask.
    pub netmask: Ipv4Addr,
    /// The network's DNS servers.
    pub dns_servers: Vec<Ipv4Addr>,
    /// Whether the address alone is enough for DONE and for files that may contain secrets.
    pub ip_only_done: bool,
}

impl Place {
    /// Combines a network and its site.
    pub fn new(network: Name, spec: NetworkSpec, site: &SiteSpec) -> Self {
        Self {
            network,
            boot_url: site.boot_url.clone(),
            domain: spec.domain.as_ref().unwrap_or(&site.domain).as_str().to_owned(),
            gateway: spec.gateway,
            netmask: spec.cidr.netmask(),
            dns_servers: spec.dns_servers,
            ip_only_done: spec.ip_only_done,
            site: spec.site,
        }
    }
}

/// The values that distinguish one deployment in progress from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The ID of the deployment.
    pub deployment: DeploymentId,
    /// The server, with its address, name, owner, role and boot image.
    pub assignment: Assignment,
    /// What the server gets at its next network boot.
    pub next_boot: NextBoot,
}

/// A deployment in progress.
#[derive(Debug)]
pub struct Target {
    /// The values that distinguish this deployment.
    pub identity: Identity,
    /// The boot image.
    pub image: Arc<Image>,
    /// The server's network and site.
    pub place: Arc<Place>,
    /// The settings that the deployment was started with; many targets share one map.
    pub settings: ResolvedSettings,
    script: OnceLock<Kept>,
    script_recorded: AtomicU64,
}

/// Bytes for a server, with their hash.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The bytes that the server gets.
    pub bytes: Bytes,
    /// The SHA-256 of the bytes.
    pub sha256: Sha256,
    /// The hash as an entity tag (RFC 9110, 8.8.3).
    pub tag: HeaderValue,
}

impl Rendered {
    /// Bytes whose hash is already known.
    pub fn new(bytes: Bytes, sha256: Sha256) -> Self {
        // Hexadecimal digits are always a valid header value.
        let tag = HeaderValue::try_from(format!("\"{sha256}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Self { bytes, sha256, tag }
    }
}

/// A cached script, counted against the budget of all of them.
#[derive(Debug)]
struct Kept {
    script: Rendered,
    budget: Arc<AtomicUsize>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.budget.fetch_sub(self.script.bytes.len(), Ordering::Relaxed);
    }
}

impl Target {
    /// A target whose script is not rendered yet.
    pub fn new(identity: Identity, image: Arc<Image>, place: Arc<Place>, settings: ResolvedSettings) -> Self {
        Self { identity, image, place, settings, script: OnceLock::new(), script_recorded: AtomicU64::new(0) }
    }

    /// The names of the secrets that the target's files are rendered with.
    pub fn secrets(&self) -> impl Iterator<Item = &Name> {
        let used = self.image.files.values().flat_map(|file| self.image.secrets_of(file));
        used.filter_map(|setting| {
            let default = || self.image.settings.get(setting)?.default.as_ref();
            self.settings.get(setting).map(|resolved| &resolved.value).or_else(default)?.secret()
        })
    }

    /// Whether the server boots its disk after it has fetched this file: the first answer file or, without one, the kernel.
    pub fn boots_disk_after(&self, file: &Name) -> bool {
        let image = &self.image;
        let answers = || image.file_of_kind(FileKind::Kickstart).or_else(|| image.file_of_kind(FileKind::Kernel));
        image.network_boot == NetworkBoot::Once
            && self.identity.next_boot == NextBoot::Network
            && answers().is_some_and(|(name, _)| name == file)
    }

    /// The cached script.
    pub fn script(&self) -> Option<&Rendered> {
        self.script.get().map(|kept| &kept.script)
    }

    /// Keeps the script if all kept ones stay under `limit` bytes together.
    pub fn keep_script(&self, script: Rendered, budget: &Arc<AtomicUsize>, limit: usize) {
        let size = script.bytes.len();
        if budget.fetch_add(size, Ordering::Relaxed) + size > limit {
            budget.fetch_sub(size, Ordering::Relaxed);
            return;
        }
        // If another thread was first, this script is dropped and its share of the budget is released.
        drop(self.script.set(Kept { script, budget: Arc::clone(budget) }));
    }

    /// Whether the script was not recorded as served within the last `again` seconds; if so, it counts as recorded now. `now`
    /// is in seconds since any fixed time, and at least one.
    pub fn script_is_news(&self, now: u64, again: u64) -> bool {
        let last = self.script_recorded.load(Ordering::Relaxed);
        (last == 0 || now >= last + again)
            && self.script_recorded.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether a file is served only with the deployment's token: either it contains secrets, or it may contain some
    /// and the network requires the token. The network's setting does not affect files with secrets. The script itself is served
    /// by address, because a server learns its token from the script.
    pub fn needs_token(&self, file: &BootFile) -> bool {
        if self.image.secrets_of(file).next().is_some() {
            return true;
        }
        let secret = file.kind == FileKind::Kickstart || (file.template && !file.kind.is_script());
        secret && !self.place.ip_only_done
    }
}
