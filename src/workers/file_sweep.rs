//! Removes the incomplete uploads of instances that have ended, at the start and at intervals.

use super::{BackgroundWork, Next};
use crate::files::{sweep_folder, sweep_objects};
use anyhow::Result;
use object_store::ObjectStore;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tracing::info;

/// The worker that removes incomplete uploads.
pub struct FileSweep {
    folder: Option<PathBuf>,
    store: Arc<dyn ObjectStore>,
}

impl FileSweep {
    /// Creates a worker for this store; `folder` is its folder if it is a local one.
    pub fn new(folder: Option<PathBuf>, store: Arc<dyn ObjectStore>) -> Self {
        Self { folder, store }
    }
}

impl BackgroundWork for FileSweep {
    const NAME: &'static str = "file_sweep";
    const PERIOD: Duration = Duration::from_mins(10);

    async fn pass(&mut self) -> Result<Next> {
        let count = match self.folder.clone() {
            Some(folder) => tokio::task::spawn_blocking(move || sweep_folder(&folder)).await??,
            None => sweep_objects(&*self.store).await?,
        };
        if count > 0 {
            info!(count, "removed incomplete uploads");
        }
        Ok(Next::Later)
    }
}
