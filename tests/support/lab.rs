//! A place where a virtual server boots over a network of its own: the proof that DHCP, iPXE, `/pxe/` and DONE work together.
//!
//! ```text
//!   host namespace            namespace bootlab-N
//!   the service  ──veth──  bridge br0 ── DHCP server (ISC, Kea, dnsmasq)
//!   10.213.N.1                │  10.213.N.2
//!                           taps ── QEMU, from 10.213.N.10 on
//! ```
//!
//! The service under test runs as users run it, as a plain process that listens on [`Lab::host_address`]. Everything else is in
//! the namespace, so labs of parallel tests never collide, and the remains of a lab are found and ended through it. The lab
//! does not depend on Bootledger: it boots what the DHCP server names and reports what the console prints.
//!
//! It needs root, or sudo without a password, and what `scripts/setup test` installs. A lab's output stays in
//! `target/lab/bootlab-N` until the next lab with that number, to be read after a failed test.
#![allow(dead_code, reason = "each test file uses only a part of the lab")]

mod clients;
mod command;
mod cpio;
mod dhcp;
mod disk;
mod installer;
mod message;
mod network;
mod vm;
mod wait;
mod wire;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub(crate) use clients::Program;
pub(crate) use dhcp::DhcpServer;
pub(crate) use disk::LOCAL_DISK_BOOTED;
pub(crate) use installer::{INSTALLED, Installer};
pub(crate) use message::{Kind as MessageKind, Message, Options, Relay};
pub(crate) use vm::{Firmware, Vm, VmOptions};
pub(crate) use wire::Wire;

use network::{BRIDGE, CLIENT, Network};

/// A network with room for a service, one DHCP server and some virtual servers. Dropping it ends everything that runs in it.
pub(crate) struct Lab {
    network: Network,
    folder: PathBuf,
}

impl Lab {
    /// The interface in the namespace that a DHCP server serves.
    pub(crate) const INTERFACE: &str = BRIDGE;

    /// Creates a network that no other lab on this machine uses, after ending what crashed test runs left behind.
    pub(crate) async fn new() -> Result<Self> {
        tokio::task::spawn_blocking(|| {
            let network = Network::create().context("building the lab's network")?;
            let folder = crate::support::target().join("lab").join(network.namespace());
            if folder.exists() {
                fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
            }
            fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
            Ok(Self { network, folder })
        })
        .await?
    }

    /// The address that the service listens on, and that servers reach it at.
    pub(crate) fn host_address(&self) -> Ipv4Addr {
        self.network.address(1)
    }

    /// The DHCP server's own address, which is also its server identifier.
    pub(crate) fn dhcp_address(&self) -> Ipv4Addr {
        self.network.address(2)
    }

    /// An address for the `n`-th virtual server, `n` from 0 to 189; addresses from 200 on are reserved for a dynamic range.
    pub(crate) fn server_address(&self, n: u8) -> Ipv4Addr {
        assert!(n < 190, "the lab's network has addresses for 190 servers");
        self.network.address(10 + n)
    }

    /// The network as a CIDR, such as `10.213.7.0/24`.
    pub(crate) fn network(&self) -> String {
        format!("{}/24", self.network.address(0))
    }

    /// The network namespace's name, for `ip netns exec`.
    pub(crate) fn namespace(&self) -> String {
        self.network.namespace()
    }

    /// The folder with configurations, logs, consoles and disks of this lab. It exists, and is empty at first.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts ISC dhcpd on the bridge. The configuration may be rewritten in place later; see [`DhcpServer::reload`].
    pub(crate) async fn start_dhcpd(&self, configuration: &Path) -> Result<DhcpServer> {
        DhcpServer::isc(&self.network, &self.folder, configuration)?.started().await
    }

    /// Starts Kea's `DHCPv4` server on the bridge. The configuration may be rewritten in place later.
    pub(crate) async fn start_kea(&self, configuration: &Path) -> Result<DhcpServer> {
        DhcpServer::kea(&self.network, &self.folder, configuration)?.started().await
    }

    /// Starts a recent Kea (3.0 or later) on the bridge instead of this machine's own. Where none is available, prints the
    /// reason and returns `None`; in CI that is an error.
    pub(crate) async fn start_newer_kea(&self, configuration: &Path) -> Result<Option<DhcpServer>> {
        let unpacked = crate::support::target().join("lab/kea");
        if !unpacked.join("kea-dhcp4").exists() {
            let missing = fs::read_to_string(unpacked.join("missing")).unwrap_or_default();
            let reason = format!("no newer Kea, has `scripts/setup test` run? {}", missing.trim());
            anyhow::ensure!(std::env::var_os("CI").is_none(), reason);
            eprintln!("SKIPPED: {reason}");
            return Ok(None);
        }
        let server = DhcpServer::newer_kea(&self.network, &self.folder, configuration, &unpacked)?;
        server.started().await.map(Some)
    }

    /// Starts dnsmasq on the bridge. The configuration may be rewritten in place later.
    pub(crate) async fn start_dnsmasq(&self, configuration: &Path) -> Result<DhcpServer> {
        DhcpServer::dnsmasq(&self.network, &self.folder, configuration)?.started().await
    }

    /// Switches a virtual server on. It boots from the network first, and from its disk if the network offers no file.
    pub(crate) fn boot_vm(&self, mac: &str, options: &VmOptions) -> Result<Vm> {
        Vm::boot(&self.network, &self.folder, mac, options)
    }

    /// The file with the disk that a server with this MAC installs to; see [`VmOptions::empty_disk_gigabytes`].
    pub(crate) fn installed_disk(&self, mac: &str) -> PathBuf {
        vm::disk_of(&self.folder, mac)
    }

    /// The program, allowed to listen on ports below 1024 as a service's unit would allow it. Where root does not run the
    /// tests, this is a copy.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_bootledger"));
        if command::privilege().is_empty() {
            return Ok(program);
        }
        let copy = self.folder.join("bootledger");
        fs::copy(&program, &copy).with_context(|| format!("copying {}", program.display()))?;
        command::run(&format!("setcap cap_net_bind_service=+ep {}", copy.display()))?;
        Ok(copy)
    }

    /// The DHCP server's answer to a client with this MAC that is not a virtual server and sends what the test chooses:
    /// `options` are those of busybox's `udhcpc`, and the lines are the variables of its script, as `name=value`.
    pub(crate) async fn request_lease(&self, mac: &str, options: &str) -> Result<Vec<String>> {
        let (network, mac, options) = (self.network.namespace(), mac.to_owned(), options.to_owned());
        let script = self.folder.join("udhcpc");
        fs::write(&script, "#!/bin/sh\n[ \"$1\" = bound ] && env | grep '^[a-z]'\nexit 0\n")?;
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let reported = tokio::task::spawn_blocking(move || {
            add_probe(&network, &mac)?;
            let script = script.display();
            let client = format!("ip netns exec {network} busybox udhcpc -i probe -f -q -n -t 10 -T 1 -s {script} {options}");
            command::run(client.trim_end())
        });
        Ok(reported.await??.lines().map(str::to_owned).collect())
    }

    /// Removes the address of the DHCP server's interface, as if it were not configured yet.
    pub(crate) async fn take_dhcp_address(&self) -> Result<()> {
        self.change_dhcp_address("delete").await
    }

    /// Restores the address of the DHCP server's interface.
    pub(crate) async fn give_dhcp_address(&self) -> Result<()> {
        self.change_dhcp_address("add").await
    }

    async fn change_dhcp_address(&self, action: &str) -> Result<()> {
        let (network, address) = (self.namespace(), self.dhcp_address());
        let command = format!("ip -n {network} address {action} {address}/24 dev {BRIDGE}");
        tokio::task::spawn_blocking(move || command::run(&command).map(drop)).await?
    }

    /// Changes the DHCP server's network with a command of `ip` in its namespace.
    pub(crate) async fn ip(&self, arguments: &str) -> Result<()> {
        let command = format!("ip -n {} {arguments}", self.namespace());
        tokio::task::spawn_blocking(move || command::run(&command).map(drop)).await?
    }

    /// Recreates the DHCP server's interface after it was deleted, as a restarted network service does.
    pub(crate) async fn make_interface(&self) -> Result<()> {
        self.ip(&format!("link add {BRIDGE} type bridge stp_state 0 forward_delay 0")).await?;
        self.ip(&format!("link set uplink master {BRIDGE} up")).await?;
        self.give_dhcp_address().await?;
        self.ip(&format!("link set {BRIDGE} up")).await
    }

    /// Kills a DHCP server, as a crash does.
    pub(crate) async fn kill_server(&self, program: &str) -> Result<()> {
        let pid = fs::read_to_string(self.folder.join(program).join("pid"))?;
        tokio::task::spawn_blocking(move || command::run(&format!("kill -KILL {}", pid.trim())).map(drop)).await?
    }

    /// Starts a process that occupies the DHCP servers' port in their namespace until it is dropped.
    pub(crate) async fn take_port(&self) -> Result<tokio::process::Child> {
        let text = "import socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('', 67))\n\
                    print('ready', flush=True)\nsys.stdin.read()\n";
        let mut command = command::privileged(&format!("ip netns exec {} python3 -c", self.namespace()));
        command.arg(text).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        // The process also ends when its standard input does, because we may not be allowed to end a process of root.
        let mut program = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let mut said = [0; 5];
        let output = program.stdout.as_mut().context("its output")?;
        tokio::io::AsyncReadExt::read_exact(output, &mut said).await.context("the port cannot be taken")?;
        Ok(program)
    }

    /// Starts a client with this MAC that keeps its address, as a running system does, and returns a file that gets a line for
    /// each event of the client. A lab has one such client, which ends with it.
    pub(crate) fn keep_address(&self, mac: &str) -> Result<PathBuf> {
        let client = self.network.add_client(mac)?;
        let (script, pid) = (self.folder.join("kept"), self.folder.join("kept.pid"));
        let text =
            "#!/bin/sh\necho \"$1 $ip\" >>\"$0.told\"\n[ -z \"$ip\" ] || ip address replace \"$ip/24\" dev \"$interface\"\n";
        fs::write(&script, text)?;
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let (script, pid) = (script.display(), pid.display());
        // The client goes into the background once it has an address.
        command::run(&format!("ip netns exec {client} busybox udhcpc -i {CLIENT} -n -t 10 -T 1 -p {pid} -s {script}"))?;
        Ok(self.folder.join("kept.told"))
    }

    /// A port of the bridge for clients that send as if from another machine, with this MAC by default. A lab has one such
    /// port: it replaces that of [`keep_address`](Self::keep_address).
    pub(crate) async fn client_port(&self, mac: &str) -> Result<Wire> {
        let client = self.network.add_client(mac)?;
        Wire::open(&client, CLIENT).await
    }

    /// Makes the client's namespace of [`client_port`](Self::client_port) the router of another network and gives it this
    /// address there. Messages from it then reach the DHCP server as a relay's.
    pub(crate) async fn route_through_client(&self, network: &str, relay: Ipv4Addr) -> Result<()> {
        let (server, client, here) = (self.namespace(), self.network.client(), self.network.address(199));
        let bits = network.split_once('/').map_or("24", |(_, bits)| bits).to_owned();
        let commands = [
            format!("ip -n {client} address replace {here}/24 dev {CLIENT}"),
            format!("ip -n {client} address add {relay}/{bits} dev {CLIENT}"),
            format!("ip -n {server} route replace {network} via {here}"),
        ];
        tokio::task::spawn_blocking(move || commands.iter().try_for_each(|one| command::run(one).map(drop))).await?
    }

    /// Runs an operating system's DHCP client on the [`client_port`](Self::client_port) until it has its address, ends it, and
    /// returns its own record of the lease.
    pub(crate) async fn run_client(&self, program: Program) -> Result<String> {
        program.run(&self.network.client(), &self.folder).await
    }

    /// Makes the client of [`keep_address`](Self::keep_address) renew its lease now.
    pub(crate) fn renew(&self) -> Result<()> {
        let pid = fs::read_to_string(self.folder.join("kept.pid"))?;
        command::run(&format!("kill -USR1 {}", pid.trim())).map(drop)
    }

    /// A kernel and an initrd that play an operating system's installer.
    pub(crate) fn installer(&self) -> Result<Installer> {
        Installer::build(&crate::support::target().join("lab/kernel"), &self.folder)
    }
}

/// A port of the bridge for a client with this MAC, instead of the one before.
fn add_probe(network: &str, mac: &str) -> Result<()> {
    command::run(&format!("ip -n {network} link delete probe")).ok();
    command::run(&format!("ip -n {network} link add probe address {mac} type veth peer name probe-port"))?;
    command::run(&format!("ip -n {network} link set probe-port master {BRIDGE} up"))?;
    command::run(&format!("ip -n {network} link set probe up"))?;
    Ok(())
}
