//! The service's key, from which deployments' tokens are derived: a file that only its owner reads.

use anyhow::{Context, Result, ensure};
use bootledger_web::application::ServiceKey;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The least number of bytes of a key.
const LEAST: usize = 32;

/// Reads the key of this file, or the one of the data directory, which is made when it is missing.
pub fn load(file: Option<&Path>, data_directory: &Path) -> Result<ServiceKey> {
    if let Some(file) = file {
        return read(file);
    }
    let file = data_directory.join("service.key");
    if !file.exists() {
        std::fs::create_dir_all(data_directory).with_context(|| format!("{} cannot be made", data_directory.display()))?;
        let key: [u8; LEAST] = rand::random();
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
        match made {
            Ok(mut made) => {
                made.write_all(hex::encode(key).as_bytes())?;
                made.sync_all()?;
            }
            // Another instance was faster; its key is the one.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("{} cannot be written", file.display())),
        }
    }
    read(&file)
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
