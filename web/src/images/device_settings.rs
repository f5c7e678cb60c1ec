//! Settings of boot images as they apply to a device: the value of each, its source, and the values that are missing.

use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use bootledger_aggregates::boot_image::{BootImage, Inherited};
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::settings::Resolved;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::{SettingName, SettingSpec, SettingType};
use bootledger_projections::questions::settings::layers;
use bootledger_projections::rows::catalogue::{self, inherited_image};
use bootledger_projections::rows::devices::Device;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The boot image, venture and role to resolve settings for. The device's own values are the defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) venture: Option<Name>,
    pub(crate) role: Option<Name>,
    pub(crate) boot_image: Option<Name>,
}

/// The settings of a boot image as they apply to a device.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceSettings {
    /// The boot image. Null if the request names none, and neither the role nor the venture has a default.
    pub(crate) boot_image: Option<Name>,
    /// The revision of the boot image.
    pub(crate) revision: Option<u32>,
    /// The venture whose settings apply.
    pub(crate) venture: Option<Name>,
    /// The role whose settings apply.
    pub(crate) role: Option<Name>,
    /// The site whose settings apply.
    pub(crate) site: Name,
    /// Whether every setting that the image's templates use has a value of its type.
    pub(crate) complete: bool,
    /// Every setting that the boot image declares.
    pub(crate) settings: Vec<DeviceSetting>,
}

/// One setting as it applies to a device.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceSetting {
    /// The name of the setting.
    pub(crate) name: SettingName,
    /// The type of the setting's values.
    #[serde(rename = "type")]
    pub(crate) kind: SettingType,
    /// What the setting is used for.
    pub(crate) description: String,
    /// Whether a deployment requires a value.
    pub(crate) required: bool,
    /// Whether a template of the boot image uses the setting.
    pub(crate) used: bool,
    /// The value and its source; left out if the setting has no value.
    #[serde(flatten)]
    pub(crate) resolved: Option<Resolved>,
    /// The rule because of which the setting prevents a deployment from starting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broken: Option<BrokenRule>,
}

/// Resolves the settings of a boot image without a device.
pub(crate) async fn inherited(
    snapshot: &mut Snapshot<'_>,
    (key, image): (&Name, &BootImage),
    venture: Option<&Name>,
    role: Option<&Name>,
    site: &Name,
) -> Result<Inherited, Error> {
    let at = snapshot.at;
    let lineage = match venture {
        Some(venture) => catalogue::lineage(snapshot.connection(), venture, at).await?,
        None => vec![],
    };
    let site = catalogue::site(snapshot.connection(), site, at).await?.filter(|site| !site.retired);
    Ok(Inherited::new(key, image, layers(&lineage, role, site.as_ref())))
}

/// Resolves the settings of a boot image for a device.
pub(crate) async fn of_device(snapshot: &mut Snapshot<'_>, device: &Device, wanted: Wanted) -> Result<DeviceSettings, Error> {
    let at = snapshot.at;
    let venture = wanted.venture.or_else(|| device.venture.clone());
    let role = wanted.role.or_else(|| device.role.clone());
    let boot_image = match (wanted.boot_image, &venture) {
        (Some(image), _) => Some(image),
        (None, Some(venture)) => {
            let lineage = catalogue::lineage(snapshot.connection(), venture, at).await?;
            inherited_image(&lineage, role.as_ref())
        }
        (None, None) => None,
    };
    let site = device.site.clone();
    let Some(key) = boot_image else {
        let settings = vec![];
        return Ok(DeviceSettings { boot_image: None, revision: None, venture, role, site, complete: false, settings });
    };
    let image = catalogue::boot_image(snapshot.connection(), &key, at).await?;
    let image = image.ok_or_else(|| Error::NotFound(format!("there is no boot image {key}")))?.spec;
    let inherited = inherited(snapshot, (&key, &image), venture.as_ref(), role.as_ref(), &site).await?;
    let settings: Vec<DeviceSetting> = inherited
        .explain(&device.settings)
        .map(|one| DeviceSetting {
            name: one.name.clone(),
            kind: one.spec.kind,
            description: one.spec.description.to_string(),
            required: one.spec.required,
            used: one.used,
            resolved: one.resolved,
            broken: one.broken,
        })
        .collect();
    let complete = settings.iter().all(|setting| setting.broken.is_none());
    Ok(DeviceSettings { boot_image: Some(key), revision: Some(image.revision), venture, role, site, complete, settings })
}

/// The declarations of setting names in the catalogue: the types and descriptions of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingSources(BTreeMap<SettingName, Vec<SettingSpec>>);

impl SettingSources {
    /// Reads the declarations of all boot images in use.
    pub(crate) async fn read(snapshot: &mut Snapshot<'_>) -> Result<Self, Error> {
        let at = snapshot.at;
        let mut known = Self::default();
        for image in catalogue::boot_images(snapshot.connection(), at).await?.into_iter().filter(|image| !image.retired) {
            for (name, spec) in image.spec.spec.into_iter().flat_map(|spec| spec.settings) {
                let specs = known.0.entry(name).or_default();
                if !specs.contains(&spec) {
                    specs.push(spec);
                }
            }
        }
        Ok(known)
    }

    /// The type of a setting, if all boot images that declare it agree.
    pub(crate) fn kind(&self, name: &SettingName) -> Option<SettingType> {
        let specs = self.0.get(name)?;
        let kind = specs.first()?.kind;
        specs.iter().all(|spec| spec.kind == kind).then_some(kind)
    }

    /// The choices of a setting, from all boot images together.
    pub(crate) fn choices(&self, name: &SettingName) -> Vec<String> {
        let mut choices: Vec<String> = vec![];
        for choice in self.0.get(name).into_iter().flatten().flat_map(|spec| &spec.choices) {
            if !choices.iter().any(|known| known == choice.as_str()) {
                choices.push(choice.to_string());
            }
        }
        choices
    }

    /// Every declared name with its type and the first description.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&SettingName, &'static str, &str)> {
        self.0.iter().map(|(name, specs)| {
            let kind = self.kind(name).map_or("of several types", SettingType::as_str);
            let description = specs.iter().map(|spec| spec.description.as_str()).find(|text| !text.is_empty());
            (name, kind, description.unwrap_or_default())
        })
    }

    /// The declarations of one boot image; empty if it declares none.
    #[cfg(test)]
    pub(crate) fn of(declared: serde_json::Value) -> Self {
        let declared: BTreeMap<SettingName, SettingSpec> = serde_json::from_value(declared).expect("declarations");
        Self(declared.into_iter().map(|(name, spec)| (name, vec![spec])).collect())
    }
}
