//! Ensures that only one service uses a data folder: a lock that the kernel releases however its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::error::{Error, Result, io};

/// The lock `<data-dir>/lock`, held until dropped. The file remains; it contains the process id of the last holder.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or fails with an error that names its holder.
    pub(super) fn take(directory: &Path) -> Result<Self> {
        let path = directory.join("lock");
        let mut file = open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The holder may not have written its process id yet.
                let holder = match file.read_to_string(&mut pid) {
                    Ok(1..) => format!("process {}", pid.trim()),
                    _ => "a process that has just started".to_owned(),
                };
                return Err(Error::InUse { directory: directory.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => {
                return Err(io(format!("lock {}", path.display()))(source));
            }
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(io(format!("write {}", path.display())))?;
        Ok(Self { _file: file })
    }
}

/// Opens a lock file without changing its content; creates it if it is missing.
pub(super) fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(io(format!("open the lock file {}", path.display())))
}
