//! Tests of the server over the network: with a client that misbehaves as the test requires, and with the real clients in
//! Debian.

pub(crate) mod folder;
mod limits;
mod names;
mod protocol;
mod real_clients;
mod rehearsals;

use super::{Limits, Server};
use crate::packet::{self, Packet};
use folder::Folder;
use prometheus::Registry;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// Longer than any successful operation takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long no packet may arrive in order to conclude that none is sent: much longer than an answer takes, and shorter than the
/// first wait before a retransmission.
const SILENCE: Duration = Duration::from_millis(300);

/// A server with a folder of its own.
struct Served {
    address: SocketAddr,
    folder: TempDir,
    metrics: Registry,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Served {
    async fn start() -> Self {
        Self::with(Limits::default(), IpAddr::V4(Ipv4Addr::LOCALHOST)).await
    }

    async fn with(limits: Limits, address: IpAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("loaders")).expect("a folder");
        let files = Arc::new(Folder(folder.path().join("loaders")));
        let metrics = Registry::new();
        let server = Server::bind(SocketAddr::new(address, 0), files, limits, &metrics).await.expect("a server");
        let (stop, stopped) = watch::channel(false);
        Self { address: server.address(), folder, metrics, stop, task: tokio::spawn(server.run(stopped)) }
    }

    /// Creates a file of this size in the folder. Returns its bytes.
    fn file(&self, name: &str, size: usize) -> Vec<u8> {
        // Each block contains its number, so that mixed-up blocks are detected.
        let bytes: Vec<u8> = (0..).flat_map(|number: u32| number.to_le_bytes()).take(size).collect();
        std::fs::write(self.folder.path().join("loaders").join(name), &bytes).expect("a written file");
        bytes
    }

    /// The value of a metric, by its name and the value of its label.
    fn counted(&self, name: &str, label: &str) -> u64 {
        let families = self.metrics.gather();
        let family = families.iter().find(|family| family.name() == format!("bootledger_tftp_{name}")).expect(name);
        let of_label =
            |metric: &&prometheus::proto::Metric| label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label);
        let metric = family.get_metric().iter().find(of_label).expect(label);
        // The metric is either a counter or a gauge, and the other value is zero.
        let number = metric.get_counter().get_value() + metric.get_gauge().get_value();
        format!("{number}").parse().expect("a whole number")
    }

    /// Waits until a counter has this value.
    async fn counts(&self, name: &str, label: &str, number: u64) {
        let begun = Instant::now();
        while self.counted(name, label) != number {
            assert!(begun.elapsed() < PATIENCE, "{name} {label} is {} and not {number}", self.counted(name, label));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A client with a port of its own.
struct Client {
    socket: UdpSocket,
    server: SocketAddr,
    /// The address from which the server answers, once it has.
    peer: Option<SocketAddr>,
}

impl Client {
    async fn of(served: &Served) -> Self {
        Self::at(Ipv4Addr::LOCALHOST, served.address).await
    }

    async fn at(own: impl Into<IpAddr>, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((own.into(), 0)).await.expect("a port");
        Self { socket, server, peer: None }
    }

    async fn send_request(&self, file: impl AsRef<[u8]>, options: &[(&str, &str)]) {
        let mut bytes = [&[0, 1][..], file.as_ref(), &[0]].concat();
        let texts = ["octet"].into_iter().chain(options.iter().flat_map(|(name, value)| [*name, *value]));
        texts.for_each(|text| bytes.extend(text.bytes().chain([0])));
        self.say(&bytes).await;
    }

    /// Sends any bytes to the server's own port.
    async fn say(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.server).await.expect("a sent packet");
    }

    /// Sends any bytes to the port that has answered.
    async fn answer(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.peer.expect("an answer before")).await.expect("a sent packet");
    }

    async fn acknowledge(&self, number: u16) {
        self.answer(&[&[0, 4][..], &number.to_be_bytes()].concat()).await;
    }

    async fn receive_within(&mut self, limit: Duration) -> Option<Vec<u8>> {
        let mut bytes = vec![0; 70_000];
        let (length, from) = timeout(limit, self.socket.recv_from(&mut bytes)).await.ok()?.expect("a packet");
        self.peer = Some(from);
        bytes.truncate(length);
        Some(bytes)
    }

    async fn receive(&mut self) -> Heard {
        Heard::parse(&self.receive_within(PATIENCE).await.expect("an answer"))
    }

    async fn receives_nothing(&mut self) {
        if let Some(received) = self.receive_within(SILENCE).await {
            panic!("there was an answer: {:?}", Heard::parse(&received));
        }
    }

    /// Fetches a file as a correct client does.
    async fn fetch(&mut self, file: impl AsRef<[u8]>, options: &[(&str, &str)]) -> Vec<u8> {
        self.send_request(file, options).await;
        let (mut bytes, mut block, mut window) = (vec![], 512, 1);
        let mut next: u64 = 1;
        loop {
            match self.receive().await {
                Heard::Options(options) => {
                    block = options.get("blksize").copied().unwrap_or(512);
                    window = options.get("windowsize").copied().unwrap_or(1);
                    self.acknowledge(0).await;
                }
                Heard::Data(number, content) if number == packet::wire(next) => {
                    bytes.extend_from_slice(&content);
                    let last = (content.len() as u64) < block;
                    if last || next.is_multiple_of(window) {
                        self.acknowledge(number).await;
                    }
                    if last {
                        return bytes;
                    }
                    next += 1;
                }
                Heard::Data(..) => {}
                Heard::Error(code, message) => panic!("error {code}: {message}"),
            }
        }
    }
}

/// A packet from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Data(u16, Vec<u8>),
    Error(u16, String),
    Options(HashMap<String, u64>),
}

impl Heard {
    fn parse(bytes: &[u8]) -> Self {
        match bytes {
            [0, 3, high, low, content @ ..] => Self::Data(u16::from_be_bytes([*high, *low]), content.to_vec()),
            [0, 6, options @ ..] => {
                let texts: Vec<&str> = std::str::from_utf8(options).expect("text").split_terminator('\0').collect();
                let pairs = texts.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].parse().expect("a number")));
                Self::Options(pairs.collect())
            }
            _ => match Packet::parse(bytes) {
                Ok(Packet::Error(code, message)) => Self::Error(code, message),
                other => panic!("a server does not say {other:?}"),
            },
        }
    }
}

fn options(pairs: &[(&str, u64)]) -> Heard {
    Heard::Options(pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
}
