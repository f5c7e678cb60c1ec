//! Detects whether a server receives its clients' requests: compares the networks of its configuration with the sockets that
//! the kernel reports.
//!
//! A server may run the right configuration and receive nothing: its interface is down, was removed and created again, or has
//! lost its address. The servers themselves do not report that as an error. An unknown state is never treated as deafness: if
//! the agent may not inspect the sockets, or if the networks reach the server only through relays, the agent continues as if
//! the server received requests.

use super::Kind;
use super::network::{Own, View};
use super::process::{Process, ProcessState, find};
use ipnet::Ipv4Net;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The maximum size of a configuration whose networks are read, in bytes.
const LARGEST: u64 = 512 * 1024 * 1024;

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reception {
    /// The server receives requests from every network that it should serve.
    Receives,
    /// The server does not receive requests.
    Deaf(Deaf),
    /// The state is unknown, with the reason.
    Unknown(String),
}

/// Why a server receives no requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deaf {
    /// The problem, and what to do.
    pub(crate) message: String,
    /// Whether the machine is in order, so that reading its configuration again may help the server.
    pub(crate) reload: bool,
}

impl Deaf {
    pub(crate) fn found(message: String, reload: bool) -> Reception {
        Reception::Deaf(Self { message, reload })
    }
}

/// What is known about one server between checks.
#[derive(Clone, Debug)]
pub(crate) struct ReceptionCheck {
    kind: Kind,
    configuration: PathBuf,
    /// The networks of the configuration, and the file that they were read from.
    networks: Option<(FileMark, Vec<Ipv4Net>)>,
    /// The processes of the server, since they were first found.
    server: Vec<Process>,
    /// The interface and address on which the server received requests of each network.
    received: BTreeMap<Ipv4Net, String>,
}

type FileMark = (u64, u64, i64, i64);

impl ReceptionCheck {
    pub(crate) fn new(kind: Kind, configuration: &Path) -> Self {
        let configuration = std::path::absolute(configuration).unwrap_or_else(|_| configuration.to_owned());
        Self { kind, configuration, networks: None, server: vec![], received: BTreeMap::new() }
    }

    /// Whether the process that was found earlier still runs.
    pub(crate) fn knows_server(&self) -> bool {
        self.server.iter().any(|process| process.runs())
    }

    /// Records the server's process, as its control socket reports it.
    pub(crate) fn is_served_by(&mut self, pid: u32) {
        self.server = Process::of(pid).into_iter().collect();
    }

    /// Checks the server's sockets.
    pub(crate) fn look(&mut self) -> Reception {
        let name = self.kind.program();
        if !self.knows_server() {
            match find(name, &self.configuration) {
                ProcessState::Server(processes) => self.server = processes,
                ProcessState::Nothing if self.server.is_empty() => {
                    return Reception::Unknown(format!(
                        "no process {name} was found; it may run in a container, or under another name"
                    ));
                }
                ProcessState::Nothing => {
                    return Deaf::found(format!("{name} is no longer running. Start it; its log says why it ended."), false);
                }
                ProcessState::Unclear(many) => {
                    return Reception::Unknown(format!(
                        "{many} processes {name} were found, and none of them has {} in its arguments",
                        self.configuration.display()
                    ));
                }
            }
        }
        let networks = match self.networks() {
            Ok(networks) => networks,
            Err(error) => return Reception::Unknown(format!("{} cannot be read: {error}", self.configuration.display())),
        };
        let Some(first) = self.server.first() else { return Reception::Unknown(format!("no process {name} was found")) };
        let view = match View::of(first.pid) {
            Ok(view) => view,
            // The process may have just ended. The next check shows that.
            Err(error) => return Reception::Unknown(format!("the sockets of process {} cannot be read: {error}", first.pid)),
        };
        let mut own: Option<BTreeSet<u64>> = Some(BTreeSet::new());
        for process in &self.server {
            match (process.sockets(), &mut own) {
                (Some(sockets), Some(own)) => own.extend(sockets),
                _ => own = None,
            }
        }
        // Only ISC dhcpd takes interfaces as arguments, and then serves no others.
        let named = if self.kind == Kind::Isc { interfaces(&first.arguments()) } else { vec![] };
        self.received.retain(|network, _| networks.contains(network));
        judge(self.kind, &networks, &view, own.as_ref(), &named, &mut self.received)
    }

    /// The networks of the configuration; the file is read again only if it has changed.
    fn networks(&mut self) -> std::io::Result<Vec<Ipv4Net>> {
        let mark = |metadata: &Metadata| (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        let metadata = fs::metadata(&self.configuration)?;
        let is = mark(&metadata);
        if let Some((was, networks)) = &self.networks
            && *was == is
        {
            return Ok(networks.clone());
        }
        if metadata.len() > LARGEST {
            return Err(std::io::Error::other("it is too large"));
        }
        let networks = networks(self.kind, &fs::read_to_string(&self.configuration)?);
        self.networks = Some((is, networks.clone()));
        Ok(networks)
    }
}

/// Compares the networks with the open sockets.
fn judge(
    kind: Kind,
    networks: &[Ipv4Net],
    view: &View,
    own: Own<'_>,
    named: &[String],
    received: &mut BTreeMap<Ipv4Net, String>,
) -> Reception {
    let name = kind.program();
    let mut deaf = vec![];
    let mut may_reload = true;
    let mut local = 0;
    for network in networks {
        let Some(address) = view.address_in(*network) else {
            // A network that was never local is one whose requests relays forward to the server.
            if let Some(place) = received.get(network) {
                may_reload = false;
                deaf.push(format!(
                    "{network}: no interface has an address in this network (before: {place}). Restore the address"
                ));
            }
            continue;
        };
        local += 1;
        let Some(interface) = view.interface_of(address) else {
            // The interface's name is not known. If dhcpd receives on all interfaces that it was started with, the network is
            // on a different one.
            if !named.is_empty() && named.iter().all(|one| view.sees(one, own)) {
                continue;
            }
            may_reload = false;
            deaf.push(format!("{network}: the interface with {address} is down. Bring it up"));
            continue;
        };
        if !named.is_empty() && !named.iter().any(|one| one == interface) {
            continue;
        }
        let open = match kind {
            Kind::Isc | Kind::Kea => view.sees(interface, own),
            Kind::Dnsmasq => view.has_port(Some(address), own),
        };
        if open {
            received.insert(*network, format!("{interface} had {address}"));
        } else {
            deaf.push(format!("{network}: it has no open socket on {interface} ({address}). {}", advice(view, own, address)));
        }
    }
    let listens = match kind {
        Kind::Isc | Kind::Kea => view.sees_anything(own),
        Kind::Dnsmasq => view.has_port(None, own),
    };
    if deaf.is_empty() && local == 0 && !listens {
        may_reload = false;
        deaf.push(
            "it has no open socket, and no interface has an address in a network of its configuration. Give it one".to_owned(),
        );
    }
    if deaf.is_empty() {
        return Reception::Receives;
    }
    Deaf::found(format!("{name} receives no client requests on {}", deaf.join("; ")), may_reload)
}

/// The advice for a machine that is in order.
fn advice(view: &View, own: Own<'_>, address: Ipv4Addr) -> &'static str {
    if own.is_some() && view.has_port(Some(address), None) && !view.has_port(Some(address), own) {
        "Another process has port 67; stop it"
    } else {
        "If this does not change, restart the server"
    }
}

/// The networks that a configuration serves, in the form that the service writes.
fn networks(kind: Kind, text: &str) -> Vec<Ipv4Net> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Document {
        dhcp4: Server,
    }
    #[derive(Deserialize)]
    struct Server {
        #[serde(default)]
        subnet4: Vec<Subnet>,
        #[serde(default, rename = "shared-networks")]
        shared: Vec<Shared>,
    }
    #[derive(Deserialize)]
    struct Shared {
        #[serde(default)]
        subnet4: Vec<Subnet>,
    }
    #[derive(Deserialize)]
    struct Subnet {
        subnet: Ipv4Net,
    }
    let masked = |address: &str, mask: &str| Ipv4Net::with_netmask(address.parse().ok()?, mask.parse().ok()?).ok();
    match kind {
        Kind::Kea => serde_json::from_str::<Document>(text)
            .map(|document| {
                let shared = document.dhcp4.shared.into_iter().flat_map(|shared| shared.subnet4);
                document.dhcp4.subnet4.into_iter().chain(shared).map(|subnet| subnet.subnet.trunc()).collect()
            })
            .unwrap_or_default(),
        Kind::Isc => {
            let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            lines
                .filter_map(|words| match words.as_slice() {
                    ["subnet", address, "netmask", mask, ..] => masked(address, mask),
                    _ => None,
                })
                .collect()
        }
        Kind::Dnsmasq => {
            let ranges = text.lines().filter_map(|line| line.trim().strip_prefix("dhcp-range="));
            ranges
                .filter_map(|range| match range.split(',').collect::<Vec<_>>().as_slice() {
                    [_, address, "static", mask, ..] | [address, "static", mask, ..] => masked(address, mask),
                    _ => None,
                })
                .collect()
        }
    }
}

/// The interfaces in dhcpd's arguments; empty if it uses all.
fn interfaces(arguments: &[String]) -> Vec<String> {
    const WITH_VALUE: [&str; 11] = ["-p", "-s", "-cf", "-lf", "-pf", "-tf", "-user", "-group", "-chroot", "-play", "-4o6"];
    let mut names = vec![];
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if WITH_VALUE.contains(&argument.as_str()) {
            arguments.next();
        } else if !argument.starts_with('-') {
            names.push(argument.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERFACES: &str = "Idx\tDevice    : Count Querier\n2\tbr0       :     2      V3\n3\teth1      :     1      V3\n";
    const ADDRESSES: &str = "|-- 10.0.0.2\n/32 host LOCAL\n|-- 10.1.0.2\n/32 host LOCAL\n";
    const ROUTES: &str = "br0 0000000A 00000000 0001 0 0 0 00FFFFFF 0 0 0\neth1 0000010A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";

    fn packet(interface: i64) -> String {
        format!("0 3 3 0003 {interface} 1 0 0 77\n")
    }

    fn all() -> Vec<Ipv4Net> {
        ["10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24"].map(|network| network.parse().expect("a network")).into()
    }

    fn said(reception: Reception) -> (String, bool) {
        match reception {
            Reception::Deaf(deaf) => (deaf.message, deaf.reload),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_must_arrive_from_every_local_network_but_not_from_those_behind_relays() {
        let mut received = BTreeMap::new();
        let both = View::parse([ADDRESSES, ROUTES, INTERFACES, &(packet(2) + &packet(3)), ""]);
        assert_eq!(judge(Kind::Kea, &all(), &both, None, &[], &mut received), Reception::Receives);

        let one = View::parse([ADDRESSES, ROUTES, INTERFACES, &packet(2), ""]);
        let (message, reload) = said(judge(Kind::Kea, &all(), &one, None, &[], &mut received));
        assert!(
            message.contains("10.1.0.0/24: it has no open socket on eth1 (10.1.0.2)") && !message.contains("br0"),
            "{message}"
        );
        assert!(reload, "the machine is as it should be");
        // dhcpd serves only the interfaces in its arguments.
        let named = ["br0".to_owned()];
        assert_eq!(judge(Kind::Isc, &all(), &one, None, &named, &mut received), Reception::Receives);
    }

    #[test]
    fn an_interface_that_is_down_and_an_address_that_is_missing_are_named() {
        let mut received = BTreeMap::new();
        let down = View::parse([ADDRESSES, "", "", "", ""]);
        let (message, reload) = said(judge(Kind::Isc, &all()[..1], &down, None, &[], &mut received));
        assert!(message.contains("the interface with 10.0.0.2 is down. Bring it up") && !reload, "{message}");

        let up = View::parse([ADDRESSES, ROUTES, INTERFACES, &packet(2), ""]);
        assert_eq!(judge(Kind::Isc, &all()[..1], &up, None, &[], &mut received), Reception::Receives);
        let gone = View::parse(["", "", INTERFACES, &packet(2), ""]);
        let (message, reload) = said(judge(Kind::Isc, &all()[..1], &gone, None, &[], &mut received));
        assert!(
            message.contains("no interface has an address in this network (before: br0 had 10.0.0.2)") && !reload,
            "{message}"
        );

        // If no network was ever local, all requests come through relays, and any open socket is sufficient.
        assert_eq!(judge(Kind::Isc, &all(), &gone, None, &[], &mut BTreeMap::new()), Reception::Receives);
        let nothing = View::parse(["", "", "", "", ""]);
        let (message, _) = said(judge(Kind::Isc, &all(), &nothing, None, &[], &mut BTreeMap::new()));
        assert!(message.contains("no open socket"), "{message}");
    }

    #[test]
    fn dnsmasq_needs_its_port_and_others_may_have_it() {
        let udp = |inode: u32| format!("820: 00000000:0043 00000000:0000 07 0:0 0:0 0 0 0 {inode} 2 0 0\n");
        let mut received = BTreeMap::new();
        let view = View::parse([ADDRESSES, ROUTES, INTERFACES, "", &udp(5)]);
        let own = BTreeSet::from([5]);
        assert_eq!(judge(Kind::Dnsmasq, &all(), &view, Some(&own), &[], &mut received), Reception::Receives);
        let others = BTreeSet::from([6]);
        let (message, _) = said(judge(Kind::Dnsmasq, &all()[..1], &view, Some(&others), &[], &mut received));
        assert!(message.contains("Another process has port 67"), "{message}");
    }

    #[test]
    fn networks_are_read_out_of_what_the_service_writes() {
        let expected: Vec<Ipv4Net> = vec!["10.0.0.0/24".parse().expect("a network"), "10.9.0.0/16".parse().expect("a network")];
        let kea = r#"{"Dhcp4":{"control-socket":{},"subnet4":[{"id":1,"subnet":"10.0.0.0/24","reservations":[]}],"shared-networks":[{"name":"vlan 1","subnet4":[{"subnet":"10.9.0.0/16"}]}]}}"#;
        let isc = "option x;\nsubnet 10.0.0.0 netmask 255.255.255.0 {\n}\n  subnet 10.9.0.0 netmask 255.255.0.0 {\n}\n";
        let dnsmasq = "port=0\ndhcp-range=set:net/a,10.0.0.0,static,255.255.255.0,3600\ndhcp-range=set:b,10.9.0.0,static,255.255.0.0,3600\n";
        assert_eq!(networks(Kind::Kea, kea), expected);
        assert_eq!(networks(Kind::Isc, isc), expected);
        assert_eq!(networks(Kind::Dnsmasq, dnsmasq), expected);
        for kind in [Kind::Kea, Kind::Isc, Kind::Dnsmasq] {
            assert_eq!(networks(kind, "{ subnet netmask dhcp-range= ,,"), vec![]);
        }
    }

    #[test]
    fn interfaces_are_what_is_no_option_of_dhcpd() {
        let arguments =
            ["-4", "-q", "-cf", "/etc/dhcp/dhcpd.conf", "--no-pid", "eth1", "-lf", "/leases", "eth2"].map(str::to_owned);
        assert_eq!(interfaces(&arguments), ["eth1", "eth2"]);
    }

    #[test]
    fn a_server_whose_sockets_are_unknown_is_not_called_deaf() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut reception_check = ReceptionCheck::new(Kind::Kea, &folder.path().join("none.json"));
        // Servers of other tests are found by their own configurations.
        assert!(matches!(reception_check.look(), Reception::Unknown(_)));
        // A server that was found before and ends is reported.
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().expect("a process");
        reception_check.is_served_by(child.id());
        child.kill().expect("a killed process");
        child.wait().expect("its end");
        let (message, reload) = said(reception_check.look());
        assert!(message.contains("kea-dhcp4 is no longer running") && !reload, "{message}");
    }
}
