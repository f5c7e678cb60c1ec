//! What the server needs of the files that it serves. Who may have which file is the implementor's decision.

use bytes::Bytes;
use futures::future::BoxFuture;
use std::io;
use std::net::IpAddr;

/// The files that clients can request.
pub trait Files: Send + Sync {
    /// Opens the file that a client requests by this name, in any form that its firmware writes. The client's address may be
    /// forged.
    fn open<'a>(&'a self, client: IpAddr, name: &'a [u8]) -> BoxFuture<'a, Result<Box<dyn OpenedFile>, OpenError>>;
}

/// A file that may be sent.
pub trait OpenedFile: Send + Sync {
    /// The size in bytes when the file was opened.
    fn size(&self) -> u64;

    /// How many bytes to read at once.
    fn part(&self) -> u64 {
        64 * 1024
    }

    /// The bytes from one offset to another, both within the file. A file that has become shorter is an error, because the client
    /// was sent its size.
    fn read(&self, from: u64, to: u64) -> BoxFuture<'_, io::Result<Bytes>>;

    /// Called once, when the client has acknowledged some of the file, so that its address is not forged.
    fn received(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Why a file is not sent.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no file of this name.
    #[error("no such file")]
    Missing,
    /// The client may not have the file; the text is the reason, which the client receives.
    #[error("{0}")]
    Refused(String),
    /// The disk failed, or the permissions do not allow reading.
    #[error("the file cannot be read; the service's log says why")]
    Unreadable(#[source] io::Error),
}
