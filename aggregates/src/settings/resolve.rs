//! Resolves settings: which value applies, and where it is set.

use crate::boot_image::{BootImage, FileKind};
use crate::rules::BrokenRule;
use crate::values::ParseError;
use crate::values::boot_chain::{BootChain, SETTING};
use crate::values::name::Name;
use crate::values::setting::{SettingName, SettingSpec, SettingType, SettingValue, Settings};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use utoipa::ToSchema;

/// Where a value is set. Written as `device`, `role shop/web`, `venture shop`, `site dc1` or `boot image`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// On the device itself.
    Device,
    /// On the device's role.
    Role {
        /// The role's venture.
        venture: Name,
        /// The role's name.
        role: Name,
    },
    /// On the device's venture, or on one of the venture's ancestors.
    Venture(Name),
    /// On the device's site.
    Site(Name),
    /// In the image's declaration, as the default.
    BootImage,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device => f.write_str("device"),
            Self::Role { venture, role } => write!(f, "role {venture}/{role}"),
            Self::Venture(venture) => write!(f, "venture {venture}"),
            Self::Site(site) => write!(f, "site {site}"),
            Self::BootImage => f.write_str("boot image"),
        }
    }
}

impl FromStr for Source {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || ParseError::new(format!("{text:?} is not where a setting can come from"));
        match (text, text.split_once(' ')) {
            ("device", _) => Ok(Self::Device),
            ("boot image", _) => Ok(Self::BootImage),
            (_, Some(("role", of))) => {
                let (venture, role) = of.split_once('/').ok_or_else(unknown)?;
                Ok(Self::Role { venture: venture.parse()?, role: role.parse()? })
            }
            (_, Some(("venture", venture))) => Ok(Self::Venture(venture.parse()?)),
            (_, Some(("site", site))) => Ok(Self::Site(site.parse()?)),
            _ => Err(unknown()),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

/// A value and where it is set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Resolved {
    /// The value. For a secret, its name.
    pub value: SettingValue,
    /// Where the value is set: `device`, `role VENTURE/ROLE`, `venture NAME`, `site CODE` or `boot image`.
    #[schema(value_type = String, example = "venture shop")]
    pub from: Source,
}

/// Resolved values by name. Deployments can share one map, and an empty one allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResolvedSettings(Option<Arc<BTreeMap<SettingName, Resolved>>>);

impl ResolvedSettings {
    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The value of a setting.
    pub fn get(&self, name: &SettingName) -> Option<&Resolved> {
        self.0.as_ref()?.get(name)
    }

    /// All values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&SettingName, &Resolved)> {
        self.0.iter().flat_map(|map| map.iter())
    }

    /// The number of owners that share the map; 0 if there is no map.
    pub fn owners(&self) -> usize {
        self.0.as_ref().map_or(0, Arc::strong_count)
    }
}

impl FromIterator<(SettingName, Resolved)> for ResolvedSettings {
    fn from_iter<I: IntoIterator<Item = (SettingName, Resolved)>>(values: I) -> Self {
        let map: BTreeMap<_, _> = values.into_iter().collect();
        Self((!map.is_empty()).then(|| Arc::new(map)))
    }
}

impl Serialize for ResolvedSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for ResolvedSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}

impl utoipa::PartialSchema for ResolvedSettings {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        BTreeMap::<String, Resolved>::schema()
    }
}

impl ToSchema for ResolvedSettings {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ResolvedSettings")
    }

    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
        schemas.push((<Resolved as ToSchema>::name().into_owned(), <Resolved as utoipa::PartialSchema>::schema()));
        <Resolved as ToSchema>::schemas(schemas);
    }
}

/// The settings of a role, a venture, one of its ancestors, or a site.
#[derive(Clone, Debug)]
pub struct Layer<'a> {
    /// Which of them sets the values.
    pub from: Source,
    /// The values that are set there.
    pub settings: &'a Settings,
}

/// The values for a deployment, and the problems with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The values that device, role, venture and site set.
    pub values: ResolvedSettings,
    /// The settings without a value or with a value of the wrong type, and what the image lacks for the boot chain.
    pub broken: Vec<BrokenRule>,
    /// The boot loaders that the server's firmware starts.
    pub boot_chain: BootChain,
}

/// A declared setting with the value that applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained<'a> {
    /// The setting's name.
    pub name: &'a SettingName,
    /// The setting's declaration.
    pub spec: &'a SettingSpec,
    /// Whether a file of the image uses the setting.
    pub used: bool,
    /// The value that applies, and where it is set.
    pub resolved: Option<Resolved>,
    /// Why the setting keeps a deployment from starting.
    pub broken: Option<BrokenRule>,
}

/// The settings of an image, resolved for all devices of a role, venture and site. A device's own settings are added later, so
/// that a bulk import resolves the rest once for many rows.
#[derive(Clone, Debug)]
pub struct Inherited {
    image: Name,
    settings: Vec<Setting>,
    /// The nearest value of the setting that chooses the boot chain, even if the image declares no such setting.
    chain: Option<Resolved>,
    /// What the image lacks for the signed chain, as a sentence.
    unsigned: Option<String>,
    /// The result for every device without settings of its own.
    common: Resolution,
}

#[derive(Clone, Debug)]
struct Setting {
    name: SettingName,
    spec: SettingSpec,
    used: bool,
    inherited: Option<Resolved>,
    /// The boot scripts that write the setting without quotes, each with the character sequences that would change the script.
    unquoted: Vec<(FileKind, Name, BTreeSet<String>)>,
}

impl Inherited {
    /// Resolves the settings of an image from layers, nearest first.
    pub fn new<'a>(name: &Name, image: &BootImage, layers: impl IntoIterator<Item = Layer<'a>>) -> Self {
        let layers: Vec<Layer<'a>> = layers.into_iter().collect();
        let used = image.used_settings();
        let of = |(name, spec): (&SettingName, &SettingSpec)| {
            let nearest = layers.iter().find_map(|layer| Some((layer.settings.get(name)?, &layer.from)));
            let inherited = nearest.map(|(value, from)| Resolved { value: value.clone(), from: from.clone() });
            let scripts = image.files.iter().filter(|(_, file)| file.template && file.kind.is_script());
            let unquoted =
                scripts.filter_map(|(script, file)| Some((file.kind, script.clone(), file.needs.unquoted.get(name)?.clone())));
            Setting { name: name.clone(), spec: spec.clone(), used: used.contains(name), inherited, unquoted: unquoted.collect() }
        };
        let settings = image.declared().iter().map(of).collect();
        let chain = BootChain::setting().and_then(|setting| {
            let nearest = layers.iter().find_map(|layer| Some((layer.settings.get(setting)?.clone(), layer.from.clone())));
            let default = || Some((image.declared().get(setting)?.default.clone()?, Source::BootImage));
            nearest.or_else(default).map(|(value, from)| Resolved { value, from })
        });
        let unsigned = image.lacks(BootChain::Signed);
        let mut all = Self { image: name.clone(), settings, chain, unsigned, common: Resolution::default() };
        all.common = all.resolve(&Settings::new());
        all
    }

    /// Resolves the settings for a device, whose own values come first.
    pub fn of_device(&self, own: &Settings) -> Resolution {
        let differs = self.settings.iter().any(|setting| setting.used && own.contains_key(&setting.name))
            || BootChain::setting().is_some_and(|setting| own.contains_key(setting));
        if differs { self.resolve(own) } else { self.common.clone() }
    }

    /// Every declared setting with the value that applies to a device.
    pub fn explain<'a>(&'a self, own: &'a Settings) -> impl Iterator<Item = Explained<'a>> {
        self.settings.iter().map(|setting| {
            let set = setting.value(own).map(Cow::into_owned);
            let broken = setting.broken(&self.image, set.as_ref());
            let default = || setting.spec.default.clone().map(|value| Resolved { value, from: Source::BootImage });
            Explained {
                name: &setting.name,
                spec: &setting.spec,
                used: setting.used,
                resolved: set.or_else(default),
                broken: broken.filter(|_| setting.used),
            }
        })
    }

    fn resolve(&self, own: &Settings) -> Resolution {
        let used = || self.settings.iter().filter(|setting| setting.used);
        let values = used().filter_map(|setting| Some((setting.name.clone(), setting.value(own)?.into_owned())));
        let broken = used().filter_map(|setting| setting.broken(&self.image, setting.value(own).as_deref()));
        let mut broken: Vec<BrokenRule> = broken.collect();
        let boot_chain = self.boot_chain(own).unwrap_or_else(|rule| {
            broken.push(rule);
            BootChain::default()
        });
        broken.extend(used().filter_map(|setting| setting.splits(&self.image, boot_chain, setting.value(own).as_deref())));
        Resolution { values: values.collect(), broken, boot_chain }
    }

    /// The boot chain of a device, or why the device cannot boot the image with it.
    fn boot_chain(&self, own: &Settings) -> Result<BootChain, BrokenRule> {
        let own = BootChain::setting().and_then(|setting| own.get(setting));
        let own = own.map(|value| Resolved { value: value.clone(), from: Source::Device });
        let Some(chosen) = own.as_ref().or(self.chain.as_ref()) else { return Ok(BootChain::default()) };
        let (from, image) = (noun(&chosen.from), &self.image);
        let chain = BootChain::chosen(&chosen.value).map_err(|why| {
            let message = format!("the setting {SETTING} {why}; change its value on {from}");
            BrokenRule::new("boot_image", "boot_chain_unknown", message)
        })?;
        match self.unsigned.as_ref().filter(|_| chain == BootChain::Signed) {
            None => Ok(chain),
            Some(lacks) => {
                let message = format!(
                    "the boot image {image} cannot boot this device with Secure Boot: {lacks}. The setting {SETTING} on {from} \
                     is signed. Add such a template to the image, or set {SETTING} to ipxe on the device if its Secure Boot is off"
                );
                Err(BrokenRule::new("boot_image", "boot_image_not_signed", message).held_by(&from))
            }
        }
    }
}

impl Setting {
    /// The value that device, role, venture or site sets, nearest first.
    fn value<'a>(&'a self, own: &Settings) -> Option<Cow<'a, Resolved>> {
        let own = own.get(&self.name).map(|value| Cow::Owned(Resolved { value: value.clone(), from: Source::Device }));
        own.or_else(|| self.inherited.as_ref().map(Cow::Borrowed))
    }

    /// Why the setting's value would change the boot chain's script.
    fn splits(&self, image: &Name, chain: BootChain, set: Option<&Resolved>) -> Option<BrokenRule> {
        let kind = if chain == BootChain::Signed { FileKind::Grub } else { FileKind::BootIpxe };
        let value = set.map(|set| &set.value).or(self.spec.default.as_ref())?;
        let texts: Vec<String> = match value {
            SettingValue::Text(text) => vec![text.as_str().to_owned()],
            SettingValue::List(list) => list.items().iter().map(ToString::to_string).collect(),
            _ => return None,
        };
        // A sequence that ends with a space is a separate word; one with a line feed matches the beginning or the end of the
        // value.
        let alone = |text: &str, sign: &str| if sign.ends_with(' ') { format!(" {text} ") } else { format!("\n{text}\n") };
        let has = |sign: &str| texts.iter().any(|text| alone(text, sign).contains(sign));
        let (_, script, sign) = self
            .unquoted
            .iter()
            .filter(|(of, ..)| *of == kind)
            .find_map(|(of, script, signs)| Some((of, script, signs.iter().find(|sign| has(sign))?)))?;
        let (name, sign) = (&self.name, sign.trim());
        let source = set.map_or_else(|| "the boot image".to_owned(), |set| noun(&set.from));
        let (loader, advice) = match kind {
            FileKind::Grub => ("GRUB", "or write it with the filter shell in the template"),
            _ => ("iPXE", "which has no quoting, or remove the sign in the template with the filter replace"),
        };
        let message = format!(
            "the setting {name} of the boot image {image} has {sign} in its value, and the template {script} writes the value without \
             quotes, so that {loader} would read another script; change the value on {source}, {advice}"
        );
        Some(BrokenRule::new("boot_image", "setting_changes_script", message))
    }

    /// Why the setting keeps a deployment from starting.
    fn broken(&self, image: &Name, set: Option<&Resolved>) -> Option<BrokenRule> {
        let name = &self.name;
        if let Some((set, Err(why))) =
            set.filter(|set| !self.is_nothing(&set.value)).map(|set| (set, self.spec.accepts(&set.value)))
        {
            let message = format!("the setting {name} of the boot image {image} {why}; change its value on {}", noun(&set.from));
            return Some(BrokenRule::new("boot_image", "setting_wrong_type", message));
        }
        let value = set.map(|set| &set.value).or(self.spec.default.as_ref());
        if !self.spec.required || value.is_some_and(|value| !value.is_empty()) {
            return None;
        }
        let about = match self.spec.description.as_str() {
            "" => String::new(),
            description => format!(" ({description})"),
        };
        let next = match set {
            Some(set) => format!("its value on {} is empty; enter one there", noun(&set.from)),
            None => "set it on the device, its role, its venture or its site, or give the image a default".to_owned(),
        };
        let message =
            format!("the boot image {image} is incomplete for this device: the setting {name}{about} has no value; {next}");
        Some(BrokenRule::new("boot_image", "setting_missing", message))
    }

    /// Whether a value means "none": an empty text, which is also allowed for an optional choice or secret.
    fn is_nothing(&self, value: &SettingValue) -> bool {
        let by_text = matches!(self.spec.kind, SettingType::Choice | SettingType::Secret) && self.spec.default.is_none();
        by_text && matches!(value, SettingValue::Text(text) if text.as_str().is_empty())
    }
}

/// The source as a noun for a sentence.
fn noun(from: &Source) -> String {
    match from {
        Source::Device => "the device".to_owned(),
        Source::BootImage => "the boot image".to_owned(),
        other => other.to_string(),
    }
}
