//! The commands of a boot image.

use super::file::BootFile;
use super::spec::BootImageSpec;
use crate::settings::SecretProblems;
use crate::values::name::Name;
use std::collections::BTreeMap;

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
