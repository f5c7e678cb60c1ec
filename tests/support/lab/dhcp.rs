//! Real DHCP servers on a lab's bridge, and the commands with which an agent checks and reloads them.
//!
//! The first start and every reload use the same shell script, because the agent under test can only run a command: what a test
//! proves about reloading is then also true of starting. A script succeeds only when the server serves the new configuration,
//! and prints the end of the server's log when it does not. The lab ends the servers through their namespace.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::command::{privilege, shell_quoted};
use super::network::{BRIDGE, Network};

/// A DHCP server on the bridge that serves the configuration file it was made for.
pub(crate) struct DhcpServer {
    check: PathBuf,
    reload: PathBuf,
    log: PathBuf,
}

impl DhcpServer {
    pub(super) fn isc(network: &Network, folder: &Path, configuration: &Path) -> Result<Self> {
        Self::write_scripts(network, folder, configuration, &installed("dhcpd")?, include_str!("dhcpd.sh"))
    }

    pub(super) fn kea(network: &Network, folder: &Path, configuration: &Path) -> Result<Self> {
        Self::write_scripts(network, folder, configuration, &installed("kea-dhcp4")?, include_str!("kea.sh"))
    }

    /// Starts the Kea that `scripts/newer-kea` has unpacked here.
    pub(super) fn newer_kea(network: &Network, folder: &Path, configuration: &Path, unpacked: &Path) -> Result<Self> {
        let script = format!("hooks={}\n{}", shell_quoted(&unpacked.join("hooks").to_string_lossy()), include_str!("kea.sh"));
        Self::write_scripts(network, folder, configuration, &unpacked.join("kea-dhcp4"), &script)
    }

    pub(super) fn dnsmasq(network: &Network, folder: &Path, configuration: &Path) -> Result<Self> {
        Self::write_scripts(network, folder, configuration, &installed("dnsmasq")?, include_str!("dnsmasq.sh"))
    }

    /// A shell command that checks the configuration file given as an additional argument, or the served file without one.
    pub(crate) fn check_command(&self) -> String {
        shell_quoted(&self.check.to_string_lossy())
    }

    /// A shell command that makes the server serve its file as it is now, and fails with the server's own message when it
    /// cannot.
    pub(crate) fn reload_command(&self) -> String {
        shell_quoted(&self.reload.to_string_lossy())
    }

    /// Runs the check as the agent does.
    pub(crate) async fn check(&self, configuration: &Path) -> Result<()> {
        run_shell(&format!("{} {}", self.check_command(), shell_quoted(&configuration.to_string_lossy()))).await
    }

    /// Runs the reload as the agent does.
    pub(crate) async fn reload(&self) -> Result<()> {
        run_shell(&self.reload_command()).await
    }

    /// The server's output since it was first started.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(super) async fn started(self) -> Result<Self> {
        self.reload().await?;
        Ok(self)
    }

    fn write_scripts(network: &Network, folder: &Path, configuration: &Path, installed: &Path, body: &str) -> Result<Self> {
        let program = installed.file_name().context("a program's name")?;
        let folder = folder.join(program);
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        // AppArmor's profiles identify a server by its path and confine it to its system folders. They do not apply to a copy.
        let binary = folder.join(program);
        // A program that is running cannot be written to, but it can be replaced.
        let new = folder.join("program.new");
        fs::copy(installed, &new).with_context(|| format!("copying {}", installed.display()))?;
        fs::rename(&new, &binary).with_context(|| format!("replacing {}", binary.display()))?;

        let log = folder.join("log");
        let settings = [
            ("program", binary.to_string_lossy().into_owned()),
            ("configuration", std::path::absolute(configuration)?.to_string_lossy().into_owned()),
            ("folder", folder.to_string_lossy().into_owned()),
            ("log", log.to_string_lossy().into_owned()),
            ("namespace", network.namespace()),
            ("interface", BRIDGE.to_owned()),
        ];
        let settings = settings.map(|(name, value)| format!("{name}={}\n", shell_quoted(&value))).concat();
        let script = |action: &str| -> Result<PathBuf> {
            let path = folder.join(action);
            let common = include_str!("server.sh");
            let text = format!("#!/bin/sh\n{settings}sudo='{}'\naction={action}\n{common}\n{body}", privilege().join(" "));
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
            Ok(path)
        };
        Ok(Self { check: script("check")?, reload: script("reload")?, log })
    }
}

/// The path of a server that is installed on this machine.
fn installed(program: &str) -> Result<PathBuf> {
    let installed = ["/usr/sbin", "/usr/local/sbin"].map(|bin| Path::new(bin).join(program));
    installed
        .into_iter()
        .find(|path| path.exists())
        .with_context(|| format!("there is no {program}; has `scripts/setup test` run?"))
}

async fn run_shell(command: &str) -> Result<()> {
    let output = Command::new("sh").args(["-c", command]).output().await.context("cannot start a shell")?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{command} failed ({}):\n{}", output.status, String::from_utf8_lossy(&said).trim_end());
    }
    Ok(())
}
