//! A catalogue as a YAML file: sites, racks, networks, DHCP servers, ventures with roles, boot
//! images with files, devices, webhooks, scopes of secrets. Loaded again, only what changed is written.

use crate::administrator::{by, shown};
use crate::tool::Tool;
use anyhow::{Context as _, Result, ensure};
use bootledger_aggregates::boot_image::{BootFile, BootImageSpec, FileKind};
use bootledger_aggregates::claims::Claim;
use bootledger_aggregates::device::register::DeviceSpec;
use bootledger_aggregates::dhcp_server::DhcpServerSpec;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::secret::SecretSpec;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::venture::{RoleSpec, VentureSpec};
use bootledger_aggregates::webhook::WebhookSpec;
use bootledger_projections::at::At;
use bootledger_projections::{catalogue as views, devices};
use bootledger_web::boot::settings::Declared;
use bootledger_web::boot::store::Contents;
use bootledger_web::boot::template::{Uses, examine};
use bootledger_web::commands::{Command, Commands, Receipt};
use object_store::ObjectStore;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The file's content.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Catalogue {
    sites: BTreeMap<Name, SiteSpec>,
    racks: BTreeMap<Name, RackSpec>,
    networks: BTreeMap<Name, NetworkSpec>,
    dhcp_servers: BTreeMap<Name, DhcpServerSpec>,
    boot_images: BTreeMap<Name, Image>,
    ventures: BTreeMap<Name, Venture>,
    devices: Vec<Device>,
    webhooks: BTreeMap<Name, WebhookSpec>,
    secrets: BTreeMap<Name, SecretSpec>,
}

/// A venture with its roles.
#[derive(Debug, Deserialize)]
struct Venture {
    #[serde(flatten)]
    spec: VentureSpec,
    #[serde(default)]
    roles: BTreeMap<Name, RoleSpec>,
}

/// A boot image with its files.
#[derive(Debug, Deserialize)]
struct Image {
    #[serde(flatten)]
    spec: BootImageSpec,
    #[serde(default)]
    files: BTreeMap<Name, File>,
}

/// A file: its text, or the path of its content beside the catalogue.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kind: FileKind,
    #[serde(default)]
    template: bool,
    text: Option<String>,
    path: Option<std::path::PathBuf>,
}

/// A device, which is registered when none of its MACs and serial number is known.
#[derive(Debug, Deserialize)]
struct Device {
    #[serde(flatten)]
    spec: DeviceSpec,
    venture: Option<Name>,
    role: Option<Name>,
    #[serde(default)]
    verified: bool,
}

/// Loads a file. Returns how many entries it has.
pub async fn load(tool: &Tool, files: Arc<dyn ObjectStore>, file: &Path) -> Result<usize> {
    let text = tokio::fs::read_to_string(file).await.with_context(|| format!("{} cannot be read", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    load_text(tool, files, &text, folder).await.with_context(|| format!("{} was loaded only in part", file.display()))
}

/// Loads a catalogue's text; paths in it are relative to `folder`.
pub async fn load_text(tool: &Tool, files: Arc<dyn ObjectStore>, text: &str, folder: &Path) -> Result<usize> {
    // Through JSON, so that the file has the same forms as the API, not YAML's tags for variants.
    let value: serde_json::Value = serde_norway::from_str(text).context("the catalogue is no valid YAML")?;
    let catalogue: Catalogue = serde_json::from_value(value).context("the catalogue has not the form of one")?;
    let contents = Contents::new(files);
    let mut entries = 0;
    for (key, spec) in catalogue.sites {
        define(tool, &mut entries, "site", &key, Command::DefineSite(key.clone(), Box::new(spec))).await?;
    }
    for (key, spec) in catalogue.secrets {
        define(tool, &mut entries, "secret", &key, Command::DefineSecret(key.clone(), Box::new(spec))).await?;
    }
    for (key, spec) in catalogue.webhooks {
        define(tool, &mut entries, "webhook", &key, Command::DefineWebhook(key.clone(), Box::new(spec))).await?;
    }
    for (key, spec) in catalogue.racks {
        define(tool, &mut entries, "rack", &key, Command::DefineRack(key.clone(), spec)).await?;
    }
    for (key, spec) in catalogue.networks {
        define(tool, &mut entries, "network", &key, Command::DefineNetwork(key.clone(), Box::new(spec))).await?;
    }
    for (key, spec) in catalogue.dhcp_servers {
        define(tool, &mut entries, "DHCP server", &key, Command::DefineDhcpServer(key.clone(), spec)).await?;
    }
    for (key, image) in catalogue.boot_images {
        // A setting that a template still uses cannot go before the template's new version is there.
        let known = views::boot_image(&tool.database.pool, &key, At::Now).await?;
        let first = known.as_ref().map_or_else(|| image.spec.clone(), |known| known.spec.keeping_used(image.spec.clone()));
        let declared = first.settings.clone();
        define(tool, &mut entries, "boot image", &key, Command::DefineBootImage(key.clone(), first.clone())).await?;
        for (name, file) in image.files {
            let file =
                store(&contents, file, folder, &declared).await.with_context(|| format!("boot image {key}, file {name}"))?;
            let command = Command::PutBootFile { image: key.clone(), name: name.clone(), file };
            define(tool, &mut entries, "boot file", &name, command).await?;
        }
        if first != image.spec {
            let command = Command::DefineBootImage(key.clone(), image.spec);
            execute(tool, command).await.with_context(|| format!("boot image {key}"))?;
        }
    }
    // A parent comes before its parts, however they are called.
    let mut waiting: Vec<(Name, Venture)> = catalogue.ventures.into_iter().collect();
    while !waiting.is_empty() {
        let names: Vec<Name> = waiting.iter().map(|(name, _)| name.clone()).collect();
        let (ready, rest): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|(_, venture)| venture.spec.parent.as_ref().is_none_or(|parent| !names.contains(parent)));
        ensure!(!ready.is_empty(), "the ventures {names:?} are parts of each other");
        for (key, venture) in ready {
            define(tool, &mut entries, "venture", &key, Command::DefineVenture(key.clone(), venture.spec)).await?;
            for (role, spec) in venture.roles {
                let command = Command::DefineRole { venture: key.clone(), role: role.clone(), spec };
                define(tool, &mut entries, "role", &role, command).await?;
            }
        }
        waiting = rest;
    }
    for device in catalogue.devices {
        register(tool, device).await?;
        entries += 1;
    }
    Ok(entries)
}

async fn define(tool: &Tool, entries: &mut usize, what: &str, key: &Name, command: Command) -> Result<()> {
    execute(tool, command).await.with_context(|| format!("{what} {key}"))?;
    *entries += 1;
    Ok(())
}

async fn execute(tool: &Tool, command: Command) -> Result<Receipt> {
    let receipt = tool.ledger.execute(command, by("catalogue file")).await.map_err(shown)?;
    tool.catch_up().await?;
    Ok(receipt)
}

async fn store(contents: &Contents, file: File, folder: &Path, declared: &Declared) -> Result<BootFile> {
    let content = match (file.text, file.path) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(path)) => {
            let path = folder.join(path);
            tokio::fs::read(&path).await.with_context(|| format!("{} cannot be read", path.display()))?
        }
        _ => anyhow::bail!("give either `text` or `path`"),
    };
    let Uses { settings, needs } = if file.template {
        examine(std::str::from_utf8(&content).context("a template is UTF-8 text")?, file.kind, declared)?
    } else {
        Uses::default()
    };
    let stored = contents.store_bytes(content.into()).await?;
    let (sha256, size) = (stored.sha256, stored.size);
    Ok(BootFile { kind: file.kind, sha256, size, template: file.template, settings, needs })
}

async fn register(tool: &Tool, device: Device) -> Result<DeviceId> {
    let named = device.spec.macs.first().map_or_else(|| format!("{:?}", device.spec.serial), ToString::to_string);
    let known = devices::by_macs(&tool.database.pool, &device.spec.macs, At::Now).await?;
    let by_serial = device.spec.serial.clone().map(Claim::Serial);
    let held = crate::ledger::holders(&tool.database.pool, by_serial.as_slice()).await?;
    if let Some(known) = known.iter().find(|known| !known.decommissioned) {
        return Ok(known.id);
    }
    if let [(_, bootledger_aggregates::claims::Holder::Device(id)), ..] = held[..] {
        return Ok(id);
    }
    let command = Command::RegisterDevice { spec: Box::new(device.spec), venture: device.venture, role: device.role };
    let receipt = execute(tool, command).await.with_context(|| format!("device {named}"))?;
    let id: DeviceId = receipt.id.parse()?;
    if device.verified {
        execute(tool, Command::VerifyDevice(id)).await.with_context(|| format!("device {named}"))?;
    }
    Ok(id)
}
