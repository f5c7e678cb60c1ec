//! The errors of downloads, and which of them may be temporary.

use super::retry_after;
use bootledger_outbound::Refused;
use reqwest::{Response, StatusCode};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The guard does not allow the URL's address.
    #[error(transparent)]
    Refused(Refused),
    /// The server answered with an error status.
    #[error("{url} answers with {status}{}", hint(*.status))]
    Status {
        /// The requested URL.
        url: String,
        /// The HTTP status of the response.
        status: StatusCode,
        /// The delay before a retry, if the server requested one.
        retry_after: Option<Duration>,
    },
    /// The server cannot be reached, or closed the connection.
    #[error("{url} cannot be downloaded: {reason}")]
    Failed {
        /// The requested URL.
        url: String,
        /// The innermost reason.
        reason: String,
        /// Whether a retry may succeed.
        passing: bool,
    },
    /// The server sends nothing, or too little.
    #[error("{url} stopped sending; try again later, or use another mirror")]
    Slow {
        /// The requested URL.
        url: String,
    },
    /// The server closed the connection before the end of the file.
    #[error("{url} ended after {have} of {total} bytes")]
    Short {
        /// The requested URL.
        url: String,
        /// The number of bytes that were received.
        have: u64,
        /// The announced size of the file in bytes.
        total: u64,
    },
    /// The file is larger than allowed.
    #[error("{url} has more than {limit} bytes; if it is right, allow more with --max-upload")]
    TooLarge {
        /// The requested URL.
        url: String,
        /// The largest allowed size in bytes.
        limit: u64,
    },
    /// The checksum of the content is not the published one.
    #[error(
        "{url} is not what its vendor published: its checksum is {actual}, not {expected}. Use another mirror, or try again later if the vendor is just publishing a new version"
    )]
    Checksum {
        /// The requested URL.
        url: String,
        /// The published checksum.
        expected: String,
        /// The checksum of the received content.
        actual: String,
    },
    /// Another program is downloading the same file.
    #[error("another download of the same file is under way, of the service or of another command; wait until it has finished")]
    Busy,
    /// The file cannot be read or written.
    #[error("{} cannot be written", .0.display())]
    Disk(PathBuf, #[source] io::Error),
    /// The HTTP client cannot be created.
    #[error("downloads are impossible on this machine")]
    Client(#[source] reqwest::Error),
}

fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 | 410 => ": the file is not there. Check the mirror, or look for a newer version of this recipe",
        401 | 403 => ": the server refuses access. Use another mirror",
        _ => "",
    }
}

impl DownloadError {
    pub(super) fn status(url: &Url, response: &Response) -> Self {
        Self::Status { url: url.to_string(), status: response.status(), retry_after: retry_after(response) }
    }

    /// The error of a request that failed before its response.
    pub(super) fn of(url: &Url, error: &reqwest::Error) -> Self {
        let mut inner: &(dyn std::error::Error + 'static) = error;
        while let Some(source) = inner.source() {
            if let Some(refused) = source.downcast_ref::<Refused>() {
                return Self::Refused(refused.clone());
            }
            inner = source;
        }
        let passing = !error.is_redirect() && !error.is_builder();
        Self::Failed { url: url.to_string(), reason: inner.to_string(), passing }
    }

    /// The error of a response that was interrupted.
    pub(super) fn broken(url: &Url, error: &reqwest::Error) -> Self {
        if error.is_timeout() { Self::Slow { url: url.to_string() } } else { Self::of(url, error) }
    }

    /// Whether a retry may succeed.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Status { status, .. } => status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429),
            Self::Failed { passing, .. } => *passing,
            Self::Slow { .. } | Self::Short { .. } => true,
            _ => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the server reports that the file does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Status { status, .. } if matches!(status.as_u16(), 404 | 410))
    }
}
