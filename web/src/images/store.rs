//! The store of boot files' contents, named by their SHA-256.
//!
//! A content is written under a temporary name and hashed on the way. It gets its own name only when it is complete and
//! durable, so a name always refers to a complete content. A content is never changed, and all files with the same content
//! share it. This module does not depend on images, file names or HTTP, and every path consists only of a hash or a UUID.

use bootledger_aggregates::values::sha256::Sha256;
use bootledger_projections::database::cause::Cause;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::Digest;
use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

/// How many parts of 5 MiB an upload may be writing at the same time: enough to hash while writing.
const PARTS_AT_ONCE: usize = 2;

/// The prefix of the name of an incomplete content. The instance that writes it follows, and a hyphen.
pub const INCOMING: &str = "incoming-";

static INSTANCE: LazyLock<String> = LazyLock::new(|| Uuid::now_v7().simple().to_string());

/// The ID of this process among those that write to a store.
pub fn instance() -> &'static str {
    &INSTANCE
}

/// A content that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The SHA-256 of the content, which is its name.
    pub sha256: Sha256,
    /// The size of the content in bytes.
    pub size: u64,
}

/// Why a content is not stored or not read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// More bytes arrived than allowed; nothing is kept.
    #[error("the content is larger than {limit} bytes")]
    TooLarge {
        /// The maximum size in bytes.
        limit: u64,
    },
    /// The sender stopped before the end; nothing is kept.
    #[error("the content is incomplete")]
    Aborted(#[source] anyhow::Error),
    /// The content does not match the announced hash; nothing is kept.
    #[error("the SHA-256 of the content is {actual}, not {announced} as announced")]
    Mismatch {
        /// The announced hash.
        announced: Sha256,
        /// The hash of the bytes that arrived.
        actual: Sha256,
    },
    /// The store lacks a content that a file refers to.
    #[error("the store has no content {0}")]
    Missing(Sha256),
    /// The store failed.
    #[error("the store of boot files failed")]
    Failed(#[source] object_store::Error),
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        Self::Failed(error)
    }
}

impl StoreError {
    /// The cause of the failure, if it is the store's disk.
    pub fn cause(&self) -> Option<Cause> {
        Cause::in_error(self)
    }
}

/// The contents in an object store.
#[derive(Clone, Debug)]
pub struct Contents(Arc<dyn ObjectStore>);

impl Contents {
    /// Uses this store for contents.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self(store)
    }

    /// Stores the bytes of a stream, up to `limit` bytes. Stores nothing if the stream fails or its content does not match
    /// the announced hash.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn store<E: Into<anyhow::Error>>(
        &self,
        content: impl Stream<Item = Result<Bytes, E>>,
        limit: u64,
        announced: Option<Sha256>,
    ) -> Result<Stored, StoreError> {
        // Not in a folder of its own: a folder store removes empty folders, and another upload may be about to use it.
        let temporary = Path::from(format!("{INCOMING}{}-{}", instance(), Uuid::now_v7().simple()));
        let mut upload = Upload(Some(WriteMultipart::new(self.0.put_multipart(&temporary).await?)));
        let mut hash = sha2::Sha256::new();
        let mut size = 0;
        let mut content = pin!(content);
        while let Some(bytes) = content.next().await {
            let bytes = bytes.map_err(|error| StoreError::Aborted(error.into()))?;
            size += bytes.len() as u64;
            if size > limit {
                return Err(StoreError::TooLarge { limit });
            }
            hash.update(&bytes);
            if let Some(parts) = &mut upload.0 {
                parts.wait_for_capacity(PARTS_AT_ONCE).await?;
                parts.put(bytes);
            }
        }
        let stored = Stored { sha256: Sha256::new(hash.finalize().into()), size };
        if let Some(announced) = announced.filter(|announced| *announced != stored.sha256) {
            return Err(StoreError::Mismatch { announced, actual: stored.sha256 });
        }
        // This continues even if the request is aborted: a temporary content must not be left behind.
        let (store, parts) = (Arc::clone(&self.0), upload.0.take());
        let end = tokio::spawn(async move {
            if let Some(parts) = parts {
                parts.finish().await?;
                name(&*store, &temporary, stored.sha256).await?;
            }
            Ok(stored)
        });
        end.await.unwrap_or_else(|ended| Err(StoreError::Aborted(ended.into())))
    }

    /// Stores a content that is in memory.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn store_bytes(&self, content: Bytes) -> Result<Stored, StoreError> {
        let limit = content.len() as u64;
        self.store(futures::stream::iter([Ok::<_, std::convert::Infallible>(content)]), limit, None).await
    }

    /// The size of a content in bytes.
    ///
    /// # Errors
    /// Returns an error if there is no such content, or the store fails.
    pub async fn size(&self, sha256: Sha256) -> Result<u64, StoreError> {
        match self.0.get_opts(&path(sha256), GetOptions { head: true, ..GetOptions::default() }).await {
            Ok(found) => Ok(found.meta.size),
            Err(object_store::Error::NotFound { .. }) => Err(StoreError::Missing(sha256)),
            Err(error) => Err(error.into()),
        }
    }

    /// A part of a content, from the first byte to the one before the end of the range, as it is read from the store.
    ///
    /// # Errors
    /// Returns an error if there is no such content, or the store fails.
    pub async fn read(
        &self,
        sha256: Sha256,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, object_store::Error>>, StoreError> {
        let options = GetOptions { range: (!range.is_empty()).then_some(GetRange::Bounded(range)), ..GetOptions::default() };
        match self.0.get_opts(&path(sha256), options).await {
            Ok(found) => Ok(found.into_stream()),
            Err(object_store::Error::NotFound { .. }) => Err(StoreError::Missing(sha256)),
            Err(error) => Err(error.into()),
        }
    }

    /// The whole of a content of `size` bytes; for small contents only.
    ///
    /// # Errors
    /// Returns an error if there is no such content, or the store fails.
    pub async fn read_whole(&self, sha256: Sha256, size: u64) -> Result<Bytes, StoreError> {
        let parts: Vec<Bytes> = self.read(sha256, 0..size).await?.try_collect().await?;
        Ok(parts.concat().into())
    }
}

/// The path `sha256/ab/cdef…`: folders by the first two digits stay small.
fn path(sha256: Sha256) -> Path {
    let digits = sha256.to_string();
    Path::from(format!("sha256/{}/{}", &digits[..2], &digits[2..]))
}

/// Gives a complete content its name, or deletes it if the same content is stored already.
async fn name(store: &dyn ObjectStore, temporary: &Path, sha256: Sha256) -> Result<(), object_store::Error> {
    let named = path(sha256);
    match store.head(&named).await {
        Ok(_) => store.delete(temporary).await,
        // If two uploads of one content reach this point at the same time, the second replaces the first with the same bytes.
        Err(object_store::Error::NotFound { .. }) => {
            let renamed = store.rename(temporary, &named).await;
            if renamed.is_err() {
                drop(store.delete(temporary).await);
            }
            renamed
        }
        Err(error) => {
            drop(store.delete(temporary).await);
            Err(error)
        }
    }
}

/// An upload that is aborted unless it is taken out.
struct Upload(Option<WriteMultipart>);

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(parts), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                if let Err(error) = parts.abort().await {
                    tracing::warn!("parts of an aborted upload of a boot file may be left in the store: {error}");
                }
            });
        }
    }
}
