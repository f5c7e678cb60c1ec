//! An unfinished download on disk: the bytes received so far and, beside them, what identifies their version on the server.

use super::{DownloadError, append};
use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::{fs, io};
use tokio::io::AsyncWriteExt;

/// An unfinished download. While this exists, no other program downloads the same file into the same folder.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    notes: PathBuf,
    file: tokio::fs::File,
    length: u64,
    known: ResumeState,
    /// The lock file, held while this exists.
    _lock: fs::File,
}

/// What is stored beside the bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ResumeState {
    validator: Option<String>,
    total: Option<u64>,
}

impl Partial {
    /// Opens or creates the unfinished download of `url`, which `expected` verifies, in a folder of downloads. A different
    /// published checksum opens a different file, so that a download starts again after the vendor has changed the file.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be written, or if another program is downloading the same file.
    pub async fn open(folder: &Path, url: &str, expected: Option<&Digest>) -> Result<Self, DownloadError> {
        let expected = expected.map(ToString::to_string).unwrap_or_default();
        let key = hex::encode(&sha2::Sha256::digest(format!("{url}\n{expected}"))[..16]);
        let path = folder.join(format!("{key}.part"));
        let notes = folder.join(format!("{key}.json"));
        let disk = |error| DownloadError::Disk(path.clone(), error);
        let lock = fs::OpenOptions::new().create(true).append(true).open(folder.join(format!("{key}.lock"))).map_err(disk)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DownloadError::Busy),
            Err(TryLockError::Error(error)) => return Err(disk(error)),
        }
        let file = tokio::fs::OpenOptions::new().create(true).append(true).read(true).open(&path).await.map_err(disk)?;
        let length = file.metadata().await.map_err(disk)?.len();
        let known = fs::read(&notes).ok().and_then(|notes| serde_json::from_slice::<ResumeState>(&notes).ok());
        let fits = known.as_ref().is_some_and(|known| known.total.is_none_or(|total| length <= total));
        let mut partial = Self { path, notes, file, length, known: known.unwrap_or_default(), _lock: lock };
        if !fits {
            partial.restart().await?;
        }
        Ok(partial)
    }

    /// The path of the received bytes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of bytes received so far.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether no bytes have been received yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The total size in bytes, if the server sent it.
    pub fn total(&self) -> Option<u64> {
        self.known.total
    }

    /// The validator for `If-Range`, which identifies the version of the received bytes.
    pub(super) fn validator(&self) -> Option<&str> {
        self.known.validator.as_deref()
    }

    /// Discards the received bytes.
    pub(super) async fn restart(&mut self) -> Result<(), DownloadError> {
        self.begin(None, None).await
    }

    /// Starts to receive a version of the file from its beginning.
    pub(super) async fn begin(&mut self, validator: Option<String>, total: Option<u64>) -> Result<(), DownloadError> {
        self.known = ResumeState { validator, total };
        self.length = 0;
        let notes = serde_json::to_vec(&self.known).map_err(io::Error::other);
        let written = async {
            self.file.flush().await?;
            self.file.set_len(0).await?;
            tokio::fs::write(&self.notes, notes?).await
        };
        written.await.map_err(|error| DownloadError::Disk(self.path.clone(), error))
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        append(&mut self.file, bytes).await.map_err(|error| DownloadError::Disk(self.path.clone(), error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), DownloadError> {
        self.file.flush().await.map_err(|error| DownloadError::Disk(self.path.clone(), error))
    }

    /// The checksum of the received bytes, of the same kind as `like`.
    pub(super) async fn digest(&self, like: Digest) -> Result<Digest, DownloadError> {
        let path = self.path.clone();
        let digest = tokio::task::spawn_blocking(move || file_digest(&path, like)).await;
        let digest = digest.unwrap_or_else(|error| Err(io::Error::other(error)));
        digest.map_err(|error| DownloadError::Disk(self.path.clone(), error))
    }

    /// Removes the download with its metadata and its lock.
    pub fn remove(self) {
        for path in [self.path.clone(), self.notes.clone(), self.path.with_extension("lock")] {
            drop(fs::remove_file(path));
        }
    }
}

/// The checksum of a file, of the same kind as `like`.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub(crate) fn file_digest(path: &Path, like: Digest) -> io::Result<Digest> {
    let mut file = fs::File::open(path)?;
    Ok(match like {
        Digest::Sha256(_) => Digest::Sha256(hashed::<sha2::Sha256>(&mut file)?.into()),
        Digest::Sha512(_) => Digest::Sha512(hashed::<sha2::Sha512>(&mut file)?.into()),
    })
}

fn hashed<D: sha2::Digest>(file: &mut fs::File) -> io::Result<sha2::digest::Output<D>> {
    let mut hash = D::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match io::Read::read(file, &mut buffer)? {
            0 => return Ok(hash.finalize()),
            length => hash.update(&buffer[..length]),
        }
    }
}
