//! A deployment in progress, with all that rendering needs, so that `/pxe/` asks nothing of the database.
//!
//! What many targets have in common is shared: an image at a revision, and a network with its site. A target is never
//! changed: when its network or site changes, another takes its place, and with it the cached script goes.

use super::settings::Declared;
use actix_web::http::header::HeaderValue;
use bootledger_aggregates::boot_image::{BootFile, BootImage, FileKind, NetworkBoot};
use bootledger_aggregates::deployment::installer::NextBoot;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::site::{BootUrl, SiteSpec};
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::mac_address::MacAddress;
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
    /// Its name.
    pub name: Name,
    /// Its revision.
    pub revision: u32,
    /// Its files by name.
    pub files: BTreeMap<Name, BootFile>,
    /// How often a server boots it from the network.
    pub network_boot: NetworkBoot,
    /// The settings that it declares.
    pub settings: Declared,
}

impl Image {
    /// The image of a name, as the catalogue has it at a revision.
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

/// A network and its site, as far as a booting server is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The network's name.
    pub network: Name,
    /// The site's code.
    pub site: Name,
    /// Where the site's servers reach the boot pages, where that is not the service's own base URL.
    pub boot_url: Option<BootUrl>,
    /// The network's domain, else the site's.
    pub domain: String,
    /// The network's router.
    pub gateway: Option<Ipv4Addr>,
    /// The network's mask.
    pub netmask: Ipv4Addr,
    /// The network's resolvers.
    pub dns_servers: Vec<Ipv4Addr>,
    /// Whether DONE and secret files are answered by address alone.
    pub ip_only_done: bool,
}

impl Place {
    /// The place that a network of a site is.
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

/// What distinguishes one deployment in progress from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The address that the server boots with.
    pub ip: Ipv4Addr,
    /// The interface that it boots from.
    pub mac: MacAddress,
    /// Its name.
    pub hostname: Hostname,
    /// Its owner.
    pub venture: Name,
    /// Its role.
    pub role: Name,
    /// What it gets when it boots from the network.
    pub next_boot: NextBoot,
}

/// A deployment in progress.
#[derive(Debug)]
pub struct Target {
    /// Which one.
    pub identity: Identity,
    /// What it boots.
    pub image: Arc<Image>,
    /// Where it stands.
    pub place: Arc<Place>,
    /// The settings that it was started with; many targets share one map.
    pub settings: ResolvedSettings,
    script: OnceLock<Kept>,
    script_recorded: AtomicU64,
}

/// Bytes for a server with their hash.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The bytes.
    pub bytes: Bytes,
    /// Their SHA-256.
    pub sha256: Sha256,
    /// The same as an entity tag (RFC 9110, 8.8.3).
    pub tag: HeaderValue,
}

impl Rendered {
    /// These bytes, whose hash is known.
    pub fn new(bytes: Bytes, sha256: Sha256) -> Self {
        // Hexadecimal digits are always a header's value.
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
    /// A target whose script was not rendered yet.
    pub fn new(identity: Identity, image: Arc<Image>, place: Arc<Place>, settings: ResolvedSettings) -> Self {
        Self { identity, image, place, settings, script: OnceLock::new(), script_recorded: AtomicU64::new(0) }
    }

    /// The names of the secrets that its files are rendered with.
    pub fn secrets(&self) -> impl Iterator<Item = &Name> {
        let used = self.image.files.values().flat_map(|file| self.image.secrets_of(file));
        used.filter_map(|setting| {
            let default = || self.image.settings.get(setting)?.default.as_ref();
            self.settings.get(setting).map(|resolved| &resolved.value).or_else(default)?.secret()
        })
    }

    /// Whether the server is to boot its disk once it has fetched this file: the first file of answers, else the kernel.
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

    /// Keeps the script, where all kept ones stay under `limit` bytes together.
    pub fn keep_script(&self, script: Rendered, budget: &Arc<AtomicUsize>, limit: usize) {
        let size = script.bytes.len();
        if budget.fetch_add(size, Ordering::Relaxed) + size > limit {
            budget.fetch_sub(size, Ordering::Relaxed);
            return;
        }
        // Where another was first, this one is dropped and gives its share back.
        drop(self.script.set(Kept { script, budget: Arc::clone(budget) }));
    }

    /// Whether the script was not recorded as served within the last `again` seconds; if so, it counts as recorded now.
    /// `now` is in seconds from any beginning, and at least one.
    pub fn script_is_news(&self, now: u64, again: u64) -> bool {
        let last = self.script_recorded.load(Ordering::Relaxed);
        (last == 0 || now >= last + again)
            && self.script_recorded.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether a file is served only with the deployment's token: it holds secrets, whatever the network says, or it may hold
    /// some, and the network asks for it. The script itself is where a server learns its token from, so it is served by
    /// address.
    pub fn needs_token(&self, file: &BootFile) -> bool {
        if self.image.secrets_of(file).next().is_some() {
            return true;
        }
        let secret = file.kind == FileKind::Kickstart || (file.template && !file.kind.is_script());
        secret && !self.place.ip_only_done
    }
}
