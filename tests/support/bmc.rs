//! Management controllers that are real programs: `ipmi_sim` and the Redfish emulator of sushy-tools. The commands that they
//! received are in their logs; the servers behind them are only states.

use super::process::wait_for;
use anyhow::{Context, Result, ensure};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The password of every controller; it must not appear anywhere.
pub(crate) const PASSWORD: &str = "open:sesame-17";

const PATIENCE: Duration = Duration::from_secs(30);

/// A controller with IPMI. Each action on its server is a line of its log.
pub(crate) struct IpmiSim {
    child: Option<Child>,
    folder: TempDir,
    pub(crate) port: u16,
}

impl IpmiSim {
    /// Starts a controller whose server is on.
    pub(crate) async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        std::fs::create_dir(at("state"))?;
        std::fs::write(at("power"), "1")?;
        std::fs::write(at("chassis"), chassis(folder.path()))?;
        std::fs::set_permissions(at("chassis"), std::fs::Permissions::from_mode(0o755))?;
        let lan = format!(
            "name \"bmc\"\nset_working_mc 0x20\n  startlan 1\n    addr 127.0.0.1 {port}\n    priv_limit admin\n    \
             allowed_auths_operator none md2 md5 straight\n    allowed_auths_admin none md2 md5 straight\n    \
             guid a123456789abcdefa123456789abcdef\n  endlan\n  chassis_control \"{}\"\n  \
             user 1 false \"\" \"test\" user 10 none md2 md5 straight\n  \
             user 2 true \"admin\" \"{PASSWORD}\" admin 10 none md2 md5 straight\n",
            at("chassis").display()
        );
        std::fs::write(at("lan.conf"), lan)?;
        let emulation = "mc_setbmc 0x20\nmc_add 0x20 0 has-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\n\
                         sel_enable 0x20 1000 0x0a\nmc_enable 0x20\n";
        std::fs::write(at("sim.emu"), emulation)?;
        let mut controller = Self { child: None, folder, port };
        controller.resume().await?;
        Ok(controller)
    }

    /// Starts the controller again; its server is as it was.
    pub(crate) async fn resume(&mut self) -> Result<()> {
        let at = |name: &str| self.folder.path().join(name);
        let mut command = Command::new("ipmi_sim");
        command.arg("-c").arg(at("lan.conf")).arg("-f").arg(at("sim.emu")).arg("-s").arg(at("state")).arg("-n");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().context("ipmi_sim of the package openipmi cannot be started")?);
        let bound = format!(":{:04X} ", self.port);
        let ready = async || std::fs::read_to_string("/proc/net/udp").ok()?.contains(&bound).then_some(());
        wait_for("ipmi_sim listens", PATIENCE, ready).await
    }

    /// Stops the controller: nothing answers on its port.
    pub(crate) fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// The server behind the controller.
    pub(crate) fn chassis(&self) -> Chassis {
        Chassis(self.folder.path().to_owned())
    }

    /// The orders that the controller received for its server, in order: `set boot pxe`, `set power 1`, …
    pub(crate) fn orders(&self) -> Vec<String> {
        self.chassis().orders()
    }

    /// The arguments of all processes of this machine, at each moment when the controller received a command or a query.
    pub(crate) fn arguments_seen(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("arguments")).unwrap_or_default()
    }

    /// Makes the controller hang in the middle of switching its server off.
    pub(crate) fn hold(&self) -> Result<()> {
        Ok(std::fs::write(self.folder.path().join("hold"), "")?)
    }

    /// Lets the controller continue.
    pub(crate) fn release(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.folder.path().join("hold"))?)
    }
}

/// The server behind a controller, as the controller knows it.
#[derive(Clone)]
pub(crate) struct Chassis(PathBuf);

impl Chassis {
    /// The actions on the server, in order.
    pub(crate) fn orders(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.0.join("log")).unwrap_or_default();
        let mut orders: Vec<String> = log.lines().filter(|line| line.starts_with("set ")).map(str::to_owned).collect();
        // On a busy machine, a setting that is not answered in time is sent again, which changes nothing.
        orders.dedup_by(|again, order| again == order && order.starts_with("set boot"));
        orders
    }

    /// Records that the server has switched itself off.
    pub(crate) fn switched_off(&self) -> Result<()> {
        Ok(std::fs::write(self.0.join("power"), "0")?)
    }
}

/// The program that represents the server: the controller runs it for each action.
fn chassis(folder: &Path) -> String {
    format!(
        r#"#!/bin/sh
cd '{}' || exit 1
echo "$@" >> log
for process in /proc/[0-9]*/cmdline; do tr '\0' ' ' < "$process" >> arguments 2>/dev/null; echo >> arguments; done
case "$1 $2" in
"get power") echo "power:$(cat power)" ;;
"set power") while [ -e hold ] && [ "$3" = 0 ]; do sleep 0.1; done; echo "$3" > power ;;
"get boot") echo "boot:$(cat boot 2>/dev/null || echo none)" ;;
"set boot") echo "$3" > boot ;;
esac
"#,
        folder.display()
    )
}

impl Drop for IpmiSim {
    fn drop(&mut self) {
        drop(std::fs::remove_file(self.folder.path().join("hold")));
        drop(self.stop());
    }
}

/// A Redfish controller with a self-signed certificate. Its server takes seconds to change its power.
pub(crate) struct Emulator {
    child: Child,
    folder: TempDir,
    pub(crate) port: u16,
    /// The certificate's fingerprint, as `management.tls` has it.
    pub(crate) fingerprint: String,
}

/// The only system of the emulator.
pub(crate) const SYSTEM: &str = "27946b59-9e44-4fa7-8e91-f3527a1ef094";

impl Emulator {
    /// Starts an emulator whose server is on.
    pub(crate) async fn start() -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let subject = ["-subj", "/CN=bmc", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
        let mut made = Command::new("openssl");
        made.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes"]).args(subject).arg("-keyout").arg(at("key.pem"));
        run(made.arg("-out").arg(at("certificate.pem")))?;
        let mut requested = Command::new("openssl");
        let printed = run(requested.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(at("certificate.pem")))?;
        let fingerprint = printed.trim().rsplit('=').next().context("a fingerprint")?;
        // Not passed as an argument: another test reads those of all processes.
        let hash = "import bcrypt, os; print(bcrypt.hashpw(os.environb[b'PASSWORD'], bcrypt.gensalt(4)).decode())";
        let hash = run(Command::new(programs.join("python3")).args(["-c", hash]).env("PASSWORD", PASSWORD))?;
        std::fs::write(at("users"), format!("admin:{hash}"))?;
        std::fs::create_dir(at("state"))?;
        let configuration = format!(
            "SUSHY_EMULATOR_FAKE_DRIVER = True\nSUSHY_EMULATOR_STATE_DIR = '{}'\nSUSHY_EMULATOR_AUTH_FILE = '{}'\n\
             SUSHY_EMULATOR_FAKE_SYSTEMS = [{{'uuid': '{SYSTEM}', 'name': 'fake', 'power_state': 'On', \
             'external_notifier': False, 'nics': []}}]\n",
            at("state").display(),
            at("users").display()
        );
        std::fs::write(at("configuration.py"), configuration)?;
        let log = std::fs::File::create(at("log"))?;
        let mut command = Command::new(programs.join("sushy-emulator"));
        command.arg("--config").arg(at("configuration.py")).args(["-i", "127.0.0.1", "-p", &port.to_string()]);
        command.arg("--ssl-certificate").arg(at("certificate.pem")).arg("--ssl-key").arg(at("key.pem"));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("the Redfish emulator cannot be started")?;
        let listens = async || std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok().map(drop);
        wait_for("the Redfish emulator listens", PATIENCE, listens).await?;
        Ok(Self { child, port, fingerprint: format!("sha256:{fingerprint}"), folder })
    }

    /// The requests that changed something, such as `PATCH /redfish/v1/Systems/…`.
    pub(crate) fn orders(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        // The request is in quotation marks and has colour codes.
        let requests = log.lines().filter_map(|line| Some(line.split('"').nth(1)?.split_once(" HTTP/1.1")?.0));
        let requests = requests.map(|request| request.trim_start_matches(|c: char| !c.is_ascii_uppercase()));
        requests.filter(|request| request.starts_with("PATCH") || request.starts_with("POST")).map(str::to_owned).collect()
    }

    /// The emulator's view of its server, requested independently of the service.
    pub(crate) fn system(&self) -> Result<serde_json::Value> {
        let url = format!("https://127.0.0.1:{}/redfish/v1/Systems/{SYSTEM}", self.port);
        let known = self.folder.path().join("netrc");
        std::fs::write(&known, format!("machine 127.0.0.1 login admin password {PASSWORD}\n"))?;
        Ok(serde_json::from_str(&run(Command::new("curl").args(["-sk", &url, "--netrc-file"]).arg(known))?)?)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The folder where `scripts/setup test` installs the emulator.
fn programs() -> Result<PathBuf> {
    let programs = super::target().join("lab/sushy/bin");
    ensure!(
        programs.join("sushy-emulator").exists(),
        "the Redfish emulator is not in {}; run scripts/setup test",
        programs.display()
    );
    Ok(programs)
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let orders = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {orders}", command.get_program().display());
    Ok(String::from_utf8(output.stdout)?)
}
