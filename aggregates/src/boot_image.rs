//! A boot image: the files that install a system. The key is its name; every change is a new revision.
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

/// What a file is for. `/pxe/_{kind}` serves the image's first file of a kind, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// The kernel.
    Kernel,
    /// The initial file system.
    Initrd,
    /// The iPXE script that `/pxe/` serves.
    BootIpxe,
    /// The answers for the installer.
    Kickstart,
    /// Anything else.
    Other,
    /// The configuration that a signed GRUB gets instead of the iPXE script.
    Grub,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Kernel, Self::Initrd, Self::BootIpxe, Self::Kickstart, Self::Other, Self::Grub];

    /// Whether a boot loader runs it: a server gets it by its address alone, and learns its token from it.
    pub fn is_script(self) -> bool {
        matches!(self, Self::BootIpxe | Self::Grub)
    }

    /// As in URLs and JSON.
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

/// A file of an image: where its content is found, and whether it is rendered before it is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BootFile {
    /// What it is for.
    pub kind: FileKind,
    /// The content's name in the store of files.
    pub sha256: Sha256,
    /// The content's length in bytes.
    pub size: u64,
    /// Whether the content is a template, rendered for each server.
    pub template: bool,
    /// The settings that the template uses, found when it was checked.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub settings: BTreeSet<SettingName>,
    /// The other files that the template needs, found when it was checked.
    #[serde(default, skip_serializing_if = "Needs::is_empty")]
    pub needs: Needs,
}

/// What a template needs of its image and of the server's network: without it, a part of what it makes would be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// A file of each of these kinds: the template uses `kernel_url`, `initrd_url` or `kickstart_url` without asking whether
    /// there is one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<FileKind>,
    /// The files of these names: the template writes them after `files_url`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub files: BTreeSet<Name>,
    /// These values of the server's network: the template uses them without a condition for networks that have none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub network: BTreeSet<NetworkValue>,
    /// The settings that a boot script writes without quotes, each with the signs that would change the script. A sign with blanks around
    /// it is a word of its own, one with a line feed is the beginning or the end of the value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unquoted: BTreeMap<SettingName, BTreeSet<String>>,
}

impl Needs {
    /// Whether the template needs nothing else.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.files.is_empty() && self.network.is_empty() && self.unquoted.is_empty()
    }
}

/// A value that a network may lack. Its name is that of the variable in templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkValue {
    /// The router.
    Gateway,
    /// The resolvers.
    DnsServers,
}

impl NetworkValue {
    /// The variable's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::DnsServers => "dns_servers",
        }
    }

    /// Whether a network has none.
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

/// The values of networks that the templates of an image need, each with the template.
pub type NetworkNeeds = Vec<(NetworkValue, Name)>;

/// Why a server of this network cannot boot an image whose templates have these needs, as a sentence.
pub fn absent_from_network(needs: &NetworkNeeds, name: &Name, network: &NetworkSpec) -> Option<String> {
    let (value, template) = needs.iter().find(|(value, _)| value.is_absent(network))?;
    let (words, variable) = (value.words(), value.as_str());
    Some(format!(
        "its template {template} uses {variable}, and the network {name} has no {words}: set it in the network, or write \
         {{% if {variable} %}} … {{% endif %}} around what needs it, or {{{{ {variable} or '' }}}} where an empty value is right"
    ))
}

/// Whose word ends the deployments of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The server's own, which says DONE when it is installed.
    #[default]
    Server,
    /// Puppet's: the server's DONE ends its installation, and its first successful Puppet run after that the deployment.
    Puppet,
}

impl EndedBy {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Puppet => "puppet",
        }
    }

    /// Whether it is the usual one, which events do not name.
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

/// What an image is, without its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BootImageSpec {
    /// For people.
    #[serde(default)]
    pub description: Text,
    /// After how many minutes an open deployment is overdue.
    #[serde(default = "usual_open_minutes")]
    pub open_minutes: u32,
    /// After how many minutes a deployment in progress is overdue.
    #[serde(default = "usual_in_progress_minutes")]
    pub in_progress_minutes: u32,
    /// Whose word ends its deployments; the server's, where it is left out.
    #[serde(default, skip_serializing_if = "EndedBy::is_server")]
    pub done_by: EndedBy,
    /// How often a server of a deployment in progress boots from the network.
    #[serde(default, skip_serializing_if = "NetworkBoot::is_until_done")]
    pub network_boot: NetworkBoot,
    /// The settings that its templates use, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<SettingName, SettingSpec>,
    /// The recipe of the library that it was made from; only adding and updating from the library set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Box<RecipeOrigin>>,
}

/// How often a server of a deployment in progress boots from the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkBoot {
    /// Until the deployment is done: a server that restarts before that is installed again.
    #[default]
    UntilDone,
    /// Until it has fetched its answers file, or its kernel where the image has no answers file. A further network boot then
    /// starts its disk: for installers that restart the server before they are done.
    Once,
}

impl NetworkBoot {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UntilDone => "until_done",
            Self::Once => "once",
        }
    }

    /// Whether it is the default, which events leave out.
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

/// Names of files that mean something else under `/pxe/`, or in what was served.
const TAKEN_NAMES: [&str; 5] = ["done", "t", "progress", "log", LOCAL_DISK];

/// A year.
const LONGEST_LIMIT_MINUTES: u32 = 365 * 24 * 60;

fn usual_open_minutes() -> u32 {
    30
}

fn usual_in_progress_minutes() -> u32 {
    120
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum BootImageCommand {
    /// Creates or changes the image's description and limits.
    DefineBootImage {
        /// What it shall be.
        spec: BootImageSpec,
        /// What is wrong with the secrets that its defaults name.
        secret_problems: SecretProblems,
    },
    /// Adds or replaces a file; its content is already stored and, if a template, checked.
    PutFile {
        /// The file's name, as in `/pxe/{name}`.
        name: Name,
        /// The file.
        file: BootFile,
    },
    /// Removes a file.
    RemoveFile {
        /// The file's name.
        name: Name,
    },
    /// Makes the image this, with these files and no others, in one step. The contents are already stored and checked.
    ReplaceBootImage {
        /// All but its files, with its recipe.
        spec: BootImageSpec,
        /// All its files.
        files: BTreeMap<Name, BootFile>,
        /// The revision that this was worked out from; 0 for an image that does not exist.
        revision: u32,
        /// What is wrong with the secrets that its defaults name.
        secret_problems: SecretProblems,
    },
    /// No deployment may start with the image any more; live ones go on.
    RetireBootImage,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum BootImageEvent {
    /// The image is now this, its files unchanged.
    BootImageDefined {
        /// All but its files.
        spec: BootImageSpec,
    },
    /// The file is now this.
    BootFilePut {
        /// The file's name.
        name: Name,
        /// The file.
        file: BootFile,
    },
    /// The file is gone.
    BootFileRemoved {
        /// The file's name.
        name: Name,
    },
    /// The image is retired.
    BootImageRetired {},
}

/// The image as its events made it; also the shape that the catalogue shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BootImage {
    /// Description and limits; `None` before the first definition.
    pub spec: Option<BootImageSpec>,
    /// How many changes it has had.
    pub revision: u32,
    /// The files by name.
    pub files: BTreeMap<Name, BootFile>,
    /// Whether it is retired.
    pub retired: bool,
}

impl BootImage {
    /// What is missing before a server can boot it, as a sentence.
    pub fn incomplete(&self) -> Option<String> {
        let scripts = self.files.values().filter(|file| file.kind == FileKind::BootIpxe).count();
        match scripts {
            0 => Some("it has no file of kind boot_ipxe, the script that /pxe/ serves".to_owned()),
            1 => self.too_many_grub().or_else(|| self.needed().next()),
            n => Some(format!("it has {n} files of kind boot_ipxe where /pxe/ can serve only one")),
        }
    }

    /// The files that templates need and that it does not have, as sentences.
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

    /// What its templates need of the network of a server.
    pub fn network_needs(&self) -> NetworkNeeds {
        let templates = self.files.iter().filter(|(_, file)| file.template);
        templates.flat_map(|(name, file)| file.needs.network.iter().map(|value| (*value, name.clone()))).collect()
    }

    fn too_many_grub(&self) -> Option<String> {
        let count = self.files.values().filter(|file| file.kind == FileKind::Grub).count();
        (count > 1).then(|| format!("it has {count} files of kind grub where a signed GRUB can be served only one"))
    }

    /// What a server of this boot chain lacks in it beyond [`BootImage::incomplete`], as a sentence.
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

    /// The settings that it declares, by name.
    pub fn declared(&self) -> &BTreeMap<SettingName, SettingSpec> {
        static NONE: BTreeMap<SettingName, SettingSpec> = BTreeMap::new();
        self.spec.as_ref().map_or(&NONE, |spec| &spec.settings)
    }

    /// The settings that its files use.
    pub fn used_settings(&self) -> BTreeSet<&SettingName> {
        self.files.values().flat_map(|file| &file.settings).collect()
    }

    /// A new description with the present declarations that it leaves out and that templates still use. For a caller that replaces
    /// both: this comes before the templates, the new description after them.
    #[must_use]
    pub fn keeping_used(&self, mut spec: BootImageSpec) -> BootImageSpec {
        for name in self.used_settings() {
            if let (false, Some(old)) = (spec.settings.contains_key(name), self.declared().get(name)) {
                spec.settings.insert(name.clone(), old.clone());
            }
        }
        spec
    }

    /// What is wrong with new declarations, alone and with the templates that there are.
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

    /// What is wrong with the settings that a file uses.
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

    /// What the command leads to.
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

    /// A definition keeps the image's recipe, which it need not repeat and cannot change.
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

    /// Everything that differs, in an order in which the script comes last: until then, a new image is incomplete.
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
        // The same rules as for single changes, on an image that is this already and has no files of before.
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

    /// Takes an event in.
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
