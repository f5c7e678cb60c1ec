//! The kinds of entries in a catalogue file, each defined once for parsing, comparison, export and tests.
//!
//! To add a field, add it to the type that the kind parses (`SiteSpec`, `NetworkSpec`, …); nothing changes here. The type's
//! schema and serde attributes define the rest, and the test of all fields then requires a value of it in
//! `tests/every_field.yaml`.

use super::shape::{self, Field, Shape};
use anyhow::Result;
use bootledger_aggregates::boot_image::{BootFile, BootImage, BootImageSpec, FileKind};
use bootledger_aggregates::device::register::{DeviceChange, DeviceSpec};
use bootledger_aggregates::dhcp_server::DhcpServerSpec;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::secret::SecretSpec;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::venture::{RoleSpec, VentureSpec};
use bootledger_aggregates::webhook::WebhookSpec;
use bootledger_port::{CatalogueAction, Command, WebhookAction};
use bootledger_projections::rows::catalogue::{DhcpServerView, VentureView, WebhookView};
use bootledger_projections::rows::devices::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Site,
    Secret,
    Webhook,
    Rack,
    Network,
    DhcpServer,
    BootImage,
    Venture,
    Role,
    Device,
}

/// An error that a type's own rules found: the path of the value, such as `macs[0]`, and the reason.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) path: String,
    pub(super) message: String,
}

impl Kind {
    /// All kinds in the order of their import: entries come after those that they refer to.
    pub(crate) const ALL: [Self; 10] = [
        Self::Site,
        Self::Secret,
        Self::Webhook,
        Self::Rack,
        Self::Network,
        Self::DhcpServer,
        Self::BootImage,
        Self::Venture,
        Self::Role,
        Self::Device,
    ];

    /// The section of the kind in a file. Roles are inside their ventures.
    pub(crate) fn section(self) -> &'static str {
        match self {
            Self::Site => "sites",
            Self::Secret => "secrets",
            Self::Webhook => "webhooks",
            Self::Rack => "racks",
            Self::Network => "networks",
            Self::DhcpServer => "dhcp_servers",
            Self::BootImage => "boot_images",
            Self::Venture => "ventures",
            Self::Role => "roles",
            Self::Device => "devices",
        }
    }

    /// The name of one entry of the kind, for messages.
    pub(crate) fn one(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Secret => "secret",
            Self::Webhook => "webhook",
            Self::Rack => "rack",
            Self::Network => "network",
            Self::DhcpServer => "DHCP server",
            Self::BootImage => "boot image",
            Self::Venture => "venture",
            Self::Role => "role",
            Self::Device => "device",
        }
    }

    /// The kind's name in the view of the catalogue. Devices have a view of their own.
    pub(super) fn view(self) -> &'static str {
        match self {
            Self::DhcpServer => "dhcp_server",
            Self::BootImage => "boot_image",
            Self::Role => "venture",
            other => other.one(),
        }
    }

    /// The fields of an entry in a file.
    pub(super) fn fields(self) -> BTreeMap<String, Field> {
        match self {
            Self::Site => shape::fields::<SiteSpec>(),
            Self::Secret => shape::fields::<SecretSpec>(),
            Self::Webhook => shape::fields::<WebhookSpec>(),
            Self::Rack => shape::fields::<RackSpec>(),
            Self::Network => shape::fields::<NetworkSpec>(),
            Self::DhcpServer => shape::fields::<DhcpServerSpec>(),
            Self::Role => shape::fields::<RoleSpec>(),
            Self::Venture => {
                let mut fields = shape::fields::<VentureSpec>();
                let roles = Shape::Mapping(Box::new(Shape::Fields(Self::Role.fields())));
                fields.insert("roles".to_owned(), Field::optional(roles));
                fields
            }
            Self::BootImage => {
                let mut fields = shape::fields::<BootImageSpec>();
                fields.insert("files".to_owned(), Field::optional(Shape::Mapping(Box::new(Shape::Fields(boot_file())))));
                fields
            }
            Self::Device => {
                let mut fields = shape::fields::<DeviceSpec>();
                // Ids differ between installations, so a file names a device by its label.
                fields.insert(
                    "parent".to_owned(),
                    Field::optional(Shape::Either(vec![Shape::Text(vec![]), Shape::Fields(identity())])),
                );
                let of_change = shape::fields::<DeviceChange>();
                for name in ["venture", "role"] {
                    fields.extend(of_change.get(name).map(|field| (name.to_owned(), field.clone())));
                }
                fields.insert("verified".to_owned(), Field { nullable: false, ..Field::optional(Shape::Boolean) });
                fields
            }
        }
    }

    /// The command that changes an entry to what the file says, and the entry's description in the form that is compared. Boot
    /// images and devices need more than that.
    pub(super) fn define(self, name: &Name, venture: Option<&Name>, value: Value) -> Result<(Command, Value), Wrong> {
        let name = name.clone();
        Ok(match (self, venture) {
            (Self::Site, _) => {
                let (spec, json) = typed(value)?;
                (Command::Catalogue(CatalogueAction::DefineSite(name, spec)), json)
            }
            (Self::Secret, _) => {
                let (spec, json) = typed(value)?;
                (Command::Catalogue(CatalogueAction::DefineSecret(name, spec)), json)
            }
            (Self::Webhook, _) => {
                let (spec, json) = typed(value)?;
                (Command::Webhook(WebhookAction::DefineWebhook(name, spec)), json)
            }
            (Self::Rack, _) => {
                let (spec, json) = typed(value)?;
                (Command::Catalogue(CatalogueAction::DefineRack(name, spec)), json)
            }
            (Self::Network, _) => {
                let (spec, json) = typed(value)?;
                (Command::Catalogue(CatalogueAction::DefineNetwork(name, spec)), json)
            }
            (Self::DhcpServer, _) => {
                let (spec, json) = typed(value)?;
                (Command::Catalogue(CatalogueAction::DefineDhcpServer(name, spec)), json)
            }
            (Self::Venture, _) => {
                let (spec, json) = typed(value)?;
                (Command::Catalogue(CatalogueAction::DefineVenture(name, spec)), json)
            }
            (Self::Role, Some(venture)) => {
                let (spec, json) = typed(value)?;
                (Command::Catalogue(CatalogueAction::DefineRole { venture: venture.clone(), role: name, spec }), json)
            }
            (Self::Role | Self::BootImage | Self::Device, _) => {
                return Err(Wrong { path: String::new(), message: format!("a {} is not defined by one command", self.one()) });
            }
        })
    }

    /// The descriptions in a row of the view, by the entries' names, in the form that is compared.
    pub(super) fn held(self, key: &str, spec: Value) -> Result<Vec<(String, Value)>> {
        let one = |json| Ok(vec![(key.to_owned(), json)]);
        match self {
            Self::Site => one(again::<SiteSpec>(spec)?),
            Self::Secret => one(again::<SecretSpec>(spec)?),
            Self::Webhook => one(json_of(&serde_json::from_value::<WebhookView>(spec)?.spec)),
            Self::Rack => one(again::<RackSpec>(spec)?),
            Self::Network => one(again::<NetworkSpec>(spec)?),
            Self::DhcpServer => one(json_of(&serde_json::from_value::<DhcpServerView>(spec)?.spec)),
            Self::Venture => one(json_of(&serde_json::from_value::<VentureView>(spec)?.spec)),
            Self::Role => {
                let roles = serde_json::from_value::<VentureView>(spec)?.roles;
                Ok(roles.iter().map(|(role, spec)| (format!("{key}/{role}"), json_of(spec))).collect())
            }
            Self::BootImage => one(image(&serde_json::from_value(spec)?)),
            Self::Device => Ok(vec![]),
        }
    }
}

/// The fields of a boot file in a catalogue file.
fn boot_file() -> BTreeMap<String, Field> {
    let own = shape::fields::<BootFile>();
    let kind = own.get("kind").map_or(Shape::Text(vec![]), |field| field.shape.clone());
    let text = || Field::optional(Shape::Text(vec![]));
    BTreeMap::from([
        ("kind".to_owned(), Field { shape: kind, required: true, nullable: false }),
        ("template".to_owned(), Field { nullable: false, ..Field::optional(Shape::Boolean) }),
        ("text".to_owned(), text()),
        ("path".to_owned(), text()),
        ("sha256".to_owned(), text()),
        ("size".to_owned(), Field::optional(Shape::Integer)),
    ])
}

/// The fields that identify a device; one of them is enough.
fn identity() -> BTreeMap<String, Field> {
    ["serial", "asset", "mac"].map(|name| (name.to_owned(), Field::optional(Shape::Text(vec![])))).into()
}

/// Parses a value into its type, and returns it with its JSON in the form that is compared.
pub(super) fn typed<T: DeserializeOwned + Serialize>(value: Value) -> Result<(T, Value), Wrong> {
    let written = value.clone();
    let spec: T = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        let message = spoken(&error.inner().to_string(), at(&written, &path));
        Wrong { path, message }
    })?;
    let json = json_of(&spec);
    Ok((spec, json))
}

/// The value at a path such as `dns_updates.key.name` or `macs[0]`.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let pointer: String = path
        .replace('[', ".")
        .replace(']', "")
        .split('.')
        .filter(|part| !part.is_empty())
        .fold(String::new(), |pointer, part| format!("{pointer}/{}", part.replace('~', "~0").replace('/', "~1")));
    value.pointer(&pointer)
}

/// A message of serde as a plain sentence, with the value that it concerns.
fn spoken(message: &str, value: Option<&Value>) -> String {
    let shown = match value {
        Some(Value::String(text)) => super::yaml::shortened(text),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ => String::new(),
    };
    if message.starts_with("invalid value: integer") {
        let negative = shown.starts_with('-');
        return format!("`{shown}` is too {} for this field", if negative { "small" } else { "large" });
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        return format!("{field} is missing");
    }
    if shown.is_empty() || message.contains(&shown) { message.to_owned() } else { format!("`{shown}`: {message}") }
}

/// A description in the form that is compared. It is parsed and serialised again, so that one of an earlier version gets the
/// current defaults.
fn again<T: DeserializeOwned + Serialize>(value: Value) -> Result<Value> {
    Ok(json_of(&serde_json::from_value::<T>(value)?))
}

/// The fields whose values Bootledger only passes on. In these, null is a value.
const HANDED_ON: [&str; 2] = ["puppet_classes", "puppet_parameters"];

/// The JSON of a value, without nulls: absent values are left out.
pub(super) fn json_of(value: &impl Serialize) -> Value {
    without_nulls(serde_json::to_value(value).unwrap_or_default())
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            let stripped = |name: &str, value| if HANDED_ON.contains(&name) { value } else { without_nulls(value) };
            Value::Object(fields.map(|(name, value)| (name.clone(), stripped(&name, value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// A boot image with its files.
fn image(image: &BootImage) -> Value {
    let mut json = image.spec.as_ref().map(json_of).unwrap_or_default();
    let files: Map<String, Value> = image.files.iter().map(|(name, file)| (name.to_string(), file_of(file))).collect();
    json["files"] = Value::Object(files);
    json
}

/// A boot file in the form that is compared.
pub(super) fn file_of(file: &BootFile) -> Value {
    // The settings that a template uses, and its other requirements, follow from its content.
    let BootFile { kind, sha256, size, template, settings: _, needs: _ } = file;
    let kind: &FileKind = kind;
    json!({ "kind": kind, "template": template, "sha256": sha256, "size": size })
}

/// A device as a file describes it, except that its parent is given by id.
pub(super) fn device(device: &Device) -> Map<String, Value> {
    let spec = DeviceSpec {
        kind: device.kind,
        name: device.name.clone(),
        serial: device.serial.clone(),
        asset: device.asset.clone(),
        site: device.site.clone(),
        rack: device.rack.clone(),
        position: device.rack_position.and_then(|position| u16::try_from(position).ok()),
        height: device.height,
        face: device.face,
        notes: device.notes.clone(),
        tags: device.tags.clone(),
        macs: device.macs.clone(),
        management: device.management.clone(),
        parent: device.parent,
        settings: device.settings.clone(),
        endpoints: vec![],
    };
    let mut json = described(spec);
    json.extend(device.venture.iter().map(|venture| ("venture".to_owned(), json!(venture))));
    json.extend(device.role.iter().map(|role| ("role".to_owned(), json!(role))));
    json.insert("verified".to_owned(), json!(device.verified));
    json
}

/// A device's description in the form that is compared.
pub(super) fn described(mut spec: DeviceSpec) -> Map<String, Value> {
    spec.macs.sort();
    spec.macs.dedup();
    spec.tags.sort();
    spec.tags.dedup();
    spec.serial = spec.serial.filter(|serial| !serial.is_empty());
    spec.asset = spec.asset.filter(|asset| !asset.is_empty());
    match json_of(&spec) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// A value that identifies a device, as printed on its label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Label {
    Serial(Text),
    Asset(Text),
    Mac(MacAddress),
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "serial number {serial}"),
            Self::Asset(asset) => write!(f, "asset number {asset}"),
            Self::Mac(mac) => write!(f, "MAC address {mac}"),
        }
    }
}
