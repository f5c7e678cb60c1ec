//! A boot image: the files that install a system on a server. The key is the image's name; every change creates a new revision.
//!
//! `(none) ─DefineBootImage─► defined ─PutFile / RemoveFile─► … ─RetireBootImage─► retired`
//!
//! Events hold the hashes of files, never their content: templates may hold secrets.

pub mod recipe;
#[cfg(test)]
mod tests;

use crate::deployment::installer::LOCAL_DISK;
use crate::network::NetworkSpec;
use crate::rules::{BrokenRule, Refused, aggregate, domain_event};
use crate::settings::{self, SecretProblems};
use crate::values::boot_chain::BootChain;
use crate::values::name::Name;
use crate::values::setting::{SettingName, SettingSpec, SettingType, SettingValue};
use crate::values::sha256::Sha256;
use crate::values::text::Text;
use recipe::RecipeOrigin;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use utoipa::ToSchema;

/// The purpose of a file. `/pxe/_{kind}` serves the image's first file of a kind, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// The kernel that the boot script loads.
    Kernel,
    /// The initial RAM disk.
    Initrd,
    /// The iPXE script that `/pxe/` serves.
    BootIpxe,
    /// The installer's answer file: kickstart, preseed or similar.
    Kickstart,
    /// Any other file.
    Other,
    /// The GRUB configuration that servers on the signed boot chain get instead of the iPXE script.
    Grub,
}

impl FileKind {
    /// All file kinds.
    pub const ALL: [Self; 6] = [Self::Kernel, Self::Initrd, Self::BootIpxe, Self::Kickstart, Self::Other, Self::Grub];

    /// Whether a boot loader runs this file. A server gets such a file by its address alone, and learns its token from it.
    pub fn is_script(self) -> bool {
        matches!(self, Self::BootIpxe | Self::Grub)
    }

    /// The kind as it is written in URLs and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Initrd => "initrd",
            Self::BootIpxe => "boot_ipxe",
            Self::Kickstart => "kickstart",
            Self::Other => "other",
            Self::Grub => "grub",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for FileKind {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            crate::values::ParseError::new(format!("{text:?} is not one of kernel, initrd, boot_ipxe, kickstart, other, grub"))
        })
    }
}

/// A file of an image: the hash of its content, and whether it is rendered before it is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BootFile {
    /// What the file is for.
    pub kind: FileKind,
    /// The SHA-256 of the content, which is its name in the file store.
    pub sha256: Sha256,
    /// The content's length in bytes.
    pub size: u64,
    /// Whether the content is a template that is rendered for each server.
    pub template: bool,
    /// The settings that the template uses, found when the template was checked.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub settings: BTreeSet<SettingName>,
    /// The other files and network values that the template needs, found when the template was checked.
    #[serde(default, skip_serializing_if = "Needs::is_empty")]
    pub needs: Needs,
}

/// What a template needs from its image and from the server's network: without it, a part of the rendered file would be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// A file of each of these kinds: the template uses `kernel_url`, `initrd_url` or `kickstart_url` without checking that the
    /// file exists.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<FileKind>,
    /// Files with these names: the template writes them after `files_url`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub files: BTreeSet<Name>,
    /// These values of the server's network: the template uses them without a condition for networks that lack them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub network: BTreeSet<NetworkValue>,
    /// The settings that a boot script writes without quotes, each with the character sequences that would change the script. A
    /// sequence with spaces around it matches only as a separate word; one with a line feed matches only at the beginning or
    /// the end of the value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unquoted: BTreeMap<SettingName, BTreeSet<String>>,
}

impl Needs {
    /// Whether the template needs nothing beyond the server itself.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.files.is_empty() && self.network.is_empty() && self.unquoted.is_empty()
    }
}

/// A value that a network may lack. Its name is that of the template variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkValue {
    /// The address of the router.
    Gateway,
    /// The addresses of the DNS resolvers.
    DnsServers,
}

impl NetworkValue {
    /// The name of the template variable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::DnsServers => "dns_servers",
        }
    }

    /// Whether the network lacks this value.
    fn is_absent(self, network: &NetworkSpec) -> bool {
        match self {
            Self::Gateway => network.gateway.is_none(),
            Self::DnsServers => network.dns_servers.is_empty(),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::DnsServers => "DNS servers",
        }
    }
}

/// The network values that the templates of an image need, each with the template's name.
pub type NetworkNeeds = Vec<(NetworkValue, Name)>;

/// Returns why a server in this network cannot boot an image whose templates have these needs, as a sentence; `None` if it can.
pub fn absent_from_network(needs: &NetworkNeeds, name: &Name, network: &NetworkSpec) -> Option<String> {
    let (value, template) = needs.iter().find(|(value, _)| value.is_absent(network))?;
    let (words, variable) = (value.words(), value.as_str());
    Some(format!(
        "its template {template} uses {variable}, and the network {name} has no {words}: set it in the network, or write \
         {{% if {variable} %}} … {{% endif %}} around what needs it, or {{{{ {variable} or '' }}}} where an empty value is right"
    ))
}

/// Who marks the deployments of an image done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The server, by requesting its DONE URL when it is installed.
    #[default]
    Server,
    /// Puppet: the server's DONE ends the installation only, and the first successful Puppet run after it ends the deployment.
    Puppet,
}

impl EndedBy {
    /// The value as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Puppet => "puppet",
        }
    }

    /// Whether this is the default, which events omit.
    pub fn is_server(&self) -> bool {
        *self == Self::Server
    }
}

impl std::str::FromStr for EndedBy {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Server, Self::Puppet].into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| crate::values::ParseError::new(format!("{text:?} is not one of server, puppet")))
    }
}

/// The description of an image, without its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BootImageSpec {
    /// A description for operators.
    #[serde(default)]
    pub description: Text,
    /// The number of minutes after which an open deployment is overdue.
    #[serde(default = "usual_open_minutes")]
    pub open_minutes: u32,
    /// The number of minutes after which a deployment in progress is overdue.
    #[serde(default = "usual_in_progress_minutes")]
    pub in_progress_minutes: u32,
    /// Who marks deployments done: `server` (the default) or `puppet`.
    #[serde(default, skip_serializing_if = "EndedBy::is_server")]
    pub done_by: EndedBy,
    /// How often a server whose deployment is in progress boots from the network.
    #[serde(default, skip_serializing_if = "NetworkBoot::is_until_done")]
    pub network_boot: NetworkBoot,
    /// The settings that the image's templates use, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<SettingName, SettingSpec>,
    /// The library recipe that the image was made from. Only the commands that add and update images from the library set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Box<RecipeOrigin>>,
}

/// How often a server whose deployment is in progress boots from the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkBoot {
    /// Until the deployment is done: a server that restarts before that is installed again.
    #[default]
    UntilDone,
    /// Until it has fetched its answer file, or its kernel if the image has no answer file. Further network boots start its
    /// disk: for installers that restart the server before they finish.
    Once,
}

impl NetworkBoot {
    /// The value as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UntilDone => "until_done",
            Self::Once => "once",
        }
    }

    /// Whether this is the default, which events omit.
    pub fn is_until_done(&self) -> bool {
        *self == Self::UntilDone
    }
}

impl std::str::FromStr for NetworkBoot {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::UntilDone, Self::Once].into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| crate::values::ParseError::new(format!("{text:?} is not one of until_done, once")))
    }
}

/// File names that have another meaning under `/pxe/`, or in the record of served files.
const TAKEN_NAMES: [&str; 5] = ["done", "t", "progress", "log", LOCAL_DISK];

/// The longest time limit: one year.
const LONGEST_LIMIT_MINUTES: u32 = 365 * 24 * 60;

fn usual_open_minutes() -> u32 {
    30
}

fn usual_in_progress_minutes() -> u32 {
    120
}

/// A command on a boot image.
#[derive(Clone, Debug)]
pub enum BootImageCommand {
    /// Creates the image, or changes its description and limits.
    DefineBootImage {
        /// The new description.
        spec: BootImageSpec,
        /// Problems with the secrets that the defaults of its settings name.
        secret_problems: SecretProblems,
    },
    /// Adds or replaces a file. Its content is already stored and, if it is a template, checked.
    PutFile {
        /// The file's name, as in `/pxe/{name}`.
        name: Name,
        /// The content's hash and size, and the file's purpose.
        file: BootFile,
    },
    /// Removes a file.
    RemoveFile {
        /// The file's name.
        name: Name,
    },
    /// Replaces the image's description and all its files in one step. The file contents are already stored and checked.
    ReplaceBootImage {
        /// The new description, including its recipe.
        spec: BootImageSpec,
        /// All files; the image keeps no others.
        files: BTreeMap<Name, BootFile>,
        /// The image revision that the caller read; 0 for an image that does not exist. The command is refused if it has
        /// changed.
        revision: u32,
        /// Problems with the secrets that the defaults of its settings name.
        secret_problems: SecretProblems,
    },
    /// Retires the image: no new deployment may use it, and live deployments continue.
    RetireBootImage,
}

/// An event of a boot image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum BootImageEvent {
    /// The description was set; the files are unchanged.
    BootImageDefined {
        /// The new description.
        spec: BootImageSpec,
    },
    /// A file was added or replaced.
    BootFilePut {
        /// The file's name.
        name: Name,
        /// The content's hash and size, and the file's purpose.
        file: BootFile,
    },
    /// A file was removed.
    BootFileRemoved {
        /// The file's name.
        name: Name,
    },
    /// The image was retired.
    BootImageRetired {},
}

/// The state of a boot image, built from its events; the catalogue shows it in this form too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BootImage {
    /// The description; `None` before the first definition.
    pub spec: Option<BootImageSpec>,
    /// The revision: the number of changes so far.
    pub revision: u32,
    /// The files by name.
    pub files: BTreeMap<Name, BootFile>,
    /// Whether it is retired.
    pub retired: bool,
}

impl BootImage {
    /// What the image lacks before a server can boot it, as a sentence; `None` if it is complete.
    pub fn incomplete(&self) -> Option<String> {
        let scripts = self.files.values().filter(|file| file.kind == FileKind::BootIpxe).count();
        match scripts {
            0 => Some("it has no file of kind boot_ipxe, the script that /pxe/ serves".to_owned()),
            1 => self.too_many_grub().or_else(|| self.needed().next()),
            n => Some(format!("it has {n} files of kind boot_ipxe where /pxe/ can serve only one")),
        }
    }

    /// The files that templates need and that the image lacks, as sentences.
    fn needed(&self) -> impl Iterator<Item = String> {
        self.files.iter().filter(|(_, file)| file.template).flat_map(|(template, file)| {
            let kinds = file.needs.kinds.iter().filter(|kind| self.file_of_kind(**kind).is_none()).map(move |kind| {
                format!(
                    "its template {template} uses {kind}_url, and it has no file of kind {kind}: upload one, or write \
                     {{% if {kind}_url %}} … {{% endif %}} around what needs it"
                )
            });
            let files = file.needs.files.iter().filter(|name| !self.files.contains_key(*name)).map(move |name| {
                format!(
                    "its template {template} names the file {name}, which it does not have: upload it, or change the template"
                )
            });
            kinds.chain(files)
        })
    }

    /// What the image's templates need from the network of a server.
    pub fn network_needs(&self) -> NetworkNeeds {
        let templates = self.files.iter().filter(|(_, file)| file.template);
        templates.flat_map(|(name, file)| file.needs.network.iter().map(|value| (*value, name.clone()))).collect()
    }

    fn too_many_grub(&self) -> Option<String> {
        let count = self.files.values().filter(|file| file.kind == FileKind::Grub).count();
        (count > 1).then(|| format!("it has {count} files of kind grub where a signed GRUB can be served only one"))
    }

    /// What the image lacks for this boot chain beyond [`BootImage::incomplete`], as a sentence.
    pub fn lacks(&self, chain: BootChain) -> Option<String> {
        let lacks = chain == BootChain::Signed && self.file_of_kind(FileKind::Grub).is_none();
        lacks.then(|| {
            "it has no file of kind grub, the configuration that a signed GRUB gets instead of the iPXE script".to_owned()
        })
    }

    /// The first file of a kind, by name.
    pub fn file_of_kind(&self, kind: FileKind) -> Option<(&Name, &BootFile)> {
        self.files.iter().find(|(_, file)| file.kind == kind)
    }

    /// The settings that the image declares, by name.
    pub fn declared(&self) -> &BTreeMap<SettingName, SettingSpec> {
        static NONE: BTreeMap<SettingName, SettingSpec> = BTreeMap::new();
        self.spec.as_ref().map_or(&NONE, |spec| &spec.settings)
    }

    /// The settings that the image's files use.
    pub fn used_settings(&self) -> BTreeSet<&SettingName> {
        self.files.values().flat_map(|file| &file.settings).collect()
    }

    /// Adds to `spec` the current declarations that it omits and that templates still use. A caller that replaces both the
    /// description and the templates saves this first, then the templates, then the new description.
    #[must_use]
    pub fn keeping_used(&self, mut spec: BootImageSpec) -> BootImageSpec {
        for name in self.used_settings() {
            if let (false, Some(old)) = (spec.settings.contains_key(name), self.declared().get(name)) {
                spec.settings.insert(name.clone(), old.clone());
            }
        }
        spec
    }

    /// The problems with new declarations, on their own and with the image's current templates.
    fn declarations(&self, declared: &BTreeMap<SettingName, SettingSpec>, secret_problems: &SecretProblems) -> Vec<BrokenRule> {
        let mut broken: Vec<BrokenRule> = settings::too_many(declared.len()).into_iter().collect();
        for (name, spec) in declared {
            let field = settings::field(name);
            if let Some(problem) = spec.problem().or_else(|| settings::chain_problem(name, spec.default.as_ref())) {
                broken.push(BrokenRule::new(&field, "setting_invalid", format!("the setting {name} {problem}")));
            }
            let secret = spec.default.as_ref().and_then(SettingValue::secret);
            broken.extend(
                secret
                    .and_then(|secret| secret_problems.get(secret))
                    .map(|problem| BrokenRule::new(&field, "secret_missing", problem)),
            );
        }
        for (name, old) in self.declared() {
            let Some((file, _)) = self.files.iter().find(|(_, file)| file.settings.contains(name)) else { continue };
            let message = match declared.get(name) {
                None => format!("the template {file} uses the setting {name}; change the template before you remove the setting"),
                Some(new) if new.kind != old.kind => format!(
                    "the template {file} uses the setting {name} as a {}; change the template before you make it a {}",
                    old.kind.as_str(),
                    new.kind.as_str()
                ),
                Some(_) => continue,
            };
            broken.push(BrokenRule::new(&settings::field(name), "setting_in_use", message));
        }
        broken
    }

    /// The problems with the settings that a file uses.
    fn settings_of(&self, name: &Name, file: &BootFile) -> Vec<BrokenRule> {
        let broken = file.settings.iter().filter_map(|setting| match self.declared().get(setting) {
            None => {
                let message = format!("the boot image declares no setting {setting}; add it to the image's settings first");
                Some(BrokenRule::new("", "setting_undeclared", message))
            }
            Some(spec) if spec.kind == SettingType::Secret && file.kind.is_script() => {
                let message = format!(
                    "{name} is the script that every server at the deployment's address is served; it cannot use the secret {setting}"
                );
                Some(BrokenRule::new("kind", "secret_in_script", message))
            }
            Some(_) => None,
        });
        broken.collect()
    }

    /// Returns the events that the command produces, or the reasons for refusing it.
    pub fn decide(&self, command: BootImageCommand) -> Result<Vec<BootImageEvent>, Refused> {
        match self.with_recipe(command)? {
            BootImageCommand::ReplaceBootImage { spec, files, revision, secret_problems } => {
                self.replace(spec, files, revision, secret_problems)
            }
            BootImageCommand::DefineBootImage { spec, secret_problems } => {
                let limits = [("open_minutes", spec.open_minutes), ("in_progress_minutes", spec.in_progress_minutes)];
                let broken = limits.iter().filter_map(|(field, minutes)| match minutes {
                    0 => Some(BrokenRule::new(field, "limit_zero", "a time limit is at least one minute")),
                    1..=LONGEST_LIMIT_MINUTES => None,
                    _ => Some(BrokenRule::new(field, "limit_too_long", "a time limit is at most a year, 525600 minutes")),
                });
                let mut broken: Vec<BrokenRule> = broken.collect();
                broken.extend(self.declarations(&spec.settings, &secret_problems));
                Refused::unless_empty(broken)?;
                let same = !self.retired && self.spec.as_ref() == Some(&spec);
                Ok(if same { vec![] } else { vec![BootImageEvent::BootImageDefined { spec }] })
            }
            BootImageCommand::RetireBootImage if self.spec.is_none() || self.retired => Ok(vec![]),
            BootImageCommand::RetireBootImage => Ok(vec![BootImageEvent::BootImageRetired {}]),
            _ if self.spec.is_none() => {
                Err(Refused::because("", "boot_image_unknown", "there is no such boot image; define it first"))
            }
            _ if self.retired => {
                Err(Refused::because("", "boot_image_retired", "the boot image is retired; define it again to use it"))
            }
            BootImageCommand::PutFile { name, file } => {
                if name.as_str().starts_with('_') || TAKEN_NAMES.contains(&name.as_str()) {
                    return Err(Refused::because(
                        "name",
                        "file_name_taken",
                        format!("{name} means something else under /pxe/; choose another name"),
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
            let message = "only adding and updating from the library set the recipe; leave it out";
            return Err(Refused::because("recipe", "recipe_set_by_library", message));
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
            let message = "the boot image changed since this was worked out; look at it again and repeat the command";
            return Err(Refused::because("", "boot_image_changed", message));
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
domain_event!(BootImageEvent { BootImageDefined, BootFilePut, BootFileRemoved, BootImageRetired });
