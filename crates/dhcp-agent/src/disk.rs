//! The agent's files: the server's configuration, the previous one, and a record of what the server has loaded.
//!
//! Every file is replaced as a whole: written under another name, flushed and renamed, and the folder flushed, so that a
//! crash at any moment leaves either the old or the new file. All files are in the folder of the configuration, where
//! `AppArmor` lets the server's checker read.

use anyhow::{Context, Result, ensure};
use bootledger_aggregates::values::sha256::Sha256;
use serde::{Deserialize, Serialize};
use sha2::Digest;
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// What the running server is known to have loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loaded {
    /// The revision of the configuration, as the service names it.
    pub(crate) revision: Sha256,
    /// The hash of the file that the server loaded. It differs from the revision if the agent has added settings of this
    /// machine.
    pub(crate) file: Sha256,
    /// The last position for which the service accepted a confirmation.
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
    /// The files beside this configuration, which need not exist yet; its folder must.
    pub(crate) fn new(configuration: &Path) -> Result<Self> {
        // A symbolic link stays a link: its target is replaced.
        let configuration = fs::canonicalize(configuration).or_else(|_| std::path::absolute(configuration))?;
        let name = configuration
            .file_name()
            .and_then(|name| name.to_str())
            .with_context(|| format!("{} is not the path of a file", configuration.display()))?;
        ensure!(
            !configuration.is_dir() && configuration.parent().is_some_and(Path::is_dir),
            "{} must be a file in a folder that exists",
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

    /// What the server runs, according to the record, if the file is still the recorded one.
    pub(crate) fn loaded(&self) -> Result<Option<Loaded>> {
        let Some(bytes) = read(&self.note)? else { return Ok(None) };
        // A record that cannot be parsed is ignored. The server is then made to load its file again.
        let Ok(loaded) = serde_json::from_slice::<Loaded>(&bytes) else { return Ok(None) };
        Ok((self.revision()? == Some(loaded.file)).then_some(loaded))
    }

    /// Records what the server runs.
    pub(crate) fn note(&self, loaded: Loaded) -> Result<()> {
        replace(&self.note, &serde_json::to_vec(&loaded)?, None)
    }

    /// Deletes the record of what the server runs, before an operation that may change it.
    pub(crate) fn forget(&self) -> Result<()> {
        remove(&self.note)
    }

    /// The same as [`forget`](Self::forget), without waiting for the disk: for a change in the server's memory, which a power
    /// failure undoes, too.
    pub(crate) fn forget_soon(&self) -> Result<()> {
        match fs::remove_file(&self.note) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", self.note.display()))
            }
            _ => Ok(()),
        }
    }

    /// Writes a file for the checker. Returns its path.
    pub(crate) fn write_candidate(&self, bytes: &[u8]) -> Result<&Path> {
        replace(&self.candidate, bytes, metadata(&self.configuration)?.as_ref())?;
        Ok(&self.candidate)
    }

    /// Removes the file that was checked.
    pub(crate) fn drop_candidate(&self) -> Result<()> {
        remove(&self.candidate)
    }

    /// Replaces the server's file with the checked file and keeps the previous one. Returns what that was.
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

    /// Undoes the replacement. Returns whether the server has a file to read again.
    ///
    /// If the accepted file was the same as the server's, an agent that was stopped between replacing and loading it may have
    /// put it there. Then the previous file is the last one that is known to work.
    pub(crate) fn restore(&self, before: Before) -> Result<bool> {
        match before {
            Before::Nothing => remove(&self.configuration).map(|()| false),
            Before::Same if metadata(&self.previous)?.is_none() => Ok(false),
            Before::Same | Before::Other => rename(&self.previous, &self.configuration).map(|()| true),
        }
    }
}

/// The server's file before a candidate was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// The server had no file.
    Nothing,
    /// The file had the same bytes.
    Same,
    /// The file had different bytes.
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

/// Writes a file as a whole, world-readable like a packaged configuration, or with the mode and owner of `like`.
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
