//! A boot image: the files that install a system on a server. The key is the image's name; every change creates a new revision.
//!
//! `(none) ─DefineBootImage─► defined ─PutFile / RemoveFile─► … ─RetireBootImage─► retired`
//!
//! Events hold the hashes of files, never their content: templates may hold secrets.

mod command;
mod event;
mod file;
mod image;
pub mod recipe;
mod resolve;
mod spec;
#[cfg(test)]
mod tests;

pub use command::BootImageCommand;
pub use event::BootImageEvent;
pub use file::{BootFile, FileKind, LOCAL_DISK, Needs, NetworkNeeds, NetworkValue, absent_from_network};
pub use image::BootImage;
pub use resolve::{Explained, Inherited};
pub use spec::{BootImageSpec, EndedBy, NetworkBoot};

use crate::rules::{BrokenRule, Refused, Rule, aggregate};
use crate::settings::{self, SecretProblems};
use crate::values::name::Name;
use crate::values::setting::{SettingName, SettingSpec, SettingType, SettingValue};
use std::collections::BTreeMap;

/// File names that have another meaning under `/pxe/`, or in the record of served files.
const TAKEN_NAMES: [&str; 5] = ["done", "t", "progress", "log", LOCAL_DISK];

/// The longest time limit: one year.
const LONGEST_LIMIT_MINUTES: u32 = 365 * 24 * 60;

impl BootImage {
    /// The problems with new declarations, on their own and with the image's current templates.
    fn declarations(&self, declared: &BTreeMap<SettingName, SettingSpec>, secret_problems: &SecretProblems) -> Vec<BrokenRule> {
        let mut broken: Vec<BrokenRule> = settings::too_many(declared.len()).into_iter().collect();
        for (name, spec) in declared {
            let field = settings::field(name);
            if let Some(problem) = spec.problem().or_else(|| settings::chain_problem(name, spec.default.as_ref())) {
                broken.push(BrokenRule::new(&field, Rule::SettingInvalid, format!("the setting {name} {problem}")));
            }
            let secret = spec.default.as_ref().and_then(SettingValue::secret);
            broken.extend(
                secret
                    .and_then(|secret| secret_problems.get(secret))
                    .map(|problem| BrokenRule::new(&field, Rule::SecretMissing, problem)),
            );
        }
        for (name, old) in self.declared() {
            let Some((file, _)) = self.files.iter().find(|(_, file)| file.settings.contains(name)) else { continue };
            let message = match declared.get(name) {
                None => format!("the template {file} uses the setting {name}; change the template before you remove the setting"),
                Some(new) if new.kind != old.kind => format!(
                    "the template {file} uses the setting {name} as a {}; change the template before you change the type to {}",
                    old.kind.as_str(),
                    new.kind.as_str()
                ),
                Some(_) => continue,
            };
            broken.push(BrokenRule::new(&settings::field(name), Rule::SettingInUse, message));
        }
        broken
    }

    /// The problems with the settings that a file uses.
    fn settings_of(&self, name: &Name, file: &BootFile) -> Vec<BrokenRule> {
        let broken = file.settings.iter().filter_map(|setting| match self.declared().get(setting) {
            None => {
                let message = format!("the boot image declares no setting {setting}; add it to the image's settings first");
                Some(BrokenRule::new("", Rule::SettingUndeclared, message))
            }
            Some(spec) if spec.kind == SettingType::Secret && file.kind.is_script() => {
                let message = format!(
                    "{name} is a script, which any server at the deployment's address can fetch; it cannot use the secret \
                     {setting}"
                );
                Some(BrokenRule::new("kind", Rule::SecretInScript, message))
            }
            Some(_) => None,
        });
        broken.collect()
    }

    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: BootImageCommand) -> Result<Vec<BootImageEvent>, Refused> {
        match self.with_recipe(command)? {
            BootImageCommand::ReplaceBootImage { spec, files, revision, secret_problems } => {
                self.replace(spec, files, revision, secret_problems)
            }
            BootImageCommand::DefineBootImage { spec, secret_problems } => {
                let limits = [("open_minutes", spec.open_minutes), ("in_progress_minutes", spec.in_progress_minutes)];
                let broken = limits.iter().filter_map(|(field, minutes)| match minutes {
                    0 => Some(BrokenRule::new(field, Rule::LimitZero, "a time limit must be at least one minute")),
                    1..=LONGEST_LIMIT_MINUTES => None,
                    _ => Some(BrokenRule::new(field, Rule::LimitTooLong, "a time limit must be at most a year, 525600 minutes")),
                });
                let mut broken: Vec<BrokenRule> = broken.collect();
                broken.extend(self.declarations(&spec.settings, &secret_problems));
                Refused::unless_empty(broken)?;
                let same = !self.retired && self.spec.as_ref() == Some(&spec);
                Ok(if same { vec![] } else { vec![BootImageEvent::BootImageDefined { spec }] })
            }
            BootImageCommand::RetireBootImage if self.spec.is_none() || self.retired => Ok(vec![]),
            BootImageCommand::RetireBootImage => Ok(vec![BootImageEvent::BootImageRetired {}]),
            _ if self.spec.is_none() => Err(Refused::unknown(Rule::BootImageUnknown, "boot image", "create it first")),
            _ if self.retired => {
                Err(Refused::because("", Rule::BootImageRetired, "the boot image is retired; restore it to use it"))
            }
            BootImageCommand::PutFile { name, file } => {
                if name.as_str().starts_with('_') || TAKEN_NAMES.contains(&name.as_str()) {
                    return Err(Refused::because(
                        "name",
                        Rule::FileNameTaken,
                        format!("the name {name} is reserved under /pxe/; choose another name"),
                    ));
                }
                Refused::unless_empty(self.settings_of(&name, &file))?;
                Ok(if self.files.get(&name) == Some(&file) { vec![] } else { vec![BootImageEvent::BootFilePut { name, file }] })
            }
            BootImageCommand::RemoveFile { name } => {
                Ok(if self.files.contains_key(&name) { vec![BootImageEvent::BootFileRemoved { name }] } else { vec![] })
            }
        }
    }

    /// Gives a definition the image's current recipe, which a definition need not repeat and cannot change.
    fn with_recipe(&self, command: BootImageCommand) -> Result<BootImageCommand, Refused> {
        let BootImageCommand::DefineBootImage { mut spec, secret_problems } = command else { return Ok(command) };
        let kept = self.spec.as_ref().and_then(|spec| spec.recipe.clone());
        if spec.recipe.is_some() && spec.recipe != kept {
            let message = "only the image library sets the recipe; leave it out";
            return Err(Refused::because("recipe", Rule::RecipeSetByLibrary, message));
        }
        spec.recipe = kept;
        Ok(BootImageCommand::DefineBootImage { spec, secret_problems })
    }

    /// Returns an event for each difference. The boot script comes last: a new image stays incomplete until every other file is
    /// there.
    fn replace(
        &self,
        spec: BootImageSpec,
        files: BTreeMap<Name, BootFile>,
        revision: u32,
        secret_problems: SecretProblems,
    ) -> Result<Vec<BootImageEvent>, Refused> {
        if self.revision != revision {
            let message = "another change was made to the boot image in the meantime; review it and repeat the command";
            return Err(Refused::because("", Rule::BootImageChanged, message));
        }
        // Apply the same rules as for single changes, on an image that already has the new description and none of the old
        // files.
        let draft = Self { spec: Some(spec.clone()), ..Self::default() };
        draft.decide(BootImageCommand::DefineBootImage { spec: spec.clone(), secret_problems })?;
        let mut events = vec![];
        if self.retired || self.spec.as_ref() != Some(&spec) {
            events.push(BootImageEvent::BootImageDefined { spec });
        }
        let gone = self.files.keys().filter(|name| !files.contains_key(*name));
        events.extend(gone.map(|name| BootImageEvent::BootFileRemoved { name: name.clone() }));
        let (scripts, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, file)| file.kind == FileKind::BootIpxe);
        for (name, file) in others.into_iter().chain(scripts) {
            let same = self.files.get(&name) == Some(&file);
            let put = draft.decide(BootImageCommand::PutFile { name, file })?;
            if !same {
                events.extend(put);
            }
        }
        Ok(events)
    }

    /// Applies an event to the state.
    pub fn evolve(&mut self, event: BootImageEvent) {
        self.revision += 1;
        match event {
            BootImageEvent::BootImageDefined { spec } => {
                self.spec = Some(spec);
                self.retired = false;
            }
            BootImageEvent::BootFilePut { name, file } => drop(self.files.insert(name, file)),
            BootImageEvent::BootFileRemoved { name } => drop(self.files.remove(&name)),
            BootImageEvent::BootImageRetired {} => self.retired = true,
        }
    }
}

aggregate!(BootImage, "boot_image", BootImageCommand, BootImageEvent);
