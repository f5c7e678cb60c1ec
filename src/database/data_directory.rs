//! Protects the service's files: only the service's own user can read them.
//!
//! Boot files contain password hashes and keys. Therefore files have mode 0600 and folders 0700, regardless of the umask of
//! the user who starts the service. Folders of earlier versions are restricted at every start. Only paths that the service
//! created are changed, so that a folder with other files stays as it is. The cluster of the embedded PostgreSQL manages its
//! own permissions.

use anyhow::{Context, Result, ensure};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Uid;
use std::fs::{DirBuilder, Metadata, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The paths that the service creates in its data folder, except for the demo's DHCP configurations, whose modes the agents
/// set.
const OURS: [&str; 6] = ["files", "image-downloads", "service.key", "postgres.url", "demo.token", "demo.password"];

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// Creates the data folder if it is missing, and removes all other users' access to it and its contents. With `embedded`,
/// PostgreSQL's user may pass through the folder, if that is a different user.
///
/// # Errors
/// Returns an error if something can be read by others and this process may not change that.
pub fn protect(data_directory: &Path, embedded: bool) -> Result<()> {
    // An existing cluster may be running, started by another process.
    let embedded = embedded || data_directory.join("postgres").exists();
    let mode = if embedded && Uid::effective().is_root() { 0o711 } else { FOLDER };
    // The umask changes afterwards, so that PostgreSQL's user can also pass through newly created parent folders.
    let created = DirBuilder::new().recursive(true).mode(mode).create(data_directory);
    created.with_context(|| format!("cannot create {}", data_directory.display()))?;
    from_now_on();
    let found = std::fs::metadata(data_directory).with_context(|| format!("{} cannot be read", data_directory.display()))?;
    ensure!(
        found.mode() & 0o1000 == 0,
        "{} is a folder that all users share, so it cannot be the data folder; choose another folder with --data-dir",
        data_directory.display()
    );
    if found.mode() & 0o777 != mode {
        tighten(data_directory, &found, mode)?;
    }
    for name in OURS {
        protect_tree(&data_directory.join(name))?;
    }
    Ok(())
}

/// From now on, only this process's user can access the files that it creates.
pub fn from_now_on() {
    umask(Mode::from_bits_truncate(0o077));
}

/// Removes all other users' access to a file, or to a folder and its contents. Symbolic links are not followed.
///
/// # Errors
/// Returns an error if something can be read by others and this process may not change that.
pub fn protect_tree(path: &Path) -> Result<()> {
    let mut waiting: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        // A path that no longer exists needs no protection; another instance may be working in the folder.
        let Ok(found) = std::fs::symlink_metadata(&path) else { continue };
        if found.is_symlink() {
            continue;
        }
        let mode = if found.is_dir() { FOLDER } else { FILE };
        if found.mode() & 0o777 & !mode != 0 {
            tighten(&path, &found, mode)?;
        }
        if found.is_dir() {
            let entries = std::fs::read_dir(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            waiting.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
        }
    }
    Ok(())
}

fn tighten(path: &Path, found: &Metadata, mode: u32) -> Result<()> {
    match std::fs::set_permissions(path, Permissions::from_mode(mode)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        changed => changed.with_context(|| {
            format!(
                "{} can be read by others (mode {:o}) and belongs to the user {}; give it to the service's user with chown",
                path.display(),
                found.mode() & 0o777,
                found.uid()
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("metadata").mode() & 0o777
    }

    fn open(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    }

    #[test]
    fn the_data_directory_of_an_earlier_version_becomes_private() {
        let around = tempfile::tempdir().expect("a folder");
        let data = around.path().join("data");
        create_dir_all(data.join("files/sha256/ab")).expect("folders");
        for file in ["files/sha256/ab/cdef", "service.key", "other"] {
            write(data.join(file), "secret").expect("a file");
            open(&data.join(file), 0o644);
        }
        for folder in ["", "files", "files/sha256", "files/sha256/ab"] {
            open(&data.join(folder), 0o755);
        }
        protect(&data, false).expect("protected");
        for folder in ["", "files", "files/sha256", "files/sha256/ab"] {
            assert_eq!(mode(&data.join(folder)), 0o700, "{folder}");
        }
        assert_eq!((mode(&data.join("files/sha256/ab/cdef")), mode(&data.join("service.key"))), (0o600, 0o600));
        assert_eq!(mode(&data.join("other")), 0o644, "what is not ours stays as it is");
        write(data.join("new"), "secret").expect("a file");
        assert_eq!(mode(&data.join("new")), 0o600);
    }

    #[test]
    fn a_world_accessible_folder_is_refused_as_data_directory() {
        let around = tempfile::tempdir().expect("a folder");
        open(around.path(), 0o1777);
        let error = protect(around.path(), false).expect_err("refused").to_string();
        assert!(error.contains("a folder that all users share"), "{error}");
    }
}
