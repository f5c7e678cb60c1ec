//! A boot loader that may be sent, or the reason why a file is not.

use std::fs::File;
use std::io;
use std::time::SystemTime;

/// A file that may be sent.
#[derive(Debug)]
pub struct Loader {
    /// The file, open for reading.
    pub file: File,
    /// The file's size in bytes when it was opened.
    pub size: u64,
    /// The file's modification time, if the file system provides it.
    pub modified: Option<SystemTime>,
}

/// Why a file is not sent. Each message is for the client or the operator.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    /// The name, or a symbolic link on the way, leads out of the folder.
    #[error("only files in the folder of boot loaders are served, and this path is outside it")]
    Outside,
    /// The file belongs to a deployment, and this client may not have it; or the client could not use it.
    #[error("{0}")]
    Refused(String),
    /// There is no file of this name, or it is not a regular file.
    #[error("there is no such file in the folder of boot loaders")]
    Missing,
    /// The disk failed, or the permissions do not allow reading.
    #[error("the file cannot be read; the service's log says why")]
    Unreadable(#[source] io::Error),
}
