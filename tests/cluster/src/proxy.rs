//! A TCP proxy that misbehaves on command: it delays, stops relaying without closing, resets, and loses one direction.
//!
//! A test puts it between the service and a server that the service connects to. Faults apply to established connections, to
//! new ones, or to both: a failover, or a firewall that lost its state, silences only the established ones.

use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does with a connection's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Relays both directions immediately.
    #[default]
    Relay,
    /// Relays each piece after this delay.
    Delay(Duration),
    /// Relays nothing and closes nothing: the other side only notices that no answer comes.
    Silent,
    /// Relays what the client sends and drops every answer.
    LosesAnswers,
    /// Relays answers and drops what the client sends.
    LosesRequests,
    /// Resets the connection (RST).
    Reset,
}

/// The server that connections are relayed to.
#[derive(Clone, Debug)]
pub enum Target {
    /// A TCP server at this address.
    Tcp(SocketAddr),
    /// The Unix socket of a server, such as `DIRECTORY/.s.PGSQL.5432`.
    Unix(PathBuf),
}

/// A running proxy. The proxy and its connections end when this value is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<Target>,
    /// The mode of new connections.
    new: Mutex<Mode>,
    /// A sender for each connection that was made. The sender of a connection that has ended has no receiver.
    connections: Mutex<Vec<watch::Sender<Mode>>>,
    accepted: AtomicUsize,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and relays to the target.
    ///
    /// # Errors
    /// Returns an error if no port is free.
    pub async fn start(target: Target) -> Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), target).await
    }

    /// Listens on this address and relays to the target.
    ///
    /// # Errors
    /// Returns an error if another program listens on the address, or if it is not an address of this machine.
    pub async fn start_at(address: SocketAddr, target: Target) -> Result<Self> {
        let listener = TcpListener::bind(address).await.context("the proxy cannot listen")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            new: Mutex::default(),
            connections: Mutex::default(),
            accepted: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// The address that the proxy listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Relays new connections to this target; established ones stay.
    pub fn lead_to(&self, target: Target) {
        *locked(&self.shared.target) = target;
    }

    /// Sets the mode of new connections; established ones keep theirs.
    pub fn set_new(&self, mode: Mode) {
        *locked(&self.shared.new) = mode;
    }

    /// Sets the mode of established connections; new ones are not affected.
    pub fn set_established(&self, mode: Mode) {
        for connection in locked(&self.shared.connections).iter() {
            connection.send_replace(mode);
        }
    }

    /// Sets the mode of all connections, established and new.
    pub fn set_all(&self, mode: Mode) {
        self.set_new(mode);
        self.set_established(mode);
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        locked(&self.shared.connections).iter().filter(|connection| connection.receiver_count() > 0).count()
    }

    /// How many connections have been accepted since the start.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        // The relays notice that their senders are dropped.
        locked(&self.shared.connections).clear();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.accepted.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = watch::channel(*locked(&shared.new));
        let target = locked(&shared.target).clone();
        let mut connections = locked(&shared.connections);
        connections.retain(|connection| connection.receiver_count() > 0);
        connections.push(sender);
        drop(connections);
        tokio::spawn(connect(client, target, receiver));
    }
}

type Reader = Pin<Box<dyn AsyncRead + Send>>;
type Writer = Pin<Box<dyn AsyncWrite + Send>>;

async fn connect(client: TcpStream, target: Target, mut mode: watch::Receiver<Mode>) {
    drop(client.set_nodelay(true));
    let Ok(same_socket) = client.as_fd().try_clone_to_owned() else { return };
    // A connection that is silent from the start does not reach the target until that changes.
    let relays = mode.wait_for(|mode| *mode != Mode::Silent).await.map(|mode| *mode);
    let (reader, writer): (Reader, Writer) = match (relays, target) {
        (Err(_), _) => return,
        (Ok(Mode::Reset), _) => return drop(client.set_zero_linger()),
        (Ok(_), Target::Tcp(address)) => match TcpStream::connect(address).await {
            Ok(server) => {
                drop(server.set_nodelay(true));
                let (reader, writer) = server.into_split();
                (Box::pin(reader), Box::pin(writer))
            }
            Err(_) => return,
        },
        (Ok(_), Target::Unix(path)) => match UnixStream::connect(path).await {
            Ok(server) => {
                let (reader, writer) = server.into_split();
                (Box::pin(reader), Box::pin(writer))
            }
            Err(_) => return,
        },
    };
    let mut resets = mode.clone();
    let (from_client, to_client) = client.into_split();
    let requests = relay(Box::pin(from_client), writer, mode.clone(), Mode::LosesRequests);
    let answers = async {
        let mut to_client: Writer = Box::pin(to_client);
        relay_into(reader, &mut to_client, mode, Mode::LosesAnswers).await;
        to_client
    };
    let reset = async {
        drop(resets.wait_for(|mode| *mode == Mode::Reset).await);
    };
    tokio::select! {
        _ = futures::future::join(requests, answers) => {}
        () = reset => {
            if let Ok(socket) = TcpStream::from_std(same_socket.into()) {
                drop(socket.set_zero_linger());
            }
        }
    }
}

async fn relay(from: Reader, mut to: Writer, mode: watch::Receiver<Mode>, loses: Mode) {
    relay_into(from, &mut to, mode, loses).await;
}

async fn relay_into(mut from: Reader, to: &mut Writer, mut mode: watch::Receiver<Mode>, loses: Mode) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        // While the connection is silent, its end is lost like everything else.
        let Ok(now) = mode.wait_for(|mode| *mode != Mode::Silent).await.map(|mode| *mode) else { return };
        if let Mode::Delay(time) = now {
            tokio::time::sleep(time).await;
        }
        if length == 0 {
            break;
        }
        let piece = buffer.get(..length).unwrap_or_default();
        if now != loses && to.write_all(piece).await.is_err() {
            break;
        }
    }
    drop(to.shutdown().await);
}
