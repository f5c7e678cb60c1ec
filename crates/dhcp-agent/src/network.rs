//! The kernel's view of a server's network, from the files in `/proc/PID/net`: addresses, routes, interfaces and sockets of the
//! process's network namespace. They can be read without privileges, also by an agent in another namespace.

use ipnet::Ipv4Net;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::net::Ipv4Addr;

/// The maximum number of bytes that are read of one of these files.
const LARGEST: u64 = 8 * 1024 * 1024;

/// The state of a network namespace at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// The addresses of the machine, whether their interfaces are up or down.
    addresses: BTreeSet<Ipv4Addr>,
    /// The networks of its interfaces. An interface that is down has none.
    connected: Vec<(Ipv4Net, String)>,
    /// The indexes of the interfaces that are up, by name.
    numbers: HashMap<String, i64>,
    packet: Vec<PacketSocket>,
    udp: Vec<UdpSocket>,
}

/// A socket that receives an interface's packets. Kea and ISC dhcpd open one for each interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PacketSocket {
    interface: i64,
    /// False while the interface is down, and permanently once it was removed.
    running: bool,
    inode: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct UdpSocket {
    address: Ipv4Addr,
    port: u16,
    inode: u64,
}

/// The sockets of the server; `None` if the agent may not see which they are.
pub(crate) type Own<'a> = Option<&'a BTreeSet<u64>>;

/// The port of DHCP servers.
const PORT: u16 = 67;

impl View {
    /// The state of a process's namespace.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let [addresses, routes, interfaces, packet, udp] =
            ["fib_trie", "route", "igmp", "packet", "udp"].map(|name| read(&format!("/proc/{pid}/net/{name}")));
        // A kernel without packet sockets has no file for them.
        Ok(Self::parse([&addresses?, &routes?, &interfaces?, &packet.unwrap_or_default(), &udp?]))
    }

    /// Parses the texts of the files. A line that cannot be parsed is ignored.
    pub(crate) fn parse([addresses, routes, interfaces, packet, udp]: [&str; 5]) -> Self {
        let mut view = Self::default();
        let mut last = None;
        for line in addresses.lines().map(str::trim) {
            if let Some(address) = line.strip_prefix("|-- ") {
                last = address.parse::<Ipv4Addr>().ok();
            } else if line == "/32 host LOCAL" {
                view.addresses.extend(last.filter(|address| !address.is_loopback()));
            }
        }
        view.connected.extend(routes.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [name, network, gateway, _, _, _, _, mask, ..] = *fields.as_slice() else { return None };
            let network = Ipv4Net::with_netmask(address(network)?, address(mask)?).ok()?;
            (address(gateway)?.is_unspecified() && network.prefix_len() > 0).then(|| (network.trunc(), name.to_owned()))
        }));
        // Only these lines begin with a number; lines about groups are indented.
        view.numbers.extend(interfaces.lines().filter(|line| !line.starts_with(char::is_whitespace)).filter_map(|line| {
            let mut fields = line.split_whitespace();
            let number = fields.next()?.parse().ok()?;
            Some((fields.next()?.trim_end_matches(':').to_owned(), number))
        }));
        view.packet.extend(packet.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, _, _, _, interface, running, _, _, inode, ..] = *fields.as_slice() else { return None };
            Some(PacketSocket { interface: interface.parse().ok()?, running: running == "1", inode: inode.parse().ok()? })
        }));
        view.udp.extend(udp.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, _, _, _, _, _, _, inode, ..] = *fields.as_slice() else { return None };
            let (local, port) = local.split_once(':')?;
            Some(UdpSocket { address: address(local)?, port: u16::from_str_radix(port, 16).ok()?, inode: inode.parse().ok()? })
        }));
        view
    }

    /// The machine's address in a network, if there is one.
    pub(crate) fn address_in(&self, network: Ipv4Net) -> Option<Ipv4Addr> {
        self.addresses.iter().copied().find(|address| network.contains(address))
    }

    /// The interface of one of the machine's addresses; `None` if it is down.
    pub(crate) fn interface_of(&self, address: Ipv4Addr) -> Option<&str> {
        let around = self.connected.iter().filter(|(network, _)| network.contains(&address));
        let (_, name) = around.max_by_key(|(network, _)| network.prefix_len())?;
        self.numbers.contains_key(name).then_some(name.as_str())
    }

    /// Whether a socket of the server receives the packets of an interface.
    pub(crate) fn sees(&self, interface: &str, own: Own<'_>) -> bool {
        let number = self.numbers.get(interface);
        self.packet.iter().any(|socket| socket.running && Some(&socket.interface) == number && is_own(socket.inode, own))
    }

    /// Whether a socket of the server is bound to the port, on this address or on all.
    pub(crate) fn has_port(&self, on: Option<Ipv4Addr>, own: Own<'_>) -> bool {
        let there = |address: Ipv4Addr| address.is_unspecified() || on.is_none_or(|on| on == address);
        self.udp.iter().any(|socket| socket.port == PORT && there(socket.address) && is_own(socket.inode, own))
    }

    /// Whether a socket of the server receives the packets of any interface.
    pub(crate) fn sees_anything(&self, own: Own<'_>) -> bool {
        self.packet.iter().any(|socket| socket.running && is_own(socket.inode, own))
    }
}

fn is_own(inode: u64, own: Own<'_>) -> bool {
    own.is_none_or(|own| own.contains(&inode))
}

/// An address in the kernel's form: the four bytes as one number in this machine's byte order.
fn address(hexadecimal: &str) -> Option<Ipv4Addr> {
    u32::from_str_radix(hexadecimal, 16).ok().map(|number| Ipv4Addr::from(number.to_ne_bytes()))
}

/// The content of a text file, up to a limit.
pub(crate) fn read(path: &str) -> io::Result<String> {
    let mut bytes = vec![];
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    // The files of Linux 6.18 for a Kea with an interface that is up, with one that is down, and after it was created again.
    const ADDRESSES: &str = "Main:\n  +-- 0.0.0.0/1 2 0 2\n     +-- 10.99.0.0/24 2 0 2\n           |-- 10.99.0.0\n              /24 link UNICAST\n           |-- 10.99.0.2\n              /32 host LOCAL\n        |-- 10.99.0.255\n           /32 link BROADCAST\n     +-- 127.0.0.0/8 2 0 2\n           |-- 127.0.0.1\n              /32 host LOCAL\n";
    const ROUTES: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\nbr0\t0000630A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    const INTERFACES: &str = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n5\tbr0       :     2      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n";
    const UDP: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  820: 0200630A:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 2357515 2 000000003f520bf6 0\n";

    fn packet(interface: i64, running: u8) -> String {
        format!(
            "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n00000000f54112ad 3      3    0003   {interface}     {running} 0      0      2357516\n"
        )
    }

    #[test]
    fn a_listening_server_is_detected() {
        let view = View::parse([ADDRESSES, ROUTES, INTERFACES, &packet(5, 1), UDP]);
        let address = view.address_in("10.99.0.0/24".parse().expect("a network")).expect("an address");
        assert_eq!((address, view.interface_of(address)), (Ipv4Addr::new(10, 99, 0, 2), Some("br0")));
        assert_eq!(view.address_in("10.98.0.0/24".parse().expect("a network")), None);
        assert!(view.sees("br0", None) && view.sees_anything(None) && view.has_port(Some(address), None));
        assert!(!view.sees("eth0", None) && !view.has_port(Some(Ipv4Addr::new(10, 98, 0, 2)), None));

        // Sockets of another process do not count.
        let (others, own) = (BTreeSet::from([1]), BTreeSet::from([2_357_515, 2_357_516]));
        assert!(!view.sees("br0", Some(&others)) && !view.has_port(None, Some(&others)));
        assert!(view.sees("br0", Some(&own)) && view.has_port(None, Some(&own)));
    }

    #[test]
    fn an_interface_that_is_down_or_was_recreated_receives_no_requests() {
        let header = |text: &str| text.lines().take(1).collect::<String>();
        let down = View::parse([ADDRESSES, &header(ROUTES), &header(INTERFACES), &packet(5, 0), UDP]);
        let address = down.address_in("10.99.0.0/24".parse().expect("a network")).expect("it keeps its address");
        assert!(down.interface_of(address).is_none() && !down.sees("br0", None) && !down.sees_anything(None));

        let again = View::parse([ADDRESSES, ROUTES, INTERFACES, &packet(-1, 0), UDP]);
        assert!(again.interface_of(address) == Some("br0") && !again.sees("br0", None));
    }

    #[test]
    fn any_text_is_read_without_harm() {
        for text in ["", "\n", "|-- x\n/32 host LOCAL", "a b c d e f g h i j k", "1", "br0 zz zz 0 0 0 0 zz 0 0 0"] {
            assert_eq!(View::parse([text; 5]).addresses.len(), 0, "{text:?}");
        }
    }
}
