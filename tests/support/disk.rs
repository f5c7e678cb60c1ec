//! A small disk that can be filled: a tmpfs, which only root can mount.

use anyhow::{Result, ensure};
use nix::unistd::Uid;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A mounted disk, unmounted when dropped.
pub(crate) struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Mounts a disk of this many MiB. Without root, prints what is left out and returns `None`; in CI that is an error.
    pub(crate) fn mount(mebibytes: u64, left_out: &str) -> Result<Option<Self>> {
        if !Uid::effective().is_root() {
            ensure!(std::env::var_os("CI").is_none(), "CI must run this as root: {left_out}");
            eprintln!("LEFT OUT, because it takes root: {left_out}");
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("bl-disk-").tempdir_in("/tmp")?;
        let size = format!("size={mebibytes}m");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status()?;
        ensure!(status.success(), "no tmpfs can be mounted: {left_out}");
        Ok(Some(Self { folder }))
    }

    /// The folder where the disk is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills the disk to the last byte.
    pub(crate) fn fill(&self) -> Result<()> {
        self.fill_but(0)
    }

    /// Fills the disk except for this many MiB.
    pub(crate) fn fill_but(&self, mebibytes: u64) -> Result<()> {
        let mut file = std::fs::File::create(self.path().join("filler"))?;
        for size in [1 << 20, 4096, 1] {
            let block = vec![0; size];
            while file.write_all(&block).is_ok() {}
        }
        let size = file.metadata()?.len();
        Ok(file.set_len(size.saturating_sub(mebibytes << 20))?)
    }

    /// Frees the space that the fill took.
    pub(crate) fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.path().join("filler"))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.folder.path()).status());
    }
}
