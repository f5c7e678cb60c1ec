//! The service key, from which the tokens of deployments are derived: a file that only its owner can read, the same for all
//! instances on one database. The database holds the key's fingerprint, so that an instance with another key is refused.

use crate::database::Database;
use anyhow::{Context, Result, bail, ensure};
use bootledger_projections::database::pool::Pool;
use bootledger_web::http::application::ServiceKey;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The minimum length of a key, in bytes.
const LEAST: usize = 32;

/// Loads the key of this instance and compares it with the key that all instances on the database share. The first start
/// records that key. A missing key file is created only then: an instance that is added later needs a copy of it.
///
/// # Errors
/// Returns an error if the key or its recorded fingerprint cannot be read or created, or if the key is not that of the other
/// instances.
pub async fn settle(file: Option<&Path>, data_directory: &Path, database: &Database) -> Result<ServiceKey> {
    let path = path(file, data_directory);
    let mut recorded = recorded(&database.pool).await.context("the fingerprint of the service key cannot be read")?;
    if recorded.is_some() && !path.exists() {
        bail!(
            "the service key {} does not exist, and other instances on this database have one. {}",
            path.display(),
            advice(&path)
        );
    }
    let key = load(file, data_directory)?;
    if recorded.is_none() && database.read_only.is_none() {
        // If two instances start for the first time at once, only one of them records its key.
        recorded =
            Some(record_first(&database.pool, &key).await.context("the fingerprint of the service key cannot be recorded")?);
    }
    match recorded {
        Some(recorded) if recorded != key.fingerprint() => bail!(
            "the service key {} (fingerprint {}) is not that of the other instances on this database (fingerprint {}). {}",
            path.display(),
            shown(&key.fingerprint()),
            shown(&recorded),
            advice(&path)
        ),
        _ => Ok(key),
    }
}

/// What an operator does about a key that differs from the recorded one.
fn advice(path: &Path) -> String {
    format!(
        "All instances need the same key: copy the key of a running instance (`service.key` in its data folder, or its \
         --key-file) to {}, or name the copy with --key-file. If the key is lost, stop all instances and run `bootledger key \
         replace`; it makes the boot tokens of live deployments invalid",
        path.display()
    )
}

/// The path of the key file.
pub(crate) fn path(file: Option<&Path>, data_directory: &Path) -> PathBuf {
    file.map_or_else(|| data_directory.join("service.key"), Into::into)
}

/// Reads the key from this file, or from the one in the data folder. A missing file is created.
///
/// # Errors
/// Returns an error if the file cannot be read or created, or if the key in it is too short.
pub fn load(file: Option<&Path>, data_directory: &Path) -> Result<ServiceKey> {
    if let Some(file) = file {
        return read(file);
    }
    let file = path(None, data_directory);
    if !file.exists() {
        std::fs::create_dir_all(data_directory).with_context(|| format!("cannot create {}", data_directory.display()))?;
        make(&file).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    read(&file)
}

/// Creates a key. The file is completed under another name first, so that a full disk cannot leave a short file under the key's
/// name.
fn make(file: &Path) -> Result<()> {
    let key: [u8; LEAST] = rand::random();
    let draft = file.with_extension(format!("key.{}", std::process::id()));
    let written = || -> std::io::Result<()> {
        let mut made = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        made.write_all(hex::encode(key).as_bytes())?;
        made.sync_all()?;
        match std::fs::hard_link(&draft, file) {
            // Another instance created the key first; this instance uses it.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    };
    let written = written();
    drop(std::fs::remove_file(&draft));
    Ok(written?)
}

fn read(file: &Path) -> Result<ServiceKey> {
    let bytes = std::fs::read(file).with_context(|| format!("the key file {} cannot be read", file.display()))?;
    let bytes = bytes.trim_ascii().to_vec();
    ensure!(
        bytes.len() >= LEAST,
        "the key file {} has less than {LEAST} bytes; create one with `openssl rand -hex 32`",
        file.display()
    );
    Ok(ServiceKey::new(bytes))
}

/// The recorded fingerprint, if any.
pub(crate) async fn recorded(pool: &Pool) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT fingerprint FROM public.service_key").fetch_optional(pool).await
}

/// Records a key's fingerprint unless one is recorded. Returns the recorded one.
async fn record_first(pool: &Pool, key: &ServiceKey) -> Result<Vec<u8>, sqlx::Error> {
    let fingerprint = key.fingerprint();
    sqlx::query("INSERT INTO public.service_key (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(&fingerprint[..])
        .execute(pool)
        .await?;
    recorded(pool).await?.ok_or(sqlx::Error::RowNotFound)
}

/// Replaces the recorded fingerprint with that of another key.
pub(crate) async fn record_instead(pool: &Pool, key: &ServiceKey) -> Result<(), sqlx::Error> {
    let fingerprint = key.fingerprint();
    sqlx::query(
        "INSERT INTO public.service_key (fingerprint) VALUES ($1)
         ON CONFLICT (one) DO UPDATE SET fingerprint = excluded.fingerprint, recorded_at = now()",
    )
    .bind(&fingerprint[..])
    .execute(pool)
    .await
    .map(drop)
}

/// The part of a fingerprint that is shown to people, for comparison.
pub(crate) fn shown(fingerprint: &[u8]) -> String {
    hex::encode(&fingerprint[..fingerprint.len().min(8)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = load(None, folder.path()).expect("a key").fingerprint();
        assert_eq!(load(None, folder.path()).expect("a key").fingerprint(), first);
        let files: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|file| file.file_name()).collect();
        assert_eq!(files, ["service.key"]);
        let other = tempfile::tempdir().expect("a folder");
        assert_ne!(load(None, other.path()).expect("a key").fingerprint(), first);
    }
}
