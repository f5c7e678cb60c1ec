//! A DHCP message (RFC 2131) as an Ethernet frame, written and read byte by byte, so that a test sees what is on the wire and
//! not a client's interpretation of it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};

/// Options by their number. The parts of a split option are joined (RFC 3396).
pub(crate) type Options = BTreeMap<u8, Vec<u8>>;

/// The type of a message: its option 53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
    Release = 7,
    Inform = 8,
}

/// The parts of a message that tests check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) transaction: u32,
    /// `yiaddr`: the client's address.
    pub(crate) address: Ipv4Addr,
    /// `siaddr`: the next server.
    pub(crate) next_server: Ipv4Addr,
    pub(crate) mac: [u8; 6],
    /// `sname`, up to its first zero.
    pub(crate) server_name: Vec<u8>,
    /// `file`, up to its first zero.
    pub(crate) boot_file: Vec<u8>,
    pub(crate) options: Options,
}

/// A relay (RFC 1542, 4.1): it forwards its clients' messages to a server, which answers to the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Relay {
    /// `giaddr`: the relay's address in its clients' network.
    pub(crate) address: Ipv4Addr,
    /// The DHCP server.
    pub(crate) server: Ipv4Addr,
}

const ETHERNET: usize = 14;
const UDP: usize = 8;
/// The length of BOOTP's fields, which precede the options.
const FIELDS: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const MESSAGE_KIND: u8 = 53;
const OVERLOAD: u8 = 52;

impl Message {
    /// Parses the DHCP message in an Ethernet frame.
    pub(super) fn read(frame: &[u8]) -> Result<Self> {
        let header = usize::from(*frame.get(ETHERNET).context("the frame is empty")? & 15) * 4;
        let message = frame.get(ETHERNET + header + UDP..).context("the frame is too short")?;
        ensure!(message.get(FIELDS..FIELDS + 4) == Some(&COOKIE), "it is no message of DHCP");
        let address = |from: usize| Ipv4Addr::new(message[from], message[from + 1], message[from + 2], message[from + 3]);
        let mut options = Options::new();
        read_options(&message[FIELDS + 4..], &mut options)?;
        let overload = options.get(&OVERLOAD).and_then(|value| value.first().copied()).unwrap_or(0);
        let mut field = |from: usize, to: usize, overloaded: bool| -> Result<Vec<u8>> {
            if overloaded {
                read_options(&message[from..to], &mut options)?;
                return Ok(vec![]);
            }
            Ok(message[from..to].iter().copied().take_while(|byte| *byte != 0).collect())
        };
        let boot_file = field(108, FIELDS, overload & 1 != 0)?;
        let server_name = field(44, 108, overload & 2 != 0)?;
        let kind = match options.get(&MESSAGE_KIND).map(Vec::as_slice) {
            Some([1]) => Kind::Discover,
            Some([2]) => Kind::Offer,
            Some([3]) => Kind::Request,
            Some([4]) => Kind::Decline,
            Some([5]) => Kind::Ack,
            Some([6]) => Kind::Nak,
            Some([7]) => Kind::Release,
            Some([8]) => Kind::Inform,
            other => anyhow::bail!("{other:?} is no kind of message"),
        };
        Ok(Self {
            kind,
            transaction: u32::from_be_bytes(message[4..8].try_into()?),
            address: address(16),
            next_server: address(20),
            mac: message[28..34].try_into()?,
            server_name,
            boot_file,
            options,
        })
    }

    /// The frame of a broadcast by a client that has no address yet, or that frame as a relay forwards it. The client requests
    /// that its answer is also a broadcast.
    pub(super) fn frame(kind: Kind, mac: [u8; 6], transaction: u32, options: &Options, relay: Option<&Relay>) -> Vec<u8> {
        let mut message = vec![0; FIELDS];
        // A request over Ethernet, whose addresses have 6 bytes.
        message[..3].copy_from_slice(&[1, 1, 6]);
        message[4..8].copy_from_slice(&transaction.to_be_bytes());
        message[10] = 0x80;
        message[28..34].copy_from_slice(&mac);
        if let Some(relay) = relay {
            message[3] = 1; // hops
            message[24..28].copy_from_slice(&relay.address.octets());
        }
        message.extend(COOKIE);
        message.extend([MESSAGE_KIND, 1, kind as u8]);
        for (code, value) in options {
            message.extend([*code, u8::try_from(value.len()).expect("an option's value has at most 255 bytes")]);
            message.extend(value);
        }
        message.push(255);
        // BOOTP's minimum message length (RFC 951), which some relays and servers insist on.
        message.resize(message.len().max(300), 0);

        let mut udp = vec![0, if relay.is_some() { 67 } else { 68 }, 0, 67];
        udp.extend(length(message.len() + UDP));
        udp.extend([0, 0]); // no checksum
        udp.extend(message);

        let mut ip = vec![0x45, 0];
        ip.extend(length(udp.len() + 20));
        ip.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        ip.extend(relay.map_or([0; 4], |relay| relay.address.octets()));
        ip.extend(relay.map_or([255; 4], |relay| relay.server.octets()));
        let checksum = checksum(&ip);
        ip[10..12].copy_from_slice(&checksum);

        let mut frame = vec![255; 6];
        frame.extend(mac);
        frame.extend([8, 0]);
        frame.extend(ip);
        frame.extend(udp);
        frame
    }

    /// An option as text; empty where it is missing.
    pub(crate) fn text(&self, code: u8) -> String {
        self.options.get(&code).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    }
}

fn read_options(mut bytes: &[u8], options: &mut Options) -> Result<()> {
    loop {
        match bytes {
            [] | [255, ..] => return Ok(()),
            [0, rest @ ..] => bytes = rest,
            [code, size, rest @ ..] if rest.len() >= usize::from(*size) => {
                let (value, rest) = rest.split_at(usize::from(*size));
                options.entry(*code).or_default().extend(value);
                bytes = rest;
            }
            _ => anyhow::bail!("an option goes beyond the end of the message"),
        }
    }
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).expect("a message fits into a frame").to_be_bytes()
}

/// The checksum of an IP header (RFC 1071).
fn checksum(header: &[u8]) -> [u8; 2] {
    let sum: u32 = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (!u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX)).to_be_bytes()
}
