//! What virtual servers boot over the network: Debian's cloud kernel, and an initial file system of busybox and a network
//! driver.
//!
//! It plays an operating system's installer and behaves like one as far as Bootledger is concerned: it takes its configuration
//! from the kernel's command line, fetches a kickstart, and reports that it is done. `init.sh` lists the arguments that it
//! knows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cpio::Archive;

/// The line that the console shows when `done_url` was answered, before the server switches off.
pub(crate) const INSTALLED: &str = "\ninstalled";

/// The driver of the virtual network card and its dependencies, in the order of loading.
const MODULES: [&str; 8] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
];

/// The paths of the two files of an installer.
pub(crate) struct Installer {
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: PathBuf,
}

impl Installer {
    /// Kernel arguments for starting the installer, in addition to its URLs. A kernel panic ends the server immediately.
    pub(crate) const ARGUMENTS: &str = "console=ttyS0 panic=-1 quiet";

    /// Takes the kernel out of `unpacked`, the content of a kernel package, and writes an initrd into `folder`.
    ///
    /// This takes a few milliseconds, so nothing is cached between tests that could become stale.
    pub(super) fn build(unpacked: &Path, folder: &Path) -> Result<Self> {
        let kernel = only_entry(&unpacked.join("boot"), "vmlinuz-")?;
        let modules = only_entry(&unpacked.join("lib/modules"), "")?;

        let mut archive = Archive::new();
        archive.folder("bin");
        archive.folder("dev");
        archive.folder("modules");
        // The kernel opens this device for /init before anything is mounted.
        archive.character_device("dev/console", 5, 1);
        archive.executable("init", include_bytes!("init.sh"));
        archive.executable("lease", include_bytes!("lease.sh"));
        let busybox = Path::new("/bin/busybox");
        archive.executable("bin/busybox", &fs::read(busybox).context("reading /bin/busybox; has `scripts/setup test` run?")?);
        for (position, name) in MODULES.into_iter().enumerate() {
            match module(&modules, name)? {
                Some(content) => {
                    archive.executable(&format!("modules/{position}-{name}.ko"), &content);
                }
                None => anyhow::ensure!(is_built_in(&modules, name)?, "the kernel has no {name}"),
            }
        }
        let initrd = folder.join("initrd.img");
        fs::write(&initrd, archive.finish()).with_context(|| format!("writing {}", initrd.display()))?;
        Ok(Self { kernel, initrd })
    }
}

fn only_entry(folder: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("no {}; has `scripts/setup test` run?", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            return Ok(entry.path());
        }
    }
    bail!("{} has no {prefix}…; has `scripts/setup test` run?", folder.display())
}

/// A module's content. Debian 12 stores modules uncompressed; Debian 13 compresses them, and busybox cannot load those.
fn module(modules: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let list = fs::read_to_string(modules.join("modules.order")).unwrap_or_default();
    let file = format!("/{name}.ko");
    let Some(path) = list.lines().find(|line| line.ends_with(&file)).map(|line| modules.join(line)) else {
        return Ok(None);
    };
    if path.exists() {
        return Ok(Some(fs::read(&path)?));
    }
    let compressed = path.with_extension("ko.xz");
    let output =
        Command::new("xz").arg("-dc").arg(&compressed).output().context("cannot start xz; has `scripts/setup test` run?")?;
    anyhow::ensure!(output.status.success(), "xz cannot read {}", compressed.display());
    Ok(Some(output.stdout))
}

fn is_built_in(modules: &Path, name: &str) -> Result<bool> {
    let list = fs::read_to_string(modules.join("modules.builtin"))?;
    Ok(list.lines().any(|line| line.ends_with(&format!("/{name}.ko"))))
}
