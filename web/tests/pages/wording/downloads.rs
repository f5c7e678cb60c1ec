//! The library of boot images as the service has it, with a download in each status.

use async_trait::async_trait;
use bootledger_images::library::Library;
use bootledger_port::library::{DownloadProgress, DownloadStatus, ImageDownload, ImageLibrary, Wanted};
use bootledger_port::{CommandError, Context};
use std::sync::Arc;
use uuid::Uuid;

/// The downloads of a test's site, which never change.
#[derive(Default)]
pub(super) struct Downloads(Vec<ImageDownload>);

impl Downloads {
    /// A download in each status.
    pub(super) fn in_each_status() -> Self {
        use DownloadStatus::{Cancelled, Done, Failed, Interrupted, Queued, Running};
        Self([Queued, Running, Interrupted, Done, Failed, Cancelled].into_iter().zip(1..).map(download).collect())
    }

    /// The status and ID of each download.
    pub(super) fn ids(&self) -> Vec<(&'static str, Uuid)> {
        self.0.iter().map(|download| (download.status.as_str(), download.id)).collect()
    }
}

fn download((status, number): (DownloadStatus, u128)) -> ImageDownload {
    let progress = DownloadProgress {
        step: "Downloading".parse().expect("a text"),
        file: Some("linux".parse().expect("a name")),
        number: 1,
        count: 2,
        bytes: 512,
        total: Some(2048),
    };
    ImageDownload {
        id: Uuid::from_u128(number),
        recipe: "debian-12".parse().expect("a name"),
        image: "bookworm".parse().expect("a name"),
        mirror: None,
        update: status == DownloadStatus::Done,
        actor: "user ada".to_owned(),
        status,
        progress: (status == DownloadStatus::Running).then_some(progress),
        message: matches!(status, DownloadStatus::Failed | DownloadStatus::Done)
            .then(|| "the message of the download".to_owned()),
        result: None,
        created_at: super::clock(),
        changed_at: super::clock(),
    }
}

fn unchanged<T>() -> Result<T, CommandError> {
    Err(CommandError::NotFound("the downloads of this test do not change".to_owned()))
}

#[async_trait]
impl ImageLibrary for Downloads {
    fn library(&self) -> Arc<Library> {
        Library::embedded().expect("the recipes")
    }

    async fn want(&self, _: Wanted, _: &Context) -> Result<Uuid, CommandError> {
        unchanged()
    }

    async fn downloads(&self) -> Result<Vec<ImageDownload>, CommandError> {
        Ok(self.0.clone())
    }

    async fn download(&self, id: Uuid) -> Result<Option<ImageDownload>, CommandError> {
        Ok(self.0.iter().find(|download| download.id == id).cloned())
    }

    async fn cancel(&self, _: Uuid) -> Result<(), CommandError> {
        unchanged()
    }

    async fn resume(&self, _: Uuid, _: &Context) -> Result<(), CommandError> {
        unchanged()
    }
}
