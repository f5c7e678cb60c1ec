//! Downloads or copies all files of a recipe into a folder and verifies them. The caller gets the files only when all of them
//! are complete.

mod expect;
mod find;
mod place;

pub use bootledger_aggregates::boot_image::recipe::Verified;
pub use expect::Expected;
pub use place::Origin;

use crate::archive::{self, ArchiveError};
use crate::checksums::ListError;
use crate::client::{Client, DownloadError, Partial};
use crate::digest::Digest;
use crate::library::Library;
use crate::recipe::{Download, Recipe};
use crate::signature::SignatureError;
use crate::source_url::UrlError;
use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use place::Place;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};
use tempfile::TempDir;
use time::OffsetDateTime;

/// Unfinished downloads are removed after this time.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(14 * 24);

/// The progress of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The current step.
    pub step: Step,
    /// The file that the step works on.
    pub file: Option<Name>,
    /// The number of the file, starting at 1, and the total number of files.
    pub number: (usize, usize),
    /// The number of bytes of the file received so far.
    pub bytes: u64,
    /// The size of the file in bytes, if it is known.
    pub total: Option<u64>,
}

/// A step of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Downloads and verifies published checksums and signatures.
    Checksums,
    /// Unpacks a package.
    Unpacking,
    /// Downloads or copies a file.
    Downloading,
    /// Puts the files into the file store.
    Storing,
}

impl Step {
    /// The step as text for operators.
    pub fn title(self) -> &'static str {
        match self {
            Self::Checksums => "Reading the published checksums",
            Self::Unpacking => "Unpacking the package",
            Self::Downloading => "Downloading",
            Self::Storing => "Storing",
        }
    }
}

/// A callback that receives the progress.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Why the files of a recipe cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A list or a file cannot be downloaded.
    #[error("{what}: {source}")]
    Download {
        /// The list or file.
        what: String,
        /// Why the download failed.
        source: DownloadError,
    },
    /// The signature of a list is not accepted.
    #[error("the list of checksums {list} is refused: {source}")]
    Signature {
        /// The name of the list.
        list: String,
        /// Why the signature is not accepted.
        source: SignatureError,
    },
    /// A list does not match the checksum in the list that verifies it.
    #[error(
        "the list of checksums {0} is not the one that {1} names: a mirror serves files of different times; try again later, or use another mirror"
    )]
    ListChanged(Name, Name),
    /// A list does not verify a file.
    #[error("the list of checksums {list}: {source}")]
    List {
        /// The name of the list.
        list: Name,
        /// Why the list does not verify the file.
        source: ListError,
    },
    /// A list has no signature, and its URL is not HTTPS.
    #[error(
        "the vendor does not sign the checksums {0}, so they are accepted only over https. Use a mirror with https, or give the files with --from"
    )]
    Unsigned(Name),
    /// A file has no checksum, and its URL is not HTTPS.
    #[error(
        "the vendor publishes no checksum of {0}, so the file is accepted only over https. Use a mirror with https, or give the files with --from"
    )]
    Unchecked(Name),
    /// The signature of a file is not accepted.
    #[error("{file} is refused: {source}")]
    FileSignature {
        /// The name of the file.
        file: Name,
        /// Why the signature is not accepted.
        source: SignatureError,
    },
    /// The vendor does not publish the file on its own.
    #[error("{file} cannot be downloaded. {how}")]
    NeedsFolder {
        /// The name of the file.
        file: Name,
        /// How an operator gets the file.
        how: String,
    },
    /// A folder does not contain a file.
    #[error("{place} has no {file}; it was looked for as {looked_for}")]
    NotInFolder {
        /// The folder that was searched.
        place: String,
        /// The name of the file.
        file: Name,
        /// The paths at which the file was expected.
        looked_for: String,
    },
    /// A folder contains several candidates for a file.
    #[error("{place} has several files that may be {file}: {found}. Name the folder of the right one")]
    Several {
        /// The folder that was searched.
        place: String,
        /// The name of the file.
        file: Name,
        /// The paths of the candidates.
        found: String,
    },
    /// A file in a folder is not the published one.
    #[error("{path} is not the published {file}: its checksum is {actual}, not {expected}")]
    WrongFile {
        /// The path of the file.
        path: String,
        /// The name of the file.
        file: Name,
        /// The published checksum.
        expected: String,
        /// The checksum of the file.
        actual: String,
    },
    /// A file cannot be extracted from an archive.
    #[error("the archive of {file} cannot be used: {source}")]
    Archive {
        /// The name of the file.
        file: String,
        /// Why the file cannot be extracted.
        source: ArchiveError,
    },
    /// A URL is invalid.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A file cannot be read or written.
    #[error("{} cannot be used", .0.display())]
    Disk(PathBuf, #[source] io::Error),
}

/// A fetched file.
#[derive(Debug)]
pub struct Obtained {
    /// The file's name in the image.
    pub name: Name,
    /// The purpose of the file.
    pub kind: FileKind,
    /// The SHA-256 of the file's content.
    pub sha256: Sha256,
    /// The size of the file in bytes.
    pub size: u64,
    /// The path of the file; `None` if the caller already has its content.
    pub path: Option<PathBuf>,
    /// How the file was verified.
    pub verified: Verified,
    /// The published checksum, if it is not the file's SHA-256.
    pub published: Option<Digest>,
}

/// All fetched files. The files exist until this is dropped; `finish` also removes what a resumed download would need.
#[derive(Debug)]
pub struct Fetched {
    /// The vendor's files.
    pub files: Vec<Obtained>,
    /// What was not verified, and why, as sentences.
    pub warnings: Vec<String>,
    partials: Vec<Partial>,
    _folder: TempDir,
}

impl Fetched {
    /// The weakest verification of any file.
    pub fn verified(&self) -> Verified {
        self.files.iter().map(|file| file.verified).min().unwrap_or(Verified::Checksum)
    }

    /// Removes the downloads.
    pub fn finish(self) {
        for partial in self.partials {
            partial.remove();
        }
    }
}

/// Contents that the caller already has and that need no download: by SHA-256, and by any other published checksum.
#[derive(Clone, Debug, Default)]
pub struct KnownContents {
    /// The sizes of the contents in bytes, by SHA-256.
    pub contents: BTreeMap<Sha256, u64>,
    /// The SHA-256 of contents, by another published checksum as text.
    pub published: BTreeMap<String, Sha256>,
}

/// Fetches the files of recipes.
#[derive(Debug)]
pub struct Fetcher<'a> {
    /// The HTTP client for downloads.
    pub client: &'a Client,
    /// The library, for the keys of vendors.
    pub library: &'a Library,
    /// The folder of unfinished downloads.
    pub folder: &'a Path,
    /// The contents that need no download.
    pub known: &'a KnownContents,
    /// The current time, against which keys and lists are checked.
    pub now: OffsetDateTime,
}

impl Fetcher<'_> {
    /// Determines the expected checksum of each vendor file from published lists. Downloads nothing else.
    ///
    /// # Errors
    /// Returns an error if a list cannot be downloaded or verified.
    pub async fn published(
        &self,
        recipe: &Recipe,
        origin: &Origin,
        on: OnProgress<'_>,
    ) -> Result<BTreeMap<Name, Expected>, FetchError> {
        let temporary = self.temporary()?;
        let place = self.place(recipe, origin, temporary.path(), &mut vec![], on).await?;
        self.expected(recipe, &place, on).await
    }

    /// Fetches every vendor file of a recipe.
    ///
    /// # Errors
    /// See [`FetchError`]. Downloads remain in the folder, for another attempt.
    pub async fn fetch(&self, recipe: &Recipe, origin: &Origin, on: OnProgress<'_>) -> Result<Fetched, FetchError> {
        sweep(self.folder);
        let temporary = self.temporary()?;
        let mut partials = vec![];
        let place = self.place(recipe, origin, temporary.path(), &mut partials, on).await?;
        let expected = self.expected(recipe, &place, on).await?;
        let mut files = vec![];
        let mut warnings: Vec<String> = expected.values().filter_map(|expected| expected.warning.clone()).collect();
        warnings.dedup();
        let count = recipe.downloads.len();
        for (index, (name, download)) in recipe.downloads.iter().enumerate() {
            let expected = expected.get(name).cloned().unwrap_or_default();
            let report = |bytes, total| {
                on(Progress { step: Step::Downloading, file: Some(name.clone()), number: (index + 1, count), bytes, total });
            };
            report(0, None);
            files.push(self.one(name, download, &place, expected, temporary.path(), &mut partials, &report).await?);
        }
        Ok(Fetched { files, warnings, partials, _folder: temporary })
    }

    fn temporary(&self) -> Result<TempDir, FetchError> {
        let disk = |error| FetchError::Disk(self.folder.to_owned(), error);
        fs::create_dir_all(self.folder).map_err(disk)?;
        tempfile::Builder::new().prefix("unpacked-").tempdir_in(self.folder).map_err(disk)
    }

    #[expect(clippy::too_many_arguments, reason = "the state of one fetch, which only this function has")]
    async fn one(
        &self,
        name: &Name,
        download: &Download,
        place: &Place,
        expected: Expected,
        temporary: &Path,
        partials: &mut Vec<Partial>,
        report: &(dyn Fn(u64, Option<u64>) + Send + Sync),
    ) -> Result<Obtained, FetchError> {
        let kind = download.kind;
        if let Some((sha256, size)) = self.have(download, &expected) {
            report(size, Some(size));
            let published = expected.digest.filter(|digest| *digest != Digest::Sha256(*sha256.bytes()));
            return Ok(Obtained { name: name.clone(), kind, sha256, size, path: None, verified: expected.verified, published });
        }
        let (path, verified) = self.whole(name, download, place, &expected, partials, report).await?;
        let path = match &download.member {
            Some(member) => {
                let (archive, member, to) = (path, member.clone(), temporary.join(format!("member-{name}")));
                let (limit, target) = (self.client.limits().file, to.clone());
                blocking(move || archive::member(&archive, &member, &target, limit))
                    .await
                    .map_err(|source| FetchError::Archive { file: name.to_string(), source })?;
                to
            }
            None => path,
        };
        let disk = |error| FetchError::Disk(path.clone(), error);
        let size = fs::metadata(&path).map_err(disk)?.len();
        let sha256 = sha256(&path).await.map_err(disk)?;
        let published = expected.digest.filter(|digest| *digest != Digest::Sha256(*sha256.bytes()));
        Ok(Obtained { name: name.clone(), kind, sha256, size, path: Some(path), verified, published })
    }

    /// The content that the caller already has, if the published checksum shows that it is the same.
    fn have(&self, download: &Download, expected: &Expected) -> Option<(Sha256, u64)> {
        let digest = expected.digest?;
        let sha256 = match digest {
            Digest::Sha256(bytes) if download.member.is_none() => Sha256::new(bytes),
            other => *self.known.published.get(&known_key(&other, download))?,
        };
        Some((sha256, *self.known.contents.get(&sha256)?))
    }
}

/// The key under which the caller remembers a published checksum: with the archive member that it belongs to.
pub fn known_key(digest: &Digest, download: &Download) -> String {
    download.member.as_ref().map_or_else(|| digest.to_string(), |member| format!("{digest} {member}"))
}

/// Computes the SHA-256 of a file.
async fn sha256(path: &Path) -> io::Result<Sha256> {
    let path = path.to_owned();
    let digest = tokio::task::spawn_blocking(move || crate::client::file_digest(&path, Digest::Sha256([0; 32]))).await;
    match digest.map_err(io::Error::other)?? {
        Digest::Sha256(bytes) => Ok(Sha256::new(bytes)),
        Digest::Sha512(_) => Err(io::Error::other("a checksum of another algorithm than requested")),
    }
}

/// Runs work on archives outside the threads that serve requests.
async fn blocking(work: impl FnOnce() -> Result<(), ArchiveError> + Send + 'static) -> Result<(), ArchiveError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(ArchiveError::Disk(io::Error::other(error))))
}

/// Removes downloads that were not resumed. An unreadable folder is not an error.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let old = entry
            .metadata()
            .and_then(|found| found.modified())
            .is_ok_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|age| age > FORGOTTEN_AFTER));
        if old {
            let path = entry.path();
            drop(if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) });
        }
    }
}
