//! What HTTP may ask of the library of boot images. The root package answers: it downloads in the background, one image at a
//! time, and this crate only shows how far that has come.

use crate::commands::{CommandError, Context};
use async_trait::async_trait;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_images::library::Library;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// An image that an administrator wants from the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The recipe.
    pub recipe: Name,
    /// What the image is called.
    pub image: Name,
    /// The mirror, where it is not the recipe's own.
    pub mirror: Option<String>,
    /// Whether the image exists and is updated.
    pub update: bool,
    /// Whether an update takes the recipe's version of what was changed in the image.
    pub replace: bool,
}

/// How a download is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DownloadStatus {
    /// It waits for others.
    Queued,
    /// It is under way.
    Running,
    /// The service stopped before its end; it can be resumed.
    Interrupted,
    /// The image is there.
    Done,
    /// It failed; `message` says why. It can be resumed.
    Failed,
    /// An administrator cancelled it.
    Cancelled,
}

impl DownloadStatus {
    /// As in JSON.
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

    /// Whether it goes on by itself.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    /// Whether it can be resumed.
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

/// How far a download has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DownloadProgress {
    /// What is done, in words.
    pub step: Text,
    /// The file that it is about.
    pub file: Option<Name>,
    /// Which file it is, from 1.
    pub number: usize,
    /// How many files there are.
    pub count: usize,
    /// How many bytes of the file have arrived.
    pub bytes: u64,
    /// How many bytes the file has, if that is known.
    pub total: Option<u64>,
}

/// An image that is being added, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImageDownload {
    /// Its id.
    pub id: Uuid,
    /// The recipe.
    pub recipe: Name,
    /// What the image is called.
    pub image: Name,
    /// The mirror, where it is not the recipe's own.
    pub mirror: Option<String>,
    /// Whether the image existed and is updated.
    pub update: bool,
    /// Who wanted it.
    pub actor: String,
    /// How it is doing.
    pub status: DownloadStatus,
    /// How far it has come.
    pub progress: Option<DownloadProgress>,
    /// Why it failed, or its result, a line each.
    pub message: Option<String>,
    /// When it was wanted.
    pub created_at: Timestamp,
    /// When its status or progress changed last.
    pub changed_at: Timestamp,
}

/// The library, and the downloads of the service.
#[async_trait]
pub trait ImageLibrary: Send + Sync {
    /// The recipes.
    fn library(&self) -> Arc<Library>;

    /// Has an image added or updated in the background; the id of the download.
    async fn want(&self, wanted: Wanted, context: &Context) -> Result<Uuid, CommandError>;

    /// The newest downloads, newest first, at most 100.
    async fn downloads(&self) -> Result<Vec<ImageDownload>, CommandError>;

    /// One download.
    async fn download(&self, id: Uuid) -> Result<Option<ImageDownload>, CommandError>;

    /// Cancels a download; what is over stays as it is.
    async fn cancel(&self, id: Uuid) -> Result<(), CommandError>;

    /// Has a download that failed or was interrupted or cancelled tried again, from where it stopped.
    async fn resume(&self, id: Uuid, context: &Context) -> Result<(), CommandError>;
}
