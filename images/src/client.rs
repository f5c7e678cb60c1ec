//! Downloads over HTTP: limited in time and size, retried, and resumed after an interruption.

mod error;
mod partial;

pub use error::DownloadError;
pub use partial::Partial;
pub(crate) use partial::file_digest;

use crate::digest::Digest;
use bootledger_outbound::Guard;
use bytes::Bytes;
use futures::StreamExt;
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, LAST_MODIFIED, RANGE, RETRY_AFTER};
use reqwest::{Response, StatusCode, redirect};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use url::Url;

/// A callback for the progress of a download: the bytes received, and the total if it is known.
pub type OnBytes<'a> = &'a (dyn Fn(u64, Option<u64>) + Send + Sync);

/// The limits of a download in time and size.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The timeout for establishing a connection.
    pub connect: Duration,
    /// The timeout while the server sends nothing.
    pub silence: Duration,
    /// The fewest bytes within `pace_over`. An attempt ends if the server sends fewer.
    pub pace: u64,
    /// The time over which `pace` is measured.
    pub pace_over: Duration,
    /// How many attempts in a row may fail with fewer new bytes than `pace`.
    pub attempts: u32,
    /// The delay before the second attempt. It is doubled for each further attempt, up to 30 s.
    pub backoff: Duration,
    /// The largest size of a file, in bytes.
    pub file: u64,
    /// The largest size of a list or signature, in bytes.
    pub list: u64,
}

/// The most attempts for one file in total.
const MOST_ATTEMPTS: u32 = 1_000;

const MOST_REDIRECTS: usize = 5;

const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

impl Limits {
    /// The default limits, with this largest size of a file.
    pub fn with_file(file: u64) -> Self {
        Self {
            connect: Duration::from_secs(15),
            silence: Duration::from_secs(30),
            pace: 64 * 1024,
            pace_over: Duration::from_mins(1),
            attempts: 5,
            backoff: Duration::from_secs(1),
            file,
            list: 16 * 1024 * 1024,
        }
    }
}

/// An HTTP client for downloads.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    limits: Limits,
    guard: Guard,
}

impl Client {
    /// Creates a client with these limits. It connects only to addresses that the guard allows.
    ///
    /// # Errors
    /// Returns an error if the system's certificates cannot be used.
    pub fn new(limits: Limits, guard: Guard) -> Result<Self, DownloadError> {
        let checked = guard.clone();
        let follow = redirect::Policy::custom(move |attempt| {
            let from_https = attempt.previous().iter().any(|url| url.scheme() == "https");
            if attempt.previous().len() > MOST_REDIRECTS {
                return attempt.error("it redirects more than 5 times");
            }
            if !matches!(attempt.url().scheme(), "http" | "https") || (from_https && attempt.url().scheme() != "https") {
                return attempt.error("it redirects from https to a connection without encryption");
            }
            match checked.check_url(attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(error) => attempt.error(error),
            }
        });
        let http = guard
            .following(follow)
            .connect_timeout(limits.connect)
            .read_timeout(limits.silence)
            .user_agent(concat!("bootledger/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(DownloadError::Client)?;
        Ok(Self { http, limits, guard })
    }

    /// The limits of each download.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The guard, which defines the addresses that the client may connect to.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Downloads a small file, such as a list or a signature, into memory.
    ///
    /// # Errors
    /// See [`DownloadError`].
    pub async fn small(&self, url: &Url) -> Result<Bytes, DownloadError> {
        let mut failed = 0;
        loop {
            match self.small_once(url).await {
                Ok(content) => return Ok(content),
                Err(error) => self.wait(error, &mut failed).await?,
            }
        }
    }

    async fn small_once(&self, url: &Url) -> Result<Bytes, DownloadError> {
        let response = self.get(url, HeaderMap::new()).await?;
        if response.status() != StatusCode::OK {
            return Err(DownloadError::status(url, &response));
        }
        let limit = self.limits.list;
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(DownloadError::TooLarge { url: url.to_string(), limit });
        }
        let whole = async {
            let mut content = Vec::new();
            let mut stream = response.bytes_stream();
            while let Some(bytes) = stream.next().await {
                content.extend_from_slice(&bytes.map_err(|error| DownloadError::broken(url, &error))?);
                if content.len() as u64 > limit {
                    return Err(DownloadError::TooLarge { url: url.to_string(), limit });
                }
            }
            Ok(content.into())
        };
        let whole = tokio::time::timeout(self.limits.pace_over, whole).await;
        whole.unwrap_or_else(|_| Err(DownloadError::Slow { url: url.to_string() }))
    }

    /// Downloads a file into `partial`, resuming an interrupted download, and verifies its checksum. If the content of a
    /// resumed download is wrong, downloads the file again from the start.
    ///
    /// # Errors
    /// See [`DownloadError`]. The received bytes remain for the next attempt, unless their checksum is wrong.
    pub async fn file(
        &self,
        url: &Url,
        partial: &mut Partial,
        expected: Option<&Digest>,
        on_bytes: OnBytes<'_>,
    ) -> Result<(), DownloadError> {
        loop {
            let resumed = self.whole(url, partial, on_bytes).await?;
            let Some(expected) = expected else { return Ok(()) };
            let actual = partial.digest(*expected).await?;
            if actual == *expected {
                return Ok(());
            }
            partial.restart().await?;
            if !resumed {
                return Err(DownloadError::Checksum {
                    url: url.to_string(),
                    expected: expected.to_string(),
                    actual: actual.to_string(),
                });
            }
            tracing::info!(%url, "the downloaded parts do not match; downloading the whole file again");
        }
    }

    /// Downloads until the file is complete. Returns whether the file was received in several parts.
    async fn whole(&self, url: &Url, partial: &mut Partial, on_bytes: OnBytes<'_>) -> Result<bool, DownloadError> {
        let (mut failed, mut resumed) = (0, !partial.is_empty());
        for _ in 0..MOST_ATTEMPTS {
            let before = partial.len();
            match self.part(url, partial, on_bytes).await {
                Ok(true) => return Ok(resumed && before > 0),
                Ok(false) => {}
                Err(error) => {
                    // Progress resets the count of failures, but only if it is fast enough: a server that sends a few bytes
                    // each time must fail too.
                    if partial.len().saturating_sub(before) >= self.limits.pace {
                        failed = 0;
                    }
                    self.wait(error, &mut failed).await?;
                }
            }
            resumed = !partial.is_empty();
        }
        Err(DownloadError::Slow { url: url.to_string() })
    }

    /// Makes one request. Returns `false` if the server has a different content from before; the next request then starts from
    /// the beginning.
    async fn part(&self, url: &Url, partial: &mut Partial, on_bytes: OnBytes<'_>) -> Result<bool, DownloadError> {
        let have = partial.len();
        if have > 0 && partial.total() == Some(have) {
            return Ok(true);
        }
        let mut headers = HeaderMap::new();
        if have > 0 {
            if let Ok(range) = format!("bytes={have}-").parse() {
                headers.insert(RANGE, range);
            }
            if let Some(validator) = partial.validator().and_then(|validator| validator.parse().ok()) {
                headers.insert(IF_RANGE, validator);
            }
        }
        let response = self.get(url, headers).await?;
        match response.status() {
            StatusCode::OK => {
                partial.begin(validator(&response), response.content_length()).await?;
            }
            StatusCode::PARTIAL_CONTENT if have > 0 => {
                let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).and_then(content_range);
                let fits =
                    range.is_some_and(|(start, total)| start == have && partial.total().is_none_or(|known| total == Some(known)));
                if !fits {
                    partial.restart().await?;
                    return Ok(false);
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                partial.restart().await?;
                return Ok(false);
            }
            _ => return Err(DownloadError::status(url, &response)),
        }
        let too_large = || DownloadError::TooLarge { url: url.to_string(), limit: self.limits.file };
        if partial.total().is_some_and(|total| total > self.limits.file) {
            return Err(too_large());
        }
        let mut stream = response.bytes_stream();
        let (mut since, mut bytes_since) = (Instant::now(), 0);
        on_bytes(partial.len(), partial.total());
        while let Some(bytes) = stream.next().await {
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(error) => {
                    partial.flush().await?;
                    return Err(DownloadError::broken(url, &error));
                }
            };
            if partial.len() + bytes.len() as u64 > self.limits.file {
                partial.restart().await?;
                return Err(too_large());
            }
            partial.write(&bytes).await?;
            bytes_since += bytes.len() as u64;
            on_bytes(partial.len(), partial.total());
            if since.elapsed() >= self.limits.pace_over {
                if bytes_since < self.limits.pace {
                    partial.flush().await?;
                    return Err(DownloadError::Slow { url: url.to_string() });
                }
                (since, bytes_since) = (Instant::now(), 0);
            }
        }
        partial.flush().await?;
        match partial.total() {
            Some(total) if partial.len() != total => {
                Err(DownloadError::Short { url: url.to_string(), have: partial.len(), total })
            }
            _ => Ok(true),
        }
    }

    async fn get(&self, url: &Url, headers: HeaderMap) -> Result<Response, DownloadError> {
        self.guard.check_url(url).map_err(DownloadError::Refused)?;
        // Without this timeout, a server that accepts the connection and sends no header could keep the request open
        // indefinitely.
        let response = tokio::time::timeout(self.limits.silence, self.http.get(url.clone()).headers(headers).send()).await;
        let response = response.map_err(|_| DownloadError::Slow { url: url.to_string() })?;
        response.map_err(|error| DownloadError::of(url, &error))
    }

    /// Waits before the next attempt, or returns the error if no attempt is left.
    async fn wait(&self, error: DownloadError, failed: &mut u32) -> Result<(), DownloadError> {
        *failed += 1;
        if !error.may_pass() || *failed >= self.limits.attempts {
            return Err(error);
        }
        let backoff = self.limits.backoff.saturating_mul(1 << (*failed - 1).min(16)).min(LONGEST_BACKOFF);
        tracing::info!(%error, attempt = *failed, "a download failed; retrying in {} s", backoff.as_secs_f32());
        tokio::time::sleep(error.retry_after().unwrap_or(backoff).min(LONGEST_BACKOFF)).await;
        Ok(())
    }
}

/// Identifies the version of a file for `If-Range`: a strong ETag; without one, the time of its last change.
fn validator(response: &Response) -> Option<String> {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    header(ETAG).filter(|tag| !tag.starts_with("W/")).or_else(|| header(LAST_MODIFIED))
}

/// The start and the total of `bytes START-END/TOTAL`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.parse().ok()?, total.parse().ok()))
}

/// The delay in the `Retry-After` header, if it is in seconds.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Writes and flushes. Any error is one of the disk.
async fn append(file: &mut tokio::fs::File, bytes: &[u8]) -> std::io::Result<()> {
    file.write_all(bytes).await
}
