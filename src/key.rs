//! The service's key, from which deployments' tokens are derived: a file that only its owner reads, the same for all instances
//! on one database. The database has the key's fingerprint, so that an instance with another key is refused.

mod command;

pub use command::{Arguments, run};

use crate::database::Database;
use anyhow::{Context, Result, bail, ensure};
use bootledger_projections::pool::Pool;
use bootledger_web::application::ServiceKey;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The least number of bytes of a key.
const LEAST: usize = 32;

/// The key of this instance, which is the one of all instances on the database; the first start records which it is. A
/// missing key is made only then: an instance that comes later needs a copy.
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
        // Of two first starts at once, one records its key.
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

/// What to do about another key.
fn advice(path: &Path) -> String {
    format!(
        "All instances need the same key: copy the key of a running instance (`service.key` in its data directory, or its \
         --key-file) to {}, or name the copy with --key-file. If the key is lost, stop all instances and run `bootledger key \
         replace`; it makes the boot tokens of live deployments invalid",
        path.display()
    )
}

/// Where the key is.
fn path(file: Option<&Path>, data_directory: &Path) -> PathBuf {
    file.map_or_else(|| data_directory.join("service.key"), Into::into)
}

/// Reads the key of this file, or the one of the data directory, which is made when it is missing.
pub fn load(file: Option<&Path>, data_directory: &Path) -> Result<ServiceKey> {
    if let Some(file) = file {
        return read(file);
    }
    let file = path(None, data_directory);
    if !file.exists() {
        std::fs::create_dir_all(data_directory).with_context(|| format!("{} cannot be made", data_directory.display()))?;
        make(&file).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    read(&file)
}

/// Makes a key. Complete under another name first: a full disk must not leave a short file under the key's name.
fn make(file: &Path) -> Result<()> {
    let key: [u8; LEAST] = rand::random();
    let draft = file.with_extension(format!("key.{}", std::process::id()));
    let written = || -> std::io::Result<()> {
        let mut made = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        made.write_all(hex::encode(key).as_bytes())?;
        made.sync_all()?;
        match std::fs::hard_link(&draft, file) {
            // Another instance was faster; its key is the one.
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
        "the key file {} has less than {LEAST} bytes; make one with `openssl rand -hex 32`",
        file.display()
    );
    Ok(ServiceKey::new(bytes))
}

/// The recorded fingerprint.
async fn recorded(pool: &Pool) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT fingerprint FROM public.service_key").fetch_optional(pool).await
}

/// Records a key's fingerprint unless there is one; gives the one that is recorded.
async fn record_first(pool: &Pool, key: &ServiceKey) -> Result<Vec<u8>, sqlx::Error> {
    let fingerprint = key.fingerprint();
    sqlx::query("INSERT INTO public.service_key (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(&fingerprint[..])
        .execute(pool)
        .await?;
    recorded(pool).await?.ok_or(sqlx::Error::RowNotFound)
}

/// Records a key's fingerprint in the place of another one.
async fn record_instead(pool: &Pool, key: &ServiceKey) -> Result<(), sqlx::Error> {
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

/// The part of a fingerprint that people compare.
fn shown(fingerprint: &[u8]) -> String {
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
