//! Resolves the settings of an image: which value applies, where it is set, and what keeps a deployment from starting.

#[cfg(test)]
mod tests;

use super::file::FileKind;
use super::image::BootImage;
use crate::rules::{BrokenRule, Rule};
use crate::settings::{Layer, Resolution, Resolved, Source};
use crate::values::boot_chain::{BootChain, SETTING};
use crate::values::name::Name;
use crate::values::setting::{SettingName, SettingSpec, SettingType, SettingValue, Settings};
use std::borrow::Cow;
use std::collections::BTreeSet;

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
        let (from, image) = (chosen.from.noun(), &self.image);
        let chain = BootChain::chosen(&chosen.value).map_err(|why| {
            let message = format!("the setting {SETTING} {why}; change its value on {from}");
            BrokenRule::new("boot_image", Rule::BootChainUnknown, message)
        })?;
        match self.unsigned.as_ref().filter(|_| chain == BootChain::Signed) {
            None => Ok(chain),
            Some(lacks) => {
                let message = format!(
                    "the boot image {image} cannot boot this device with Secure Boot: {lacks}. The setting {SETTING} on {from} \
                     is signed. Add such a template to the image, or set {SETTING} to ipxe on the device if its Secure Boot is off"
                );
                Err(BrokenRule::new("boot_image", Rule::BootImageNotSigned, message).held_by(&from))
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
        let source = set.map_or_else(|| "the boot image".to_owned(), |set| set.from.noun());
        let (loader, advice) = match kind {
            FileKind::Grub => ("GRUB", "or write it with the filter shell in the template"),
            _ => ("iPXE", "which has no quoting, or remove the sign in the template with the filter replace"),
        };
        let message = format!(
            "the setting {name} of the boot image {image} has {sign} in its value, and the template {script} writes the value without \
             quotes, so {loader} would read a different script; change the value on {source}, {advice}"
        );
        Some(BrokenRule::new("boot_image", Rule::SettingChangesScript, message))
    }

    /// Why the setting keeps a deployment from starting.
    fn broken(&self, image: &Name, set: Option<&Resolved>) -> Option<BrokenRule> {
        let name = &self.name;
        if let Some((set, Err(why))) =
            set.filter(|set| !self.is_nothing(&set.value)).map(|set| (set, self.spec.accepts(&set.value)))
        {
            let message = format!("the setting {name} of the boot image {image} {why}; change its value on {}", set.from.noun());
            return Some(BrokenRule::new("boot_image", Rule::SettingWrongType, message));
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
            Some(set) => format!("its value on {} is empty; enter one there", set.from.noun()),
            None => "set it on the device, its role, its venture or its site, or give the image a default".to_owned(),
        };
        let message =
            format!("the boot image {image} is incomplete for this device: the setting {name}{about} has no value; {next}");
        Some(BrokenRule::new("boot_image", Rule::SettingMissing, message))
    }

    /// Whether a value means "none": an empty text, which is also allowed for an optional choice or secret.
    fn is_nothing(&self, value: &SettingValue) -> bool {
        let by_text = matches!(self.spec.kind, SettingType::Choice | SettingType::Secret) && self.spec.default.is_none();
        by_text && matches!(value, SettingValue::Text(text) if text.as_str().is_empty())
    }
}
