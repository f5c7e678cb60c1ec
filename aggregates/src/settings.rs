//! Settings of boot images: the values that sites, ventures, roles and devices set, and the value that applies to a deployment.
//!
//! The nearest value applies: that of the device, role, venture and its ancestors, site, and last the default in the image's
//! declaration. Only settings that the image's templates use matter, and of each only the nearest value. The values that were
//! resolved at the start of a deployment are part of its first event, so later changes do not affect the deployment's files.

mod resolved;
#[cfg(test)]
mod tests;

pub use resolved::{Layer, Resolution, Resolved, ResolvedSettings, Source};

use crate::rules::{BrokenRule, Rule};
use crate::values::boot_chain::BootChain;
use crate::values::name::Name;
use crate::values::setting::{BOOT_SECRET_PREFIX, SettingName, SettingValue, Settings};
use std::collections::BTreeMap;

/// The problems with secrets, by the secret's name. Secrets that can be read are not listed.
pub type SecretProblems = BTreeMap<Name, String>;

/// Changes of settings: a value sets a setting, and `None` removes it.
pub type SettingsChange = BTreeMap<SettingName, Option<SettingValue>>;

/// The most settings of a boot image, site, venture, role or device.
const MOST: usize = 100;
/// The largest size of their JSON, in bytes.
const LARGEST: usize = 64 * 1024;

/// The field of a request that an error about a setting refers to.
pub fn field(name: &SettingName) -> String {
    format!("settings.{name}")
}

/// The names of the secrets that settings refer to.
pub fn secrets(settings: &Settings) -> impl Iterator<Item = &Name> {
    settings.values().filter_map(SettingValue::secret)
}

/// The changes in `wanted` that differ from `settings`.
pub fn changes(settings: &Settings, wanted: SettingsChange) -> SettingsChange {
    wanted.into_iter().filter(|(name, value)| settings.get(name) != value.as_ref()).collect()
}

/// Applies changes to settings.
pub fn apply(settings: &mut Settings, changes: SettingsChange) {
    for (name, value) in changes {
        match value {
            Some(value) => drop(settings.insert(name, value)),
            None => drop(settings.remove(&name)),
        }
    }
}

/// The error for too many settings; `None` if `count` is allowed.
pub(crate) fn too_many(count: usize) -> Option<BrokenRule> {
    let message = format!("{count} settings are too many: the maximum is {MOST}. Remove some");
    (count > MOST).then(|| BrokenRule::new("settings", Rule::SettingsTooMany, message))
}

/// The problem with a value of the setting that chooses the boot chain, as the end of a sentence; `None` for other settings.
pub(crate) fn chain_problem(name: &SettingName, value: Option<&SettingValue>) -> Option<String> {
    value.filter(|_| BootChain::is_chosen_by(name)).and_then(|value| BootChain::chosen(value).err())
}

/// Every problem with the settings of a site, venture, role or device. Boot images declare the types of settings, so types are
/// checked when a deployment starts.
pub(crate) fn broken(settings: &Settings, secret_problems: &SecretProblems) -> Vec<BrokenRule> {
    let mut broken: Vec<BrokenRule> = too_many(settings.len()).into_iter().collect();
    if serde_json::to_string(settings).is_ok_and(|json| json.len() > LARGEST) {
        let message = format!("the settings have more than {LARGEST} bytes as JSON; shorten them");
        broken.push(BrokenRule::new("settings", Rule::SettingsTooLarge, message));
    }
    for (name, value) in settings {
        if let Some(problem) = chain_problem(name, Some(value)) {
            broken.push(BrokenRule::new(&field(name), Rule::BootChainUnknown, format!("the setting {name} {problem}")));
        }
        let Some(secret) = value.secret() else { continue };
        if !secret.as_str().starts_with(BOOT_SECRET_PREFIX) {
            let message = format!(
                "the secret {secret} is not for boot files; choose a secret whose name begins with {BOOT_SECRET_PREFIX}, \
                 because boot files contain no others"
            );
            broken.push(BrokenRule::new(&field(name), Rule::SecretNotForBoot, message));
        } else if let Some(problem) = secret_problems.get(secret) {
            broken.push(BrokenRule::new(&field(name), Rule::SecretMissing, problem));
        }
    }
    broken
}
