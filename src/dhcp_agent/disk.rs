//! The agent's files: the server's configuration, the one before it, and the note of what the server has loaded.
//!
//! Every file is replaced as a whole: written beside, flushed, renamed, and the directory flushed, so that a crash at
//! any moment leaves either the old or the new file. All of them lie beside the configuration, where `AppArmor` lets the server's checker read.

use anyhow::{Context, Result, ensure};
use bootledger_aggregates::values::sha256::Sha256;
use serde::{Deserialize, Serialize};
use sha2::Digest;
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// What the running server is known to have loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loaded {
    /// The configuration, as the service names it.
    pub(crate) revision: Sha256,
    /// The hash of the file that it loaded; another than the revision where the file has something of this machine's as well.
    pub(crate) file: Sha256,
    /// The last position that the service took a confirmation for.
    pub(crate) confirmed: Option<i64>,
}

/// The files of one agent.
#[derive(Debug)]
pub(crate) struct Disk {
    configuration: PathBuf,
    candidate: PathBuf,
    previous: PathBuf,
    note: PathBuf,
}

/// The revision of a configuration's bytes.
pub(crate) fn revision(bytes: &[u8]) -> Sha256 {
    Sha256::new(sha2::Sha256::digest(bytes).into())
}

impl Disk {
    /// The files beside this configuration, which need not exist yet; its directory must.
    pub(crate) fn new(configuration: &Path) -> Result<Self> {
        // A link stays a link: what it leads to is replaced.
        let configuration = fs::canonicalize(configuration).or_else(|_| std::path::absolute(configuration))?;
        let name = configuration
            .file_name()
            .and_then(|name| name.to_str())
            .with_context(|| format!("{} is no file's path", configuration.display()))?;
        ensure!(
            !configuration.is_dir() && configuration.parent().is_some_and(Path::is_dir),
            "{} must be a file in a directory that exists",
            configuration.display()
        );
        let beside = |suffix: &str| configuration.with_file_name(format!(".{name}.bootledger-{suffix}"));
        Ok(Self { candidate: beside("candidate"), previous: beside("previous"), note: beside("loaded"), configuration })
    }

    /// The file that the server reads.
    pub(crate) fn configuration(&self) -> &Path {
        &self.configuration
    }

    /// The hash of the file that the server would read now.
    pub(crate) fn revision(&self) -> Result<Option<Sha256>> {
        Ok(read(&self.configuration)?.map(|bytes| revision(&bytes)))
    }

    /// What the server runs: the note, as long as the file is still the one that was noted.
    pub(crate) fn loaded(&self) -> Result<Option<Loaded>> {
        let Some(bytes) = read(&self.note)? else { return Ok(None) };
        // A note that cannot be read says nothing; the server is then made to load its file again.
        let Ok(loaded) = serde_json::from_slice::<Loaded>(&bytes) else { return Ok(None) };
        Ok((self.revision()? == Some(loaded.file)).then_some(loaded))
    }

    /// Notes what the server runs.
    pub(crate) fn note(&self, loaded: Loaded) -> Result<()> {
        replace(&self.note, &serde_json::to_vec(&loaded)?, None)
    }

    /// Forgets what the server runs, before anything may change that.
    pub(crate) fn forget(&self) -> Result<()> {
        remove(&self.note)
    }

    /// The same, without waiting for the disk: for a change of what the server has in memory, which a loss of power ends, too.
    pub(crate) fn forget_soon(&self) -> Result<()> {
        match fs::remove_file(&self.note) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", self.note.display()))
            }
            _ => Ok(()),
        }
    }

    /// Writes a file for the checker, and gives its path.
    pub(crate) fn write_candidate(&self, bytes: &[u8]) -> Result<&Path> {
        replace(&self.candidate, bytes, metadata(&self.configuration)?.as_ref())?;
        Ok(&self.candidate)
    }

    /// Removes the checked file.
    pub(crate) fn drop_candidate(&self) -> Result<()> {
        remove(&self.candidate)
    }

    /// Makes the checked file the server's, keeps the one before it, and says what that was.
    pub(crate) fn accept_candidate(&self) -> Result<Before> {
        let before = match read(&self.configuration)? {
            None => Before::Nothing,
            Some(old) if Some(revision(&old)) == read(&self.candidate)?.map(|new| revision(&new)) => Before::Same,
            Some(old) => {
                replace(&self.previous, &old, metadata(&self.configuration)?.as_ref())?;
                Before::Other
            }
        };
        rename(&self.candidate, &self.configuration)?;
        Ok(before)
    }

    /// Takes that back, and says whether the server has a file to read again.
    ///
    /// Where the accepted file was the same as the server's, an agent stopped between replacing and loading it may have put
    /// it there; the one before it is then the last that is known to work.
    pub(crate) fn restore(&self, before: Before) -> Result<bool> {
        match before {
            Before::Nothing => remove(&self.configuration).map(|()| false),
            Before::Same if metadata(&self.previous)?.is_none() => Ok(false),
            Before::Same | Before::Other => rename(&self.previous, &self.configuration).map(|()| true),
        }
    }
}

/// What the server's file was before another was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// There was none.
    Nothing,
    /// The same bytes.
    Same,
    /// Other bytes.
    Other,
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn metadata(path: &Path) -> Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Writes a file as a whole, readable for all like a packaged configuration, or with mode and owner of `like`.
fn replace(path: &Path, bytes: &[u8], like: Option<&Metadata>) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let write = || -> Result<()> {
        let mut file = tempfile::NamedTempFile::with_prefix_in(".bootledger-", folder)?;
        file.write_all(bytes)?;
        let mode = like.map_or(0o644, |like| like.permissions().mode() & 0o7777);
        if let Some(like) = like {
            let own = file.as_file().metadata()?;
            if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
                chown(file.path(), Some(like.uid()), Some(like.gid())).context("its owner cannot be kept")?;
            }
        }
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync_folder(path)
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("{} cannot be replaced", to.display()))?;
    sync_folder(to)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be removed", path.display())),
    }
}

fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| format!("{} cannot be flushed", folder.display()))
}
