//! The port that receives requests. It also reports the address that a request was sent to: the answer must come from that
//! address, because the client ignores packets from any other.

use super::packet::LARGEST_REQUEST;
use anyhow::{Context, Result};
use nix::cmsg_space;
use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A packet that has arrived.
pub(super) struct Arrival {
    /// The sender of the packet.
    pub(super) client: SocketAddr,
    /// The address that the packet was sent to, with any port; `None` if it was not sent to this machine alone.
    pub(super) local: Option<SocketAddr>,
    /// The content of the packet, at most one byte longer than a request may be.
    pub(super) bytes: Vec<u8>,
}

/// The listening socket.
pub(super) struct Listener {
    socket: UdpSocket,
    address: SocketAddr,
}

impl Listener {
    pub(super) async fn bind(address: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind(address).await.map_err(|error| {
            let advice = match error.kind() {
                ErrorKind::PermissionDenied => "; a port below 1024 needs root or the capability CAP_NET_BIND_SERVICE",
                ErrorKind::AddrInUse => "; another TFTP server listens there",
                _ => "",
            };
            anyhow::Error::new(error).context(format!("cannot listen on {address} for TFTP{advice}"))
        })?;
        let address = socket.local_addr()?;
        let text = if address.is_ipv4() {
            setsockopt(&socket, Ipv4PacketInfo, &true)
        } else {
            setsockopt(&socket, Ipv6RecvPacketInfo, &true)
        };
        text.context("the system does not report the destination address of packets")?;
        Ok(Self { socket, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn receive(&self) -> io::Result<Arrival> {
        self.socket.async_io(Interest::READABLE, || self.try_receive()).await
    }

    fn try_receive(&self) -> io::Result<Arrival> {
        let mut bytes = vec![0; LARGEST_REQUEST + 1];
        let mut control = cmsg_space!(in_pktinfo, in6_pktinfo);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let message =
            recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
        let client = message.address.as_ref().and_then(socket_address);
        let client = client.ok_or_else(|| io::Error::from(ErrorKind::InvalidData))?;
        let local = message.cmsgs()?.find_map(|message| destination(&message));
        let length = message.bytes;
        bytes.truncate(length);
        Ok(Arrival { client, local, bytes })
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
}

/// The address that a packet was sent to. Broadcast and multicast requests must not be answered (RFC 1123, 4.2.3.5).
fn destination(message: &ControlMessageOwned) -> Option<SocketAddr> {
    match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            let address = |raw: u32| Ipv4Addr::from(raw.to_ne_bytes());
            let (requested, own) = (address(info.ipi_addr.s_addr), address(info.ipi_spec_dst.s_addr));
            (requested == own).then(|| SocketAddr::new(IpAddr::V4(own), 0))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let requested = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            // An IPv4 client of a dual-stack socket is answered over IPv4; a link-local address needs the interface.
            let scope = if requested.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
            (!requested.is_multicast()).then(|| SocketAddr::V6(SocketAddrV6::new(requested, 0, 0, scope)))
        }
        _ => None,
    }
}
