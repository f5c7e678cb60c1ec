//! The state of a boot image, and what the image lacks before a server can boot it.

use super::file::{BootFile, FileKind, NetworkNeeds};
use super::spec::BootImageSpec;
use crate::values::boot_chain::BootChain;
use crate::values::name::Name;
use crate::values::setting::{SettingName, SettingSpec};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

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
            0 => Some("it has no file of kind boot_ipxe, the script that /pxe/ serves; add one".to_owned()),
            1 => self.too_many_grub().or_else(|| self.needed().next()),
            n => Some(format!("it has {n} files of kind boot_ipxe, and /pxe/ can serve only one")),
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
        (count > 1).then(|| format!("it has {count} files of kind grub, and a signed GRUB can load only one"))
    }

    /// What the image lacks for this boot chain beyond [`BootImage::incomplete`], as a sentence.
    pub fn lacks(&self, chain: BootChain) -> Option<String> {
        let lacks = chain == BootChain::Signed && self.file_of_kind(FileKind::Grub).is_none();
        lacks.then(|| {
            "it has no file of kind grub, the configuration that a signed GRUB gets instead of the iPXE script; add one"
                .to_owned()
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
}
