//! Why a download fails.

use super::retry_after;
use bootledger_outbound::Refused;
use reqwest::{Response, StatusCode};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Why a download fails.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The address is one that downloads may not go to.
    #[error(transparent)]
    Refused(Refused),
    /// The server answers with an error.
    #[error("{url} answers with {status}{}", hint(*.status))]
    Status {
        /// The address.
        url: String,
        /// The answer.
        status: StatusCode,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server cannot be reached, or ends the connection.
    #[error("{url} cannot be downloaded: {reason}")]
    Failed {
        /// The address.
        url: String,
        /// The innermost reason.
        reason: String,
        /// Whether another attempt may succeed.
        passing: bool,
    },
    /// The server sends nothing, or next to nothing.
    #[error("{url} stopped sending; try again later, or use another mirror")]
    Slow {
        /// The address.
        url: String,
    },
    /// The server ends before the end.
    #[error("{url} ended after {have} of {total} bytes")]
    Short {
        /// The address.
        url: String,
        /// What came.
        have: u64,
        /// What was announced.
        total: u64,
    },
    /// The file is larger than allowed.
    #[error("{url} has more than {limit} bytes; if it is right, allow more with --max-upload")]
    TooLarge {
        /// The address.
        url: String,
        /// The most that is allowed.
        limit: u64,
    },
    /// The content is not the published one.
    #[error(
        "{url} is not what its vendor published: its checksum is {actual}, not {expected}. Use another mirror, or try again later if the vendor is just publishing a new version"
    )]
    Checksum {
        /// The address.
        url: String,
        /// What was published.
        expected: String,
        /// What came.
        actual: String,
    },
    /// Another program downloads the same file.
    #[error("another download of the same file is under way, of the service or of another command; wait for its end")]
    Busy,
    /// The disk.
    #[error("{} cannot be written", .0.display())]
    Disk(PathBuf, #[source] io::Error),
    /// There can be no client.
    #[error("downloads are impossible on this machine")]
    Client(#[source] reqwest::Error),
}

fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 | 410 => ": the file is not there. Check the mirror, or look for a newer version of this recipe",
        401 | 403 => ": the server refuses to give it. Use another mirror",
        _ => "",
    }
}

impl DownloadError {
    pub(super) fn status(url: &Url, response: &Response) -> Self {
        Self::Status { url: url.to_string(), status: response.status(), retry_after: retry_after(response) }
    }

    /// A request that failed before its answer.
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

    /// An answer that broke off.
    pub(super) fn broken(url: &Url, error: &reqwest::Error) -> Self {
        if error.is_timeout() { Self::Slow { url: url.to_string() } } else { Self::of(url, error) }
    }

    /// Whether another attempt may succeed.
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

    /// Whether the server has no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Status { status, .. } if matches!(status.as_u16(), 404 | 410))
    }
}
