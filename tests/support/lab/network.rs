//! One lab's network: a namespace with a bridge, tied to the host by a veth pair, in a /24 that it alone uses.
//!
//! A lab's number is a lock on a file, which the kernel takes back however the test ends. Who holds the lock owns the namespace,
//! the interface and the network of that number, so whatever exists without its lock being held is a dead run's, and is removed.

use std::fs::{File, OpenOptions, Permissions, create_dir_all, set_permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::command::run;

/// The bridge's name, the same in every namespace: a DHCP server listens on it.
pub(super) const BRIDGE: &str = "br0";

/// One place for all users and checkouts, because the networks and interfaces they number are the machine's.
const LOCKS: &str = "/tmp/bootledger-lab";

const PREFIX: &str = "bootlab-";

/// The interface of a client in a namespace of its own.
pub(super) const CLIENT: &str = "client";

pub(super) struct Network {
    number: u8,
    /// Held, never read: the lock lasts as long as this file is open.
    _lock: File,
}

impl Network {
    /// Removes what dead runs left, takes the lowest free number and builds its network.
    pub(super) fn create() -> Result<Self> {
        remove_leftovers()?;
        for number in 1..=254 {
            if let Some(lock) = lock(number)? {
                let network = Self { number, _lock: lock };
                network.build()?;
                return Ok(network);
            }
        }
        bail!("254 labs are running, and there is no network for another one")
    }

    fn build(&self) -> Result<()> {
        let name = self.namespace();
        // The lock says that an interface of this name belongs to nobody: one is left when a run died half-way in here.
        run(&format!("ip link delete {name}")).ok();
        run(&format!("ip netns add {name}"))?;
        run(&format!("ip link add {name} type veth peer name uplink netns {name}"))?;
        run(&format!("ip address add {}/24 dev {name}", self.address(1)))?;
        run(&format!("ip link set {name} up"))?;
        run(&format!("ip -n {name} link set lo up"))?;
        // A bridge forwards a new port's packets at once only without its forward delay; iPXE would lose its first seconds.
        run(&format!("ip -n {name} link add {BRIDGE} type bridge stp_state 0 forward_delay 0"))?;
        run(&format!("ip -n {name} link set uplink master {BRIDGE} up"))?;
        run(&format!("ip -n {name} address add {}/24 dev {BRIDGE}", self.address(2)))?;
        run(&format!("ip -n {name} link set {BRIDGE} up"))?;
        // DHCP servers refuse an interface that is not running yet.
        wait_briefly("the bridge to come up", || Ok(run(&format!("ip -n {name} link show dev {BRIDGE}"))?.contains("state UP")))
    }

    pub(super) fn namespace(&self) -> String {
        format!("{PREFIX}{}", self.number)
    }

    /// Another namespace, with a port of this MAC on the bridge: for a client that sends to the DHCP server as from another
    /// machine. It goes with the network.
    pub(super) fn add_client(&self, mac: &str) -> Result<String> {
        let (namespace, client) = (self.namespace(), self.client());
        run(&format!("ip netns add {client}"))?;
        run(&format!("ip -n {client} link add {CLIENT} address {mac} type veth peer name client-port netns {namespace}"))?;
        run(&format!("ip -n {namespace} link set client-port master {BRIDGE} up"))?;
        run(&format!("ip -n {client} link set {CLIENT} up"))?;
        Ok(client)
    }

    /// The namespace of [`add_client`](Self::add_client).
    pub(super) fn client(&self) -> String {
        client_of(&self.namespace())
    }

    pub(super) fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, last)
    }

    /// Adds a port for a virtual server to the bridge.
    pub(super) fn add_tap(&self, name: &str) -> Result<()> {
        let namespace = self.namespace();
        // A port of this name is left from an earlier boot of the same server: whoever used it has ended.
        run(&format!("ip -n {namespace} link delete {name}")).ok();
        run(&format!("ip -n {namespace} tuntap add dev {name} mode tap"))?;
        run(&format!("ip -n {namespace} link set {name} master {BRIDGE} up"))?;
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Err(error) = remove(self.number) {
            eprintln!("the lab's network {} stays until another lab is built: {error:#}", self.namespace());
        }
    }
}

/// Takes a number's lock, or `None` while another lab holds it.
fn lock(number: u8) -> Result<Option<File>> {
    let folder = Path::new(LOCKS);
    if !folder.exists() {
        create_dir_all(folder).with_context(|| format!("creating {LOCKS}"))?;
        // Other users of the machine number their labs here, too. Who came second cannot set this and need not.
        set_permissions(folder, Permissions::from_mode(0o777)).ok();
    }
    let path = folder.join(number.to_string());
    // An existing file is opened for reading only: it may be another user's, and a lock needs no more.
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(_) => {
            OpenOptions::new().create(true).append(true).open(&path).with_context(|| format!("creating {}", path.display()))?
        }
    };
    Ok(file.try_lock().is_ok().then_some(file))
}

fn remove_leftovers() -> Result<()> {
    let namespaces = run("ip netns list")?;
    let numbers = namespaces.lines().filter_map(|line| line.split(' ').next()?.strip_prefix(PREFIX)?.parse().ok());
    for number in numbers {
        if let Some(_held) = lock(number)? {
            remove(number).with_context(|| format!("removing {PREFIX}{number}, which a dead run left"))?;
        }
    }
    Ok(())
}

fn client_of(namespace: &str) -> String {
    format!("{namespace}-client")
}

/// Removes a lab's namespaces, its client's first: as long as a lab's own is there, it is found. Only who holds the number's
/// lock may do that.
fn remove(number: u8) -> Result<()> {
    let name = format!("{PREFIX}{number}");
    let client = client_of(&name);
    if run("ip netns list")?.lines().any(|line| line.split(' ').next() == Some(&client)) {
        remove_namespace(&client)?;
    }
    // The veth would go with the namespace, but later, and the next lab of this number needs its name at once.
    run(&format!("ip link delete {name}")).ok();
    remove_namespace(&name)
}

/// Ends every process of a namespace and removes it.
fn remove_namespace(name: &str) -> Result<()> {
    wait_briefly("the processes of a lab to end", || {
        let processes = run(&format!("ip netns pids {name}"))?.split_whitespace().collect::<Vec<_>>().join(" ");
        if !processes.is_empty() {
            // One that ended meanwhile makes `kill` fail; the next look tells.
            run(&format!("kill -KILL {processes}")).ok();
        }
        Ok(processes.is_empty())
    })?;
    run(&format!("ip netns delete {name}"))?;
    Ok(())
}

fn wait_briefly(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition()? {
        if Instant::now() >= deadline {
            bail!("waited 10 s in vain for {what}");
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}
