//! The store of boot file contents: a local folder by default, S3-compatible storage if configured.
//!
//! A file is written under a temporary name that contains the writing instance's id. Files of an instance that was killed are
//! removed by other instances, at their start and at intervals. In a folder, each instance holds a lock on a file of its own
//! for as long as it lives, so that files in progress are never removed.

use crate::database::data_directory;
use anyhow::{Context, Result};
use bootledger_web::images::store::{INCOMING, instance};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// The age at which a file counts as leftover if it is unknown whether its instance lives. An upload whose sender sends nothing
/// for half a minute has ended.
const FORGOTTEN: Duration = Duration::from_hours(24);

/// The prefix of the lock files of instances.
const LOCK: &str = "instance-";

/// This process's lock in each folder, held until the process ends.
static HELD: Mutex<Vec<(PathBuf, File)>> = Mutex::new(vec![]);

/// The folder of the store, if it is a local one.
pub fn folder(setting: Option<&str>, data_directory: &Path) -> Option<PathBuf> {
    match setting {
        Some(setting) if setting.starts_with("s3://") => None,
        Some(setting) => Some(setting.into()),
        None => Some(data_directory.join("files")),
    }
}

/// Opens the store: `s3://bucket/prefix` with the usual AWS variables, a folder, or `files` in the data folder.
///
/// # Errors
/// Returns an error if the S3 settings are invalid, or if the folder cannot be created, protected or locked.
pub fn open(setting: Option<&str>, data_directory: &Path) -> Result<Arc<dyn ObjectStore>> {
    if let Some(place) = setting.and_then(|setting| setting.strip_prefix("s3://")) {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let s3 = AmazonS3Builder::from_env().with_bucket_name(bucket).build().context("the S3 settings are wrong")?;
        return Ok(Arc::new(PrefixStore::new(s3, prefix)));
    }
    let folder = folder(setting, data_directory).unwrap_or_else(|| data_directory.join("files"));
    data_directory::from_now_on();
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create the folder {} for boot files", folder.display()))?;
    // A folder that an administrator configures may contain other files.
    data_directory::protect_tree(&folder.join("sha256"))?;
    lock(&folder).with_context(|| format!("the folder {} for boot files cannot be written", folder.display()))?;
    let local =
        LocalFileSystem::new_with_prefix(&folder).with_context(|| format!("the folder {} cannot be used", folder.display()))?;
    Ok(Arc::new(local.with_automatic_cleanup(true).with_fsync(true)))
}

/// Takes this instance's lock in a folder.
fn lock(folder: &Path) -> std::io::Result<()> {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let path = folder.join(format!("{LOCK}{}.lock", instance()));
    if held.iter().any(|(known, _)| *known == path) && path.exists() {
        return Ok(());
    }
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        file.lock()?;
        // Another instance may have considered the file a leftover and removed it before it was locked.
        let own = file.metadata()?.ino();
        if std::fs::metadata(&path).is_ok_and(|found| found.ino() == own) {
            held.push((path, file));
            return Ok(());
        }
    }
}

/// Removes leftover files once. Returns how many uploads were removed.
///
/// # Errors
/// Returns an error if the folder cannot be read. A file that cannot be removed is not an error.
pub fn sweep_folder(folder: &Path) -> Result<usize> {
    let names = || -> Result<Vec<String>> {
        let entries = std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
    };
    let mut count = 0;
    // An instance that is seen here holds its lock, since it takes the lock before it writes anything.
    for name in names()?.iter().filter(|name| name.starts_with(INCOMING)) {
        let path = folder.join(name);
        if is_left(folder, name, &path) && std::fs::remove_file(&path).is_ok() {
            count += 1;
        }
    }
    for name in names()? {
        let of = name.strip_prefix(LOCK).and_then(|name| name.strip_suffix(".lock"));
        let path = folder.join(&name);
        // The file is removed while it is locked: an instance that is starting waits for the lock, and then sees that its file
        // no longer exists.
        if of.is_some_and(|of| of != instance())
            && let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            drop(std::fs::remove_file(&path));
        }
    }
    Ok(count)
}

/// Whether the instance of an upload has ended. The upload of an earlier version does not contain an instance id, so only its
/// age is considered.
fn is_left(folder: &Path, name: &str, path: &Path) -> bool {
    let Some((of, _)) = name[INCOMING.len()..].split_once('-') else {
        let changed = std::fs::metadata(path).and_then(|found| found.modified());
        return changed.is_ok_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|age| age > FORGOTTEN));
    };
    of != instance() && free(&folder.join(format!("{LOCK}{of}.lock")))
}

/// Whether no process holds the lock of a file. If that cannot be determined, a process may hold it.
fn free(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        },
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// The same for an object store, where only an upload that is complete but not yet named can be left over.
///
/// # Errors
/// Returns an error if the store cannot be listed, or if an object cannot be deleted.
pub async fn sweep_objects(store: &dyn ObjectStore) -> Result<usize> {
    let found = store.list_with_delimiter(None).await?;
    let mut count = 0;
    let limit = SystemTime::now() - FORGOTTEN;
    for object in found.objects {
        if object.location.as_ref().starts_with(INCOMING) && SystemTime::from(object.last_modified) < limit {
            store.delete(&object.location).await?;
            count += 1;
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_killed_instance_are_removed_and_those_of_a_running_one_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let running = File::create(path("instance-aaaa.lock")).expect("a lock");
        running.lock().expect("locked");
        File::create(path("instance-dead.lock")).expect("a lock");
        let own = format!("{INCOMING}{}-1", instance());
        for name in
            ["incoming-dead-1#1", "incoming-dead-2", "incoming-gone-1#1", "incoming-aaaa-1#1", "incoming-0198", &own, "sha256"]
        {
            File::create(path(name)).expect("a file");
        }
        let old = File::options().write(true).open(path("incoming-0198")).expect("a file");
        assert_eq!(sweep_folder(folder.path()).expect("swept"), 3);
        for name in ["incoming-aaaa-1#1", "incoming-0198", &own, "sha256", "instance-aaaa.lock"] {
            assert!(path(name).exists(), "{name}");
        }
        assert!(!path("instance-dead.lock").exists());
        // An upload of an earlier version contains no instance id.
        old.set_modified(SystemTime::now() - FORGOTTEN - Duration::from_secs(1)).expect("an age");
        drop(running);
        assert_eq!(sweep_folder(folder.path()).expect("swept"), 2);
        assert!(!path("incoming-0198").exists() && !path("incoming-aaaa-1#1").exists());
    }
}
