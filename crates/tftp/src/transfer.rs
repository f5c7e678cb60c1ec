//! Answers one request from a port of its own (RFC 1350, 4): sends the file, or the reason why not.

use super::content::Content;
use super::counters::Counters;
use super::log_limit::LogLimit;
use super::opening::{Opening, opening};
use super::options::{Agreement, agree};
use super::packet::{self, Code, DATA_HEADER, Malformed, Packet};
use super::patience::{Due, Patience};
use super::window::{Step, Window};
use super::{Files, OpenError};
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// How many bytes are sent at once. More would overflow the buffers of many clients, and losses at the end of a window are only
/// noticed after a timeout.
const BURST: usize = 64 * 1024;
/// How long to wait for the client to empty its buffers.
const PAUSE: Duration = Duration::from_millis(1);

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The client has received the whole file.
    Sent,
    /// There is no such file.
    Missing,
    /// The request was refused.
    Refused,
    /// The client ended the transfer, as firmware does that only requests a file's size.
    Ended,
    /// The client became silent, or its port was closed.
    Silent,
    /// The server failed, for example to read the file.
    Failed,
    /// The service is stopping.
    Stopped,
}

impl Outcome {
    /// Every outcome, so that each metric exists from the beginning.
    pub(super) const ALL: [Self; 7] =
        [Self::Sent, Self::Missing, Self::Refused, Self::Ended, Self::Silent, Self::Failed, Self::Stopped];

    /// The name in metrics and in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Missing => "missing",
            Self::Refused => "refused",
            Self::Ended => "ended_by_client",
            Self::Silent => "silent",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// A request, with everything that is needed to answer it.
pub(super) struct Transfer {
    /// A socket connected to the client's port, so that the kernel drops packets from all other senders.
    pub(super) socket: UdpSocket,
    /// The address of the client.
    pub(super) client: IpAddr,
    pub(super) files: Arc<dyn Files>,
    pub(super) counters: Counters,
    /// Becomes true when the client has responded, which proves that its address is not forged.
    pub(super) answered: Arc<AtomicBool>,
    /// Notified when the client has repeated its request, because it missed the first packet.
    pub(super) repeated: Arc<Notify>,
    /// The size of the request in bytes.
    pub(super) options_requested: usize,
    pub(super) log: Arc<LogLimit>,
}

/// The maximum size of a refusal, as a multiple of the request's size: it may be sent to a machine that has requested nothing.
pub(super) const LARGEST_REFUSAL: usize = 3;

/// How often acknowledged options are repeated to a client that has never responded. They are as small as the request. GRUB,
/// for example, never repeats its acknowledgement.
const OPTIONS_REPEATED: u32 = 2;

/// The same for a first block, which is many times as long as the request that causes it. curl does not repeat its
/// acknowledgement.
const BLOCK_REPEATED: u32 = 1;

/// How often the first packet is sent again because the client has repeated its request.
const REPEATED_REQUESTS: u32 = 4;

impl Transfer {
    /// Refuses a request with a message.
    pub(super) async fn refuse(&self, code: Code, why: &str) {
        // An error packet is sent once and never acknowledged (RFC 1350, 7).
        let limit = LARGEST_REFUSAL * self.options_requested;
        drop(self.socket.send(&packet::error(code, why, limit)).await);
    }

    /// Answers the first packet of a client.
    pub(super) async fn run(&self, packet: Result<Packet, Malformed>) -> Outcome {
        let request = match opening(&packet) {
            Opening::Read(request) => request,
            Opening::Refuse(code, why) => {
                self.refuse(code, &why).await;
                return Outcome::Refused;
            }
            Opening::Nothing => return Outcome::Refused,
        };
        match self.files.open(self.client, &request.file).await {
            Ok(file) => {
                let agreement = agree(&request.options, file.size());
                self.send_whole(Content::new(file), &agreement).await
            }
            Err(error @ OpenError::Missing) => {
                self.refuse(Code::FileNotFound, &error.to_string()).await;
                Outcome::Missing
            }
            Err(error @ OpenError::Refused(_)) => {
                self.refuse(Code::AccessViolation, &error.to_string()).await;
                Outcome::Refused
            }
            Err(error @ OpenError::Unreadable(_)) => self.fail(&error.to_string(), &error).await,
        }
    }

    async fn send_whole(&self, content: Content, agreement: &Agreement) -> Outcome {
        match self.send(content, agreement).await {
            Ok(outcome) => outcome,
            Err(error) if is_gone(&error) => Outcome::Silent,
            Err(error) => self.fail("the file could not be sent; the service's log says why", &error).await,
        }
    }

    async fn fail(&self, words: &str, error: &(dyn std::error::Error + Sync)) -> Outcome {
        if let Some(left_out) = self.log.allow(Instant::now()) {
            let cause = error.source().map(ToString::to_string);
            tracing::error!(left_out, "a file could not be sent: {error}: {cause:?}");
        }
        self.refuse(Code::NotDefined, words).await;
        Outcome::Failed
    }

    async fn send(&self, mut content: Content, agreement: &Agreement) -> io::Result<Outcome> {
        let mut window = Window::new(content.size(), agreement.block, agreement.window, !agreement.accepted.is_empty());
        let repeats = if window.under_way().is_none() { OPTIONS_REPEATED } else { BLOCK_REPEATED };
        let mut patience = Patience::new(agreement.timeout, repeats, Instant::now());
        let mut repeated_requests = 0;
        // Acknowledgements are small; of an error's message, the beginning is sufficient.
        let mut received = [0; 256];
        self.send_blocks(&mut content, agreement, window.under_way()).await?;
        loop {
            let length = tokio::select! {
                length = self.socket.recv(&mut received) => length?,
                () = self.repeated.notified(), if repeated_requests < REPEATED_REQUESTS && !self.answered.load(Ordering::Relaxed) => {
                    repeated_requests += 1;
                    self.send_blocks(&mut content, agreement, window.under_way()).await?;
                    continue;
                }
                () = sleep_until(patience.deadline()) => {
                    match patience.due(Instant::now()) {
                        Due::Nothing => {}
                        Due::GiveUp => return Ok(Outcome::Silent),
                        Due::Resend => {
                            self.send_blocks(&mut content, agreement, window.under_way()).await?;
                            patience.resent(Instant::now());
                        }
                    }
                    continue;
                }
            };
            let number = match Packet::parse(received.get(..length).unwrap_or_default()) {
                Ok(Packet::Acknowledgement(number)) => number,
                Ok(Packet::Error(code, message)) => {
                    self.answered.store(true, Ordering::Relaxed);
                    tracing::debug!(code, message, "the client ended the transfer");
                    return Ok(Outcome::Ended);
                }
                _ => continue,
            };
            let sent_some = window.under_way().is_some();
            match window.acknowledged(number) {
                Step::Ignore => {}
                Step::Suspect => patience.suspect(Instant::now()),
                Step::Send(blocks) => {
                    self.answered.store(true, Ordering::Relaxed);
                    if sent_some {
                        content.given().await;
                    }
                    self.send_blocks(&mut content, agreement, Some(blocks)).await?;
                    patience.progress(Instant::now());
                }
                Step::Complete => {
                    self.answered.store(true, Ordering::Relaxed);
                    content.given().await;
                    return Ok(Outcome::Sent);
                }
            }
        }
    }

    /// Sends blocks, or the acknowledged options if there are none.
    async fn send_blocks(
        &self,
        content: &mut Content,
        agreement: &Agreement,
        blocks: Option<RangeInclusive<u64>>,
    ) -> io::Result<()> {
        let Some(blocks) = blocks else {
            return self.send_packet(&packet::options(&agreement.accepted)).await;
        };
        let begin = |block: u64| (block - 1) * agreement.block;
        content.hold(begin(*blocks.start()), begin(*blocks.end() + 1)).await?;
        let mut packet = Vec::with_capacity(DATA_HEADER + usize::try_from(agreement.block).unwrap_or_default());
        let mut burst = 0;
        for block in blocks {
            if burst >= BURST {
                sleep(PAUSE).await;
                burst = 0;
            }
            let bytes = content.bytes(begin(block), begin(block + 1));
            packet::data(&mut packet, block, bytes);
            self.send_packet(&packet).await?;
            self.counters.sent_bytes.inc_by(bytes.len() as u64);
            burst += bytes.len();
        }
        Ok(())
    }

    /// A packet that the network does not accept now counts as lost, and is sent again in time.
    async fn send_packet(&self, packet: &[u8]) -> io::Result<()> {
        match self.socket.send(packet).await {
            Ok(_) => Ok(()),
            Err(error) if is_gone(&error) => Err(error),
            Err(error) => {
                tracing::debug!("a packet could not be received: {error}");
                Ok(())
            }
        }
    }
}

/// Whether the client's machine reports that no process listens on the port any more (ICMP, port unreachable).
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused
}
