//! The identity of this instance: an id that is kept in the data folder. After a restart, other instances recognise it, and
//! work of the ended process is free at once.

use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use uuid::Uuid;

/// An instance. Two running instances never have the same id, even with the same data folder.
#[derive(Debug)]
pub struct Instance {
    /// The id of the instance.
    pub id: Uuid,
    /// Locked for as long as the process lives, however it ends.
    _file: Option<File>,
}

impl Instance {
    /// The instance of a data folder. If the folder cannot be used, or another process uses it, the instance gets a new
    /// id: after a crash, its work is then free after some seconds, not at once.
    pub fn of(data_directory: &Path) -> Self {
        match read(data_directory) {
            Ok(Some((id, file))) => Self { id, _file: Some(file) },
            Ok(None) => Self::new(),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(error, "this instance has no persistent ID; after a crash, its work waits a few seconds");
                Self::new()
            }
        }
    }

    /// An instance whose id lives only as long as this process.
    pub fn new() -> Self {
        Self { id: Uuid::now_v7(), _file: None }
    }
}

impl Default for Instance {
    fn default() -> Self {
        Self::new()
    }
}

/// The id in the folder, which is created if it is missing; `None` if another process uses it.
fn read(data_directory: &Path) -> Result<Option<(Uuid, File)>> {
    let path = data_directory.join("instance");
    let opened = std::fs::create_dir_all(data_directory)
        .and_then(|()| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path));
    let mut file = opened.with_context(|| format!("{} cannot be opened", path.display()))?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let mut text = String::new();
    Read::by_ref(&mut file).take(64).read_to_string(&mut text).with_context(|| format!("{} cannot be read", path.display()))?;
    if let Ok(id) = text.trim().parse() {
        return Ok(Some((id, file)));
    }
    // The file is new, or writing it was interrupted.
    let id = Uuid::now_v7();
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{id}"))
        .and_then(|()| file.sync_all())
        .with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Some((id, file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_keeps_its_id_and_lends_it_to_one_process_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Instance::of(folder.path());
        let beside = Instance::of(folder.path());
        assert_ne!(first.id, beside.id, "two running instances have the same id");
        let id = first.id;
        drop(first);
        assert_eq!(Instance::of(folder.path()).id, id, "the restarted instance is another one");
        std::fs::write(folder.path().join("instance"), "0192").expect("a broken file");
        let again = Instance::of(folder.path()).id;
        assert_eq!(Instance::of(folder.path()).id, again);
        assert_ne!(Instance::of(Path::new("/proc/no/such/folder")).id, again);
    }
}
