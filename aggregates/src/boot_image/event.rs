//! The events of a boot image. Their JSON is stored permanently.

use super::file::BootFile;
use super::spec::BootImageSpec;
use crate::rules::domain_event;
use crate::values::name::Name;
use serde::{Deserialize, Serialize};

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

domain_event!(BootImageEvent { BootImageDefined, BootFilePut, BootFileRemoved, BootImageRetired });
