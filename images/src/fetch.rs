//! Obtains all files of a recipe, verified, into a folder of the caller's. Nothing is given out before everything is there.

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

/// After how long an unfinished download is removed.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(14 * 24);

/// What the work is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is done.
    pub step: Step,
    /// The file that it is about.
    pub file: Option<Name>,
    /// Which of how many files, from 1.
    pub number: (usize, usize),
    /// How many bytes of the file have come.
    pub bytes: u64,
    /// How many it has, if that is known.
    pub total: Option<u64>,
}

/// A step of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Published checksums and signatures are fetched.
    Checksums,
    /// A package is unpacked.
    Unpacking,
    /// A file is downloaded or copied.
    Downloading,
    /// The files are put into the store.
    Storing,
}

impl Step {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Checksums => "Reading the published checksums",
            Self::Unpacking => "Unpacking the package",
            Self::Downloading => "Downloading",
            Self::Storing => "Storing",
        }
    }
}

/// Where progress is reported to.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Why the files of a recipe are not obtained.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A list or a file cannot be downloaded.
    #[error("{what}: {source}")]
    Download {
        /// The list or file.
        what: String,
        /// The reason.
        source: DownloadError,
    },
    /// A list's signature does not count.
    #[error("the list of checksums {list} is refused: {source}")]
    Signature {
        /// The list.
        list: String,
        /// The reason.
        source: SignatureError,
    },
    /// A list is not the one that another list names.
    #[error(
        "the list of checksums {0} is not the one that {1} names: a mirror serves files of different times; try again later, or use another mirror"
    )]
    ListChanged(Name, Name),
    /// A list does not verify a file.
    #[error("the list of checksums {list}: {source}")]
    List {
        /// The list.
        list: Name,
        /// The reason.
        source: ListError,
    },
    /// A list without a signature over http.
    #[error(
        "the vendor does not sign the checksums {0}, so they are only taken over https. Use a mirror with https, or give the files with --from"
    )]
    Unsigned(Name),
    /// A file without a checksum over http.
    #[error(
        "the vendor publishes no checksum of {0}, so it is only taken over https. Use a mirror with https, or give the files with --from"
    )]
    Unchecked(Name),
    /// The signature of a file does not count.
    #[error("{file} is refused: {source}")]
    FileSignature {
        /// The file.
        file: Name,
        /// The reason.
        source: SignatureError,
    },
    /// The vendor does not publish a file alone.
    #[error("{file} cannot be downloaded. {how}")]
    NeedsFolder {
        /// The file.
        file: Name,
        /// How an operator gets it.
        how: String,
    },
    /// A folder does not have a file.
    #[error("{place} has no {file}; it was looked for as {looked_for}")]
    NotInFolder {
        /// The folder.
        place: String,
        /// The file.
        file: Name,
        /// The paths.
        looked_for: String,
    },
    /// A folder has several.
    #[error("{place} has several files that may be {file}: {found}. Give the folder that has the right one")]
    Several {
        /// The folder.
        place: String,
        /// The file.
        file: Name,
        /// The paths.
        found: String,
    },
    /// A file of a folder is not the published one.
    #[error("{path} is not the published {file}: its checksum is {actual}, not {expected}")]
    WrongFile {
        /// Where it is.
        path: String,
        /// The file.
        file: Name,
        /// The published checksum.
        expected: String,
        /// Its own.
        actual: String,
    },
    /// An archive does not have the file.
    #[error("the archive of {file} cannot be used: {source}")]
    Archive {
        /// The file.
        file: String,
        /// The reason.
        source: ArchiveError,
    },
    /// A URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A file cannot be read or written.
    #[error("{} cannot be used", .0.display())]
    Disk(PathBuf, #[source] io::Error),
}

/// A file that was obtained.
#[derive(Debug)]
pub struct Obtained {
    /// Its name in the image.
    pub name: Name,
    /// What it is for.
    pub kind: FileKind,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size: u64,
    /// Where it is; `None` where the caller has it already.
    pub path: Option<PathBuf>,
    /// How it was verified.
    pub verified: Verified,
    /// The published checksum, where it is another than the file's SHA-256.
    pub published: Option<Digest>,
}

/// Everything that was obtained. The files exist until this is dropped; `finish` also ends what a resumed download needs.
#[derive(Debug)]
pub struct Fetched {
    /// The official files.
    pub files: Vec<Obtained>,
    /// What was not verified, and why, as sentences.
    pub warnings: Vec<String>,
    partials: Vec<Partial>,
    _folder: TempDir,
}

impl Fetched {
    /// The least that every file was verified by.
    pub fn verified(&self) -> Verified {
        self.files.iter().map(|file| file.verified).min().unwrap_or(Verified::Checksum)
    }

    /// Removes what was downloaded.
    pub fn finish(self) {
        for partial in self.partials {
            partial.remove();
        }
    }
}

/// Contents that the caller has already, which need no download: by SHA-256, and by another published checksum.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Sizes by SHA-256.
    pub contents: BTreeMap<Sha256, u64>,
    /// SHA-256 by another published checksum, as text.
    pub published: BTreeMap<String, Sha256>,
}

/// Obtains files of recipes.
#[derive(Debug)]
pub struct Fetcher<'a> {
    /// Downloads.
    pub client: &'a Client,
    /// The keys.
    pub library: &'a Library,
    /// The folder of downloads under way.
    pub folder: &'a Path,
    /// Which contents need no download.
    pub known: &'a Known,
    /// The time, which keys and lists are checked against.
    pub now: OffsetDateTime,
}

impl Fetcher<'_> {
    /// What each official file should be, by published lists alone. Nothing else is downloaded.
    ///
    /// # Errors
    /// Where a list cannot be had or verified.
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

    /// Obtains every official file of a recipe.
    ///
    /// # Errors
    /// See [`FetchError`]. What was downloaded stays in the folder, for a second attempt.
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

    /// The content that the caller has already, where the published checksum says that it is the same.
    fn have(&self, download: &Download, expected: &Expected) -> Option<(Sha256, u64)> {
        let digest = expected.digest?;
        let sha256 = match digest {
            Digest::Sha256(bytes) if download.member.is_none() => Sha256::new(bytes),
            other => *self.known.published.get(&known_key(&other, download))?,
        };
        Some((sha256, *self.known.contents.get(&sha256)?))
    }
}

/// How a published checksum is remembered: with the member of the archive that it is of.
pub fn known_key(digest: &Digest, download: &Download) -> String {
    download.member.as_ref().map_or_else(|| digest.to_string(), |member| format!("{digest} {member}"))
}

/// The SHA-256 of a file.
async fn sha256(path: &Path) -> io::Result<Sha256> {
    let path = path.to_owned();
    let digest = tokio::task::spawn_blocking(move || crate::client::file_digest(&path, Digest::Sha256([0; 32]))).await;
    match digest.map_err(io::Error::other)?? {
        Digest::Sha256(bytes) => Ok(Sha256::new(bytes)),
        Digest::Sha512(_) => Err(io::Error::other("another checksum than was asked for")),
    }
}

/// Work on archives, outside the threads that serve requests.
async fn blocking(work: impl FnOnce() -> Result<(), ArchiveError> + Send + 'static) -> Result<(), ArchiveError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(ArchiveError::Disk(io::Error::other(error))))
}

/// Removes downloads that nobody took up again. A folder that cannot be read is no reason to fail.
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
