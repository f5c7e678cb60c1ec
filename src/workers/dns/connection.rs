//! A TCP connection to a DNS server. Every message is signed, and the signature of every response is verified (TSIG, RFC 8945).
//!
//! Queries are signed like updates: a server may select its view of a zone by the key, and may refuse all unsigned queries. The
//! client of hickory signs only updates and transfers, so it is not used here.

use bootledger_aggregates::drift::DriftProblem;
use bootledger_aggregates::site::TsigKey;
use bootledger_aggregates::values::text::Text;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::{TSigVerifier, TSigner};
use std::collections::HashMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::warn;

/// How long connecting to the server and its response may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
/// The maximum difference between the clocks, in seconds (RFC 8945, section 10).
pub(super) const FUDGE: u16 = 300;

/// Why a message failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The server holds different records from those in the update's prerequisite, so it has changed nothing.
    HoldsElse,
    /// The server no longer responds, for this reason.
    Gone(DriftProblem),
    /// Any other failure.
    Other(DriftProblem),
}

impl Trouble {
    /// A defect of the program, or damaged data.
    pub(super) fn internal(detail: &str) -> Self {
        Self::Other(DriftProblem::Internal { detail: Text::fitted(detail) })
    }
}

/// A signed connection to one server.
pub(super) struct Connection {
    address: SocketAddr,
    key: TsigKey,
    signer: TSigner,
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    awaited: Arc<Awaited>,
    reader: JoinHandle<()>,
}

/// The queries that await a response, by their message ids.
#[derive(Default)]
struct Awaited(Mutex<Questions>);

#[derive(Default)]
struct Questions {
    of: HashMap<u16, oneshot::Sender<Vec<u8>>>,
    next: u16,
    closed: bool,
}

impl Connection {
    /// Opens a connection to the server.
    pub(super) async fn open(address: SocketAddr, key: &TsigKey, signer: TSigner) -> Result<Self, DriftProblem> {
        let unreachable = |error: &dyn Display| unanswered(address, &format!("it cannot be reached: {error}"));
        let stream = match tokio::time::timeout(DEADLINE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(unreachable(&error)),
            Err(_) => return Err(unreachable(&format!("no connection within {} s", DEADLINE.as_secs()))),
        };
        if let Err(error) = stream.set_nodelay(true) {
            return Err(unreachable(&error));
        }
        let (read_half, write_half) = stream.into_split();
        let awaited = Arc::new(Awaited::default());
        let reader = tokio::spawn(read(read_half, Arc::clone(&awaited)));
        Ok(Self { address, key: key.clone(), signer, writer: write_half.into(), awaited, reader })
    }

    /// The server's address and port.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name of the key that signs messages.
    pub(super) fn key(&self) -> &TsigKey {
        &self.key
    }

    /// Sends a message. Returns the response once its signature is verified.
    pub(super) async fn send(&self, mut message: Message) -> Result<Message, Trouble> {
        let (id, answer) = self.awaited.expect().ok_or_else(|| self.closed())?;
        let _forgotten = Forgotten { awaited: &self.awaited, id };
        message.metadata.id = id;
        let mut verifier = self.sign(&mut message)?;
        let bytes = message.to_vec().map_err(|error| Trouble::internal(&format!("the message cannot be written: {error}")))?;
        let exchange = async {
            self.write(&bytes).await.ok()?;
            answer.await.ok()
        };
        let silent = |_| Trouble::Gone(unanswered(self.address, &format!("it did not answer within {} s", DEADLINE.as_secs())));
        let answer = tokio::time::timeout(DEADLINE, exchange).await.map_err(silent)?.ok_or_else(|| self.closed())?;
        self.verified(&mut verifier, &answer)
    }

    fn sign(&self, message: &mut Message) -> Result<TSigVerifier, Trouble> {
        let signed = message.finalize(&self.signer, now()).map_err(|error| error.to_string());
        let verifier = signed.and_then(|verifier| verifier.ok_or_else(|| "no signature was made".to_owned()));
        verifier.map_err(|error| {
            Trouble::Other(DriftProblem::KeyUnusable { key: self.key.name.clone(), detail: Text::fitted(&error) })
        })
    }

    async fn write(&self, message: &[u8]) -> std::io::Result<()> {
        let length = u16::try_from(message.len()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
        // The message is sent in one piece and under a lock: interleaved messages would end the connection.
        let framed = [&length.to_be_bytes()[..], message].concat();
        self.writer.lock().await.write_all(&framed).await
    }

    fn verified(&self, verifier: &mut TSigVerifier, bytes: &[u8]) -> Result<Message, Trouble> {
        let answer = Message::from_vec(bytes)
            .map_err(|error| Trouble::Other(unanswered(self.address, &format!("its response is malformed: {error}"))))?;
        let (primary, key) = (self.address, self.key.name.clone());
        // A server that refuses a signature gives the reason in a response that it cannot or need not sign (RFC 8945, section
        // 5.2).
        let refused = answer.signature().and_then(|signature| Some((signature.data.error?, &signature.data)));
        if let Some((error, signature)) = refused {
            return Err(Trouble::Other(match error {
                TsigError::BadKey => DriftProblem::KeyUnknown { primary, key, algorithm: self.key.algorithm },
                TsigError::BadSig => DriftProblem::KeyDiffers { primary, key },
                TsigError::BadTime => DriftProblem::ClocksDiffer { primary, key, allowed: FUDGE, ahead: ahead(&signature.other) },
                other => DriftProblem::SignatureRefused { primary, key, error: u16::from(other) },
            }));
        }
        if answer.signature().is_none() {
            let response = Text::fitted(&code(answer.response_code));
            return Err(Trouble::Other(DriftProblem::Unsigned { primary, key, response }));
        }
        verifier.verify(bytes).map_err(|error| {
            Trouble::Other(DriftProblem::NotTrusted { primary, key, detail: Text::fitted(&error.to_string()) })
        })?;
        Ok(answer)
    }

    fn closed(&self) -> Trouble {
        Trouble::Gone(unanswered(self.address, "it closed the connection"))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Awaited {
    fn questions(&self) -> MutexGuard<'_, Questions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers one more awaited response: its message id, and the channel on which it arrives. `None` once the connection is
    /// closed.
    fn expect(&self) -> Option<(u16, oneshot::Receiver<Vec<u8>>)> {
        let mut questions = self.questions();
        if questions.closed {
            return None;
        }
        let (answered, answer) = oneshot::channel();
        // Few queries are in progress, so one of the next ids is free. The signature of a response proves which query it
        // belongs to.
        let id = (0..=u16::MAX).map(|step| questions.next.wrapping_add(step)).find(|id| !questions.of.contains_key(id))?;
        questions.next = id.wrapping_add(1);
        questions.of.insert(id, answered);
        Some((id, answer))
    }
}

/// Removes an awaited query when it is dropped, regardless of its result.
struct Forgotten<'a> {
    awaited: &'a Awaited,
    id: u16,
}

impl Drop for Forgotten<'_> {
    fn drop(&mut self) {
        self.awaited.questions().of.remove(&self.id);
    }
}

/// Delivers responses to their queries until the connection ends.
async fn read(mut read_half: OwnedReadHalf, awaited: Arc<Awaited>) {
    while let Ok(length) = read_half.read_u16().await {
        let mut message = vec![0; usize::from(length)];
        if read_half.read_exact(&mut message).await.is_err() {
            break;
        }
        let [high, low, ..] = message[..] else { break };
        if let Some(answered) = awaited.questions().of.remove(&u16::from_be_bytes([high, low])) {
            drop(answered.send(message));
        }
    }
    let mut questions = awaited.questions();
    questions.closed = true;
    questions.of.clear();
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// How many seconds the server's clock is ahead of this machine's. The server sends its time in 48 bits with BADTIME.
fn ahead(other: &[u8]) -> Option<i64> {
    let seconds = <[u8; 6]>::try_from(other).ok()?;
    let theirs = seconds.iter().fold(0, |all, octet| all << 8 | i64::from(*octet));
    Some(theirs - i64::try_from(now()).ok()?)
}

/// The problem that all users see if nothing at this address responded like a primary, regardless of the reason. It must not
/// reveal which ports of which hosts are open. The log has the details.
fn unanswered(primary: SocketAddr, details: &str) -> DriftProblem {
    warn!(%primary, details, "a DNS primary did not answer");
    DriftProblem::NoAnswer { primary }
}

/// An explanation of a server's response code.
pub(super) fn code(code: ResponseCode) -> String {
    match code {
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::NotAuth => "NOTAUTH".to_owned(),
        ResponseCode::NotZone => "NOTZONE".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NoError => "NOERROR".to_owned(),
        other => other.to_string(),
    }
}
