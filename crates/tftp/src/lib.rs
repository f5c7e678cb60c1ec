//! A read-only TFTP server for boot loaders (RFC 1350, 2347, 2348, 2349, 7440): it sends iPXE to firmware that has none.
//!
//! ```text
//!   listener ──► admission ──► transfer, on a port of its own: options, window, patience, content
//! ```
//! It does not depend on deployments: the implementor of [`Files`] decides who gets which file. It writes nothing.
//! docs/adr/0012-built-in-tftp-server.md explains why it is our own.

mod admission;
mod content;
mod counters;
mod files;
mod listener;
mod log_limit;
mod opening;
mod options;
mod packet;
mod patience;
pub mod rehearsal;
mod transfer;
mod window;

#[cfg(test)]
mod tests;

pub use admission::Limits;
pub use files::{Files, OpenError, OpenedFile};

use admission::{Admission, Dropped};
use anyhow::{Context, Result};
use counters::Counters;
use listener::{Arrival, Listener};
use log_limit::LogLimit;
use packet::{Code, Malformed, Packet, Request};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tracing::{debug, info, warn};
use transfer::{Outcome, Transfer};

/// How long dropped requests are not logged again.
const QUIET: Duration = Duration::from_mins(1);

/// A TFTP server that listens.
pub struct Server {
    listener: Listener,
    files: Arc<dyn Files>,
    counters: Counters,
    admission: Admission,
    transfers: JoinSet<Outcome>,
    /// The requests that are being answered, by the client's address and port.
    requests: HashMap<SocketAddr, PendingRequest>,
    clients: HashMap<Id, Client>,
    log: Arc<LogLimit>,
    dropped: u64,
    logged_at: Option<Instant>,
}

/// The client of a transfer, and whether it has responded: a forged address never does.
struct Client {
    address: SocketAddr,
    answered: Arc<AtomicBool>,
}

/// A request that is being answered.
struct PendingRequest {
    task: Id,
    request: Request,
    answered: Arc<AtomicBool>,
    /// When the client last sent the request.
    at: Instant,
    repeated: Arc<Notify>,
}

/// How soon a repeated request is answered again: an earlier one was sent before the answer arrived.
const REPEATED_WITHIN: Duration = Duration::from_millis(100);

impl Server {
    /// Binds the address. [`Server::run`] answers the requests.
    ///
    /// # Errors
    /// Returns an error if the address is in use or not permitted, or if the metrics are already registered.
    pub async fn bind(
        address: SocketAddr,
        files: Arc<dyn Files>,
        limits: Limits,
        metrics: &prometheus::Registry,
    ) -> Result<Self> {
        Ok(Self {
            listener: Listener::bind(address).await?,
            files,
            counters: Counters::register(metrics).context("cannot register the measurements of TFTP")?,
            admission: Admission::new(limits),
            transfers: JoinSet::new(),
            requests: HashMap::new(),
            clients: HashMap::new(),
            log: Arc::default(),
            dropped: 0,
            logged_at: None,
        })
    }

    /// The same server, with these files.
    #[must_use]
    pub fn serving(self, files: Arc<dyn Files>) -> Self {
        Self { files, ..self }
    }

    /// The address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Answers requests until `stop` holds true, which also ends transfers in progress.
    pub async fn run(mut self, stop: watch::Receiver<bool>) {
        let mut stopped = pin!(stopped(stop.clone()));
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => break,
                Some(ended) = self.transfers.join_next_with_id() => self.ended(match ended {
                    Ok((task, _)) => task,
                    Err(error) => error.id(),
                }),
                arrival = self.listener.receive() => match arrival {
                    Ok(arrival) => self.accept(arrival, &stop).await,
                    // Clients cannot cause this error. A short pause keeps a lasting failure from filling the log.
                    Err(error) => {
                        warn!(%error, "requests over TFTP cannot be received");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        while self.transfers.join_next().await.is_some() {}
    }

    async fn accept(&mut self, Arrival { client, local, bytes }: Arrival, stop: &watch::Receiver<bool>) {
        let packet = Packet::parse(&bytes);
        // For a packet of a byte or two, every answer would be many times as long.
        let stray = matches!(packet, Ok(Packet::Acknowledgement(_) | Packet::Error(..) | Packet::Stray) | Err(Malformed::Short));
        let Some(local) = local.filter(|_| !stray && client.port() != 0) else {
            return self.drop(client, Dropped::Stray);
        };
        let now = Instant::now();
        if let (Ok(Packet::Read(request)), Some(accept)) = (&packet, self.requests.get_mut(&client)) {
            // The client has not received the first packet and repeats its request: the transfer sends that packet again.
            if accept.request == *request && !accept.answered.load(Ordering::Relaxed) {
                if now < accept.at + REPEATED_WITHIN {
                    return self.drop(client, Dropped::Repeated);
                }
                return match self.admission.send_request(client.ip(), now) {
                    Ok(()) => {
                        accept.at = now;
                        accept.repeated.notify_one();
                    }
                    Err(reason) => self.drop(client, reason),
                };
            }
        }
        if let Err(reason) = self.admission.begin(client.ip(), self.unanswered(client.ip()), now) {
            return self.drop(client, reason);
        }
        let socket = match socket(local, client).await {
            Ok(socket) => socket,
            Err(error) => {
                self.admission.end(client.ip());
                self.counters.ended(Outcome::Failed);
                return warn!(%client, %error, "a request over TFTP cannot be answered");
            }
        };
        let answered = Arc::new(AtomicBool::new(false));
        let (files, counters) = (Arc::clone(&self.files), self.counters.clone());
        let (repeated, log) = (Arc::new(Notify::new()), Arc::clone(&self.log));
        let transfer = Transfer {
            socket,
            client: client.ip(),
            files,
            counters: counters.clone(),
            answered: Arc::clone(&answered),
            repeated: Arc::clone(&repeated),
            options_requested: bytes.len(),
            log: Arc::clone(&log),
        };
        let stopped = stopped(stop.clone());
        let request = if let Ok(Packet::Read(request)) = &packet { Some(request.clone()) } else { None };
        counters.running.inc();
        let task = self.transfers.spawn(async move {
            let begun = Instant::now();
            let file = if let Ok(Packet::Read(request)) = &packet { shown(&request.file) } else { String::new() };
            let outcome = tokio::select! {
                outcome = transfer.run(packet) => outcome,
                () = stopped => {
                    transfer.refuse(Code::NotDefined, "the service is stopping; retry later").await;
                    Outcome::Stopped
                }
            };
            counters.running.dec();
            counters.ended(outcome);
            let milliseconds = begun.elapsed().as_millis();
            // One line is logged for each client that has responded; of the others, only as many as help to understand what
            // happens.
            let left_out = if transfer.answered.load(Ordering::Relaxed) { Some(0) } else { log.allow(Instant::now()) };
            if let Some(left_out) = left_out {
                info!(%client, ?file, outcome = outcome.name(), milliseconds, left_out, "a request over TFTP ended");
            }
            outcome
        });
        self.clients.insert(task.id(), Client { address: client, answered: Arc::clone(&answered) });
        if let Some(request) = request {
            self.requests.insert(client, PendingRequest { task: task.id(), request, answered, at: now, repeated });
        }
    }

    /// How many transfers no client has responded to yet: in total, and for this address.
    fn unanswered(&self, client: IpAddr) -> (usize, usize) {
        let unanswered = self.clients.values().filter(|client| !client.answered.load(Ordering::Relaxed));
        unanswered.fold((0, 0), |(all, own), other| (all + 1, own + usize::from(other.address.ip() == client)))
    }

    fn ended(&mut self, task: Id) {
        let Some(Client { address: client, .. }) = self.clients.remove(&task) else { return };
        self.admission.end(client.ip());
        if self.requests.get(&client).is_some_and(|accept| accept.task == task) {
            self.requests.remove(&client);
        }
    }

    /// Counts a dropped request. Each is logged at debug level, with an occasional warning: a client that sends many must not
    /// fill the log.
    fn drop(&mut self, client: SocketAddr, reason: Dropped) {
        self.counters.dropped(reason);
        debug!(%client, reason = reason.name(), "a packet over TFTP was dropped");
        if matches!(reason, Dropped::Repeated | Dropped::Stray) {
            return;
        }
        self.dropped += 1;
        let now = Instant::now();
        if self.logged_at.is_none_or(|logged_at| now >= logged_at + QUIET) {
            warn!(%client, reason = reason.name(), requests = self.dropped, "TFTP requests are dropped; clients retry");
            (self.dropped, self.logged_at) = (0, Some(now));
        }
    }
}

/// A file's name for the log. A deployment's token, as in `pxe/t/TOKEN/NAME`, is left out.
fn shown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let (mut shown, mut before) = (vec![], ("", ""));
    // A client may write backslashes, or repeat slashes.
    for part in name.split(['/', '\\']) {
        shown.push(if before == ("pxe", "t") && !part.is_empty() && part != "." { "…" } else { part });
        if !part.is_empty() && part != "." {
            before = (before.1, part);
        }
    }
    shown.join("/")
}

/// A socket with a port of its own, on the address that the request was sent to, which receives packets only from the client.
async fn socket(local: SocketAddr, client: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(local).await?;
    socket.connect(client).await?;
    Ok(socket)
}

/// Returns when the service has to stop.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender no longer exists, which has the same effect.
    drop(stop.wait_for(|stop| *stop).await);
}

#[cfg(test)]
mod names_in_the_log {
    #[test]
    fn have_no_token() {
        for name in ["pxe/t/s3cret/ks.cfg", "/pxe//t/./s3cret/ks.cfg", "\\pxe\\t\\s3cret", "tftp://10.0.0.1/pxe/t/s3cret/x"] {
            let shown = super::shown(name.as_bytes());
            assert!(!shown.contains("s3cret") && shown.contains('…'), "{shown}");
        }
        assert_eq!(super::shown(b"grub/grub.cfg"), "grub/grub.cfg");
    }
}
