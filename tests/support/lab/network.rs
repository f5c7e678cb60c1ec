//! One lab's network: a namespace with a bridge, connected to the host by a veth pair, in a /24 that no other lab uses.
//!
//! A lab's number is a lock on a file, which the kernel releases however the test ends. The holder of the lock owns the
//! namespace, the interface and the network of that number. Anything that exists while its lock is free was left by a crashed
//! run, and is removed.

use std::fs::{File, OpenOptions, Permissions, create_dir_all, set_permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::command::run;

/// The bridge's name, the same in every namespace: DHCP servers listen on it.
pub(super) const BRIDGE: &str = "br0";

/// One folder for all users and checkouts, because the numbers name networks and interfaces, which belong to the machine.
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
    /// Removes what crashed runs left, takes the lowest free number and creates its network.
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
        // Since we hold the lock, no lab uses an interface of this name: one exists if a run crashed in the middle of this
        // function.
        run(&format!("ip link delete {name}")).ok();
        run(&format!("ip netns add {name}"))?;
        run(&format!("ip link add {name} type veth peer name uplink netns {name}"))?;
        run(&format!("ip address add {}/24 dev {name}", self.address(1)))?;
        run(&format!("ip link set {name} up"))?;
        run(&format!("ip -n {name} link set lo up"))?;
        // Without a forward delay of 0, a bridge does not forward a new port's packets immediately, and iPXE would lose its
        // first seconds.
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

    /// Adds another namespace with a port of this MAC on the bridge, for a client that sends to the DHCP server as if from
    /// another machine. It is removed with the network.
    pub(super) fn add_client(&self, mac: &str) -> Result<String> {
        let (namespace, client) = (self.namespace(), self.client());
        run(&format!("ip netns add {client}"))?;
        run(&format!("ip -n {client} link add {CLIENT} address {mac} type veth peer name client-port netns {namespace}"))?;
        run(&format!("ip -n {namespace} link set client-port master {BRIDGE} up"))?;
        run(&format!("ip -n {client} link set {CLIENT} up"))?;
        Ok(client)
    }

    /// The name of the namespace of [`add_client`](Self::add_client).
    pub(super) fn client(&self) -> String {
        client_of(&self.namespace())
    }

    pub(super) fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, last)
    }

    /// Adds a port for a virtual server to the bridge.
    pub(super) fn add_tap(&self, name: &str) -> Result<()> {
        let namespace = self.namespace();
        // A port of this name is left from an earlier boot of the same server, whose process has ended.
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

/// Locks a number. Returns `None` if another lab holds the lock.
fn lock(number: u8) -> Result<Option<File>> {
    let folder = Path::new(LOCKS);
    if !folder.exists() {
        create_dir_all(folder).with_context(|| format!("creating {LOCKS}"))?;
        // Other users of the machine lock their labs' numbers here, too. Only the owner of the folder can and must set this.
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
    for number in numbers_in_use()? {
        if let Some(_held) = lock(number)?
            // Another test may have removed it after it was listed and before this test held the lock.
            && numbers_in_use()?.contains(&number)
        {
            remove(number).with_context(|| format!("removing {PREFIX}{number}, which a dead run left"))?;
        }
    }
    Ok(())
}

/// The numbers of all labs that have a namespace.
fn numbers_in_use() -> Result<Vec<u8>> {
    let namespaces = run("ip netns list")?;
    Ok(namespaces.lines().filter_map(|line| line.split(' ').next()?.strip_prefix(PREFIX)?.parse().ok()).collect())
}

fn client_of(namespace: &str) -> String {
    format!("{namespace}-client")
}

/// Removes a lab's namespaces, its client's first: the lab's own namespace is how the remains are found, so it goes last. Only
/// the holder of the number's lock may do this.
fn remove(number: u8) -> Result<()> {
    let name = format!("{PREFIX}{number}");
    let client = client_of(&name);
    if run("ip netns list")?.lines().any(|line| line.split(' ').next() == Some(&client)) {
        remove_namespace(&client)?;
    }
    // The veth would be removed with the namespace, but later, and the next lab with this number needs its name immediately.
    run(&format!("ip link delete {name}")).ok();
    remove_namespace(&name)
}

/// Kills every process in a namespace and removes it.
fn remove_namespace(name: &str) -> Result<()> {
    wait_briefly("the processes of a lab to end", || {
        let processes = run(&format!("ip netns pids {name}"))?.split_whitespace().collect::<Vec<_>>().join(" ");
        if !processes.is_empty() {
            // `kill` fails for a process that has just ended; the next check decides.
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
