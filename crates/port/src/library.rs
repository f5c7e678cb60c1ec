//! The library of boot images: the trait [`ImageLibrary`] and its values. The service implements the trait: it downloads in the
//! background, one image at a time. Its callers only start downloads and show their progress.

use crate::{CommandError, Context};
use async_trait::async_trait;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_images::library::Library;
use bootledger_images::merge::Change;
use bootledger_projections::database::cause::Cause;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// A request to add a boot image from the library, or to update one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The recipe that the boot image is made from.
    pub recipe: Name,
    /// The name of the boot image.
    pub image: Name,
    /// The URL of the mirror; `None` uses the recipe's own.
    pub mirror: Option<String>,
    /// Whether to update a boot image that already exists.
    pub update: bool,
    /// Whether an update overwrites changes that were made to the boot image with the recipe's version.
    pub replace: bool,
}

/// The status of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DownloadStatus {
    /// The download waits for other downloads to finish.
    Queued,
    /// The download is running.
    Running,
    /// The service stopped before the download finished. It can be resumed.
    Interrupted,
    /// The boot image was added or updated.
    Done,
    /// The download failed; `message` contains the reason. It can be resumed.
    Failed,
    /// An administrator cancelled the download. It can be resumed.
    Cancelled,
}

impl DownloadStatus {
    /// The status as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the download continues without an operator's action.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    /// Whether the download can be resumed.
    pub fn can_resume(self) -> bool {
        matches!(self, Self::Interrupted | Self::Failed | Self::Cancelled)
    }
}

impl std::str::FromStr for DownloadStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Queued, Self::Running, Self::Interrupted, Self::Done, Self::Failed, Self::Cancelled];
        all.into_iter().find(|status| status.as_str() == text).ok_or_else(|| format!("{text:?} is not the status of a download"))
    }
}

/// The progress of a download.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DownloadProgress {
    /// The current step, as text.
    pub step: Text,
    /// The file that the step processes.
    pub file: Option<Name>,
    /// The number of that file, from 1.
    pub number: usize,
    /// The number of files in total.
    pub count: usize,
    /// The number of bytes of the file that have arrived.
    pub bytes: u64,
    /// The size of the file in bytes, if it is known.
    pub total: Option<u64>,
}

/// The result of a download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum DownloadResult {
    /// The boot image was added or updated.
    Done {
        /// What was not verified, and why.
        warnings: Vec<String>,
        /// What differs from the revision before.
        #[schema(value_type = Vec<Object>)]
        changes: Vec<Change>,
    },
    /// Nothing was added.
    Failed {
        /// The cause, if the database or a disk is the cause.
        cause: Option<Cause>,
        /// The error message.
        detail: String,
    },
    /// The text that was stored before results had codes.
    Text {
        /// The text, one statement on each line.
        text: String,
    },
}

/// A download: a boot image that is being added or updated, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImageDownload {
    /// The ID of the download.
    pub id: Uuid,
    /// The recipe that the boot image is made from.
    pub recipe: Name,
    /// The name of the boot image.
    pub image: Name,
    /// The URL of the mirror, if it is not the recipe's own.
    pub mirror: Option<String>,
    /// Whether the download updates a boot image that already existed.
    pub update: bool,
    /// The actor that requested the download.
    pub actor: String,
    /// The status of the download.
    pub status: DownloadStatus,
    /// The progress of the download.
    pub progress: Option<DownloadProgress>,
    /// The reason for a failure, or the result; one statement on each line. The sentences may change between versions.
    pub message: Option<String>,
    /// The same as a code with its values; null until the download is done or has failed.
    pub result: Option<DownloadResult>,
    /// When the download was requested.
    pub created_at: Timestamp,
    /// When the status or progress last changed.
    pub changed_at: Timestamp,
}

/// The library of boot images, and the downloads of the service.
#[async_trait]
pub trait ImageLibrary: Send + Sync {
    /// The recipes of the library.
    fn library(&self) -> Arc<Library>;

    /// Requests that an image is added or updated in the background. Returns the ID of the download.
    ///
    /// # Errors
    /// Returns [`CommandError::NotFound`] if there is no such recipe, [`CommandError::Refused`] if the recipe, the mirror or
    /// the image does not permit it, [`CommandError::Conflict`] if the image is already being added or the queue is full, and
    /// another error if the database fails.
    async fn want(&self, wanted: Wanted, context: &Context) -> Result<Uuid, CommandError>;

    /// The latest downloads, newest first, at most 100.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    async fn downloads(&self) -> Result<Vec<ImageDownload>, CommandError>;

    /// Finds a download by its ID.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    async fn download(&self, id: Uuid) -> Result<Option<ImageDownload>, CommandError>;

    /// Cancels a download. A download that has ended does not change.
    ///
    /// # Errors
    /// Returns [`CommandError::NotFound`] if there is no such download, or another error if the database fails.
    async fn cancel(&self, id: Uuid) -> Result<(), CommandError>;

    /// Resumes a download that failed, was interrupted or was cancelled, from where it stopped.
    ///
    /// # Errors
    /// Returns [`CommandError::NotFound`] if there is no such download, [`CommandError::Conflict`] if it is done or another one
    /// of the same image is in progress, and another error if the database fails.
    async fn resume(&self, id: Uuid, context: &Context) -> Result<(), CommandError>;
}
