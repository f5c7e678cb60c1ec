//! Where the contents of boot files are: a local folder by default, S3-compatible by setting.

use anyhow::{Context, Result};
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of the store, where it is one.
pub fn folder(setting: Option<&str>, data_directory: &Path) -> Option<PathBuf> {
    match setting {
        Some(setting) if setting.starts_with("s3://") => None,
        Some(setting) => Some(setting.into()),
        None => Some(data_directory.join("files")),
    }
}

/// Opens the store: `s3://bucket/prefix` with the usual AWS variables, a folder, or `files` in the data directory.
pub fn open(setting: Option<&str>, data_directory: &Path) -> Result<Arc<dyn ObjectStore>> {
    if let Some(place) = setting.and_then(|setting| setting.strip_prefix("s3://")) {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let s3 = AmazonS3Builder::from_env().with_bucket_name(bucket).build().context("the S3 settings are wrong")?;
        return Ok(Arc::new(PrefixStore::new(s3, prefix)));
    }
    let folder = folder(setting, data_directory).unwrap_or_default();
    std::fs::create_dir_all(&folder).with_context(|| format!("the folder {} for boot files cannot be made", folder.display()))?;
    let local =
        LocalFileSystem::new_with_prefix(&folder).with_context(|| format!("the folder {} cannot be used", folder.display()))?;
    Ok(Arc::new(local.with_automatic_cleanup(true).with_fsync(true)))
}
