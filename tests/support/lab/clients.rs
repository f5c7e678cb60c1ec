//! The DHCP clients of operating systems and installers, as they are packaged. Each runs in the namespace of a client's port,
//! with folders of its own instead of the machine's, until it reports that it has its address.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::command::{privileged, run, shell_quoted};
use super::network::CLIENT;
use super::wait::until;

/// How long a client may take on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(1);

/// A DHCP client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// busybox's `udhcpc` as Debian's installer starts it (netcfg 1.187, `dhcp.c`).
    DebianInstaller,
    /// ISC's `dhclient` with the settings of Debian's package.
    Dhclient,
    /// `systemd-networkd`, with `DHCP=ipv4`.
    Networkd,
    /// `dhcpcd` with the settings of Debian's package.
    Dhcpcd,
}

impl Program {
    pub(crate) const ALL: [Self; 4] = [Self::DebianInstaller, Self::Dhclient, Self::Networkd, Self::Dhcpcd];

    /// The last part of the command that starts this client. `script` is the path of the script that the client calls with its
    /// lease; systemd-networkd calls none.
    fn command(self, script: &str) -> String {
        match self {
            Self::DebianInstaller => format!(
                "exec busybox udhcpc -i {CLIENT} -V d-i -T 1 -t 30 -O subnet -O broadcast -O router -O domain -O hostname -O dns \
                 -O ntpsrv -f -s {script}"
            ),
            Self::Dhclient => format!("exec dhclient -4 -d -1 -sf {script} -lf /run/leases -pf /run/pid {CLIENT}"),
            // networkd takes a read-only /sys to mean that there is no udev, and then uses the interface as it is.
            Self::Networkd => format!(
                "mount -o remount,bind,ro /sys && mkdir -p /run/systemd/network && \
                 printf '[Match]\\nName={CLIENT}\\n[Network]\\nDHCP=ipv4\\nLinkLocalAddressing=no\\nIPv6AcceptRA=no\\n' \
                 >/run/systemd/network/10-client.network && exec /usr/lib/systemd/systemd-networkd"
            ),
            Self::Dhcpcd => format!("exec dhcpcd -4 -B --noarp -c {script} {CLIENT}"),
        }
    }

    /// The client's lease, once it has its address.
    fn report(self, pid: &str, report: &Path) -> Option<String> {
        let text = match self {
            Self::Networkd => {
                let leases = format!("/proc/{pid}/root/run/systemd/netif/leases");
                let names = run(&format!("ls {leases}")).ok()?;
                let name = names.lines().next()?;
                run(&format!("cat {leases}/{name}")).unwrap_or_default()
            }
            _ => fs::read_to_string(report).unwrap_or_default(),
        };
        (!text.is_empty()).then_some(text)
    }

    pub(super) async fn run(self, namespace: &str, folder: &Path) -> Result<String> {
        let name = format!("{self:?}").to_lowercase();
        let [script, pid, log, report] = ["script", "pid", "log", "report"].map(|kind| folder.join(format!("{name}.{kind}")));
        fs::remove_file(&report).ok();
        // Written to another file and renamed, so that a report is never incomplete.
        let text = format!(
            "#!/bin/sh\ncase \"$1$reason\" in\nbound | BOUND)\n    env | grep '^[a-z]' >'{0}.new'\n    mv '{0}.new' '{0}' ;;\nesac\n\
             exit 0\n",
            report.display()
        );
        fs::write(&script, text)?;
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let others = processes(namespace)?;
        let mut command = privileged(&format!("ip netns exec {namespace} sh -c"));
        command.arg(format!(
            "echo $$ >{}; for folder in /run /var/lib/dhcp /var/lib/dhcpcd; do [ ! -d $folder ] || mount -t tmpfs lab $folder || exit; \
             done; {}",
            shell_quoted(&pid.to_string_lossy()),
            self.command(&shell_quoted(&script.to_string_lossy()))
        ));
        let output = fs::File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        command.stdout(output.try_clone()?).stderr(output).stdin(Stdio::null());
        let mut client = Command::from(command).kill_on_drop(true).spawn().context("cannot start the client")?;
        let known = until(PATIENCE, || {
            let ended = client.try_wait()?;
            let pid = fs::read_to_string(&pid).unwrap_or_default();
            match (self.report(pid.trim(), &report), ended) {
                (Some(text), _) => Ok(Some(text)),
                (None, Some(status)) => bail!("{self:?} ended ({status}) without an address: {}", said(&log)),
                (None, None) => Ok(None),
            }
        });
        let known = known.await?.with_context(|| format!("{self:?} has no address after {PATIENCE:?}: {}", said(&log)))?;
        // End it with everything that it has started, and without a message to the server: an installer that has finished, or a
        // server that is switched off, releases nothing.
        let gone = until(PATIENCE, || {
            let left: Vec<String> = processes(namespace)?.into_iter().filter(|pid| !others.contains(pid)).collect();
            if !left.is_empty() {
                // `kill` fails for a process that has just ended; the next check decides.
                run(&format!("kill -KILL {}", left.join(" "))).ok();
            }
            Ok(left.is_empty().then_some(()))
        });
        gone.await?.with_context(|| format!("{self:?} does not end"))?;
        client.wait().await?;
        run(&format!("ip -n {namespace} address flush dev {CLIENT}"))?;
        Ok(known)
    }
}

/// The ids of the processes in a namespace.
fn processes(namespace: &str) -> Result<Vec<String>> {
    Ok(run(&format!("ip netns pids {namespace}"))?.split_whitespace().map(str::to_owned).collect())
}

fn said(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_default()
}
