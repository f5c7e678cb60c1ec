//! Kea's control socket (Kea Administrator Reference Manual, chapter "Management API"): one command and its response per
//! connection, both JSON. This module does not depend on files, except for the settings that a document needs so that the
//! socket stays open and Kea can report which document it runs.

mod changes;
mod document;
mod hosts;
#[cfg(test)]
mod tests;
mod version;

use super::command;
use anyhow::Result;
use bootledger_aggregates::values::sha256::Sha256;
pub(crate) use changes::Changes;
use document::Form;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::Instant;
use version::Version;

/// The maximum size of a response, in bytes. A page of reservations may have some hundred thousand.
const LARGEST: u64 = 16 * 1024 * 1024;

/// How long Kea may take to report its status. While Kea reads a large configuration it does not respond, which is not an
/// error.
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// How long after Kea loaded reservations they are first compared.
const FIRST_COMPARED: Duration = Duration::from_secs(15);

/// How many of Kea's errors are examined.
const MOST_ERRORS: usize = 256;

/// How Kea's message begins about an interface on which it should listen and cannot. Kea need not listen on an interface that
/// is down or has no address; the kernel knows better which interfaces matter (see [`reception`](super::reception)).
const CANNOT_LISTEN: &str = "failed to open socket on interface";

/// A Kea server that is reached over its control socket.
#[derive(Debug)]
pub(crate) struct Kea {
    /// The path of the socket, as in Kea's own configuration.
    socket: PathBuf,
    /// The time limit of a command, from the connection to the last byte of the response.
    limit: Duration,
    /// Whether commands change single reservations.
    hosts: bool,
    known: Mutex<KeaState>,
}

/// What is known about the running Kea.
#[derive(Debug, Default)]
struct KeaState {
    version: Option<Version>,
    /// What Kea runs; kept only if commands change reservations.
    served: Option<Served>,
}

/// A document of the service that Kea runs.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    revision: Sha256,
    text: Arc<str>,
    /// When Kea's reservations are next compared with the document.
    compare_at: Instant,
}

/// A response in Kea's form. `result` is 0 for success.
#[derive(Debug, Deserialize)]
struct Answer {
    result: i64,
    #[serde(default)]
    text: String,
    #[serde(default)]
    arguments: Value,
    /// The id of the process that sent the response.
    #[serde(skip)]
    pid: Option<i32>,
}

/// Why there is no usable response.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    /// Whether no process listens on the socket.
    away: bool,
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self { message, away: false }
    }
}

impl From<Failure> for String {
    fn from(failure: Failure) -> Self {
        failure.message
    }
}

/// What a Kea that responds reports about itself.
#[derive(Debug)]
pub(crate) struct Status {
    /// The process id, if the process runs on this machine.
    pub(crate) pid: Option<u32>,
    /// Kea's own messages about interfaces that it cannot listen on.
    pub(crate) errors: Vec<String>,
}

impl Status {
    /// Why Kea cannot listen, if it has tried and failed.
    pub(crate) fn cannot_listen(&self) -> Option<String> {
        let cannot = |error: &&String| error.to_lowercase().starts_with(CANNOT_LISTEN);
        let errors: Vec<&str> = self.errors.iter().filter(cannot).map(String::as_str).collect();
        (!errors.is_empty()).then(|| command::fitted(&format!("Kea cannot listen: {}", errors.join(" | "))))
    }
}

/// Why Kea has sent no response, or not the expected one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Kea does not run.
    Away(String),
    /// Kea runs a different configuration from the expected one.
    Other(String),
    /// The state cannot be determined at the moment.
    Unclear(String),
}

impl Kea {
    pub(crate) fn new(socket: PathBuf, limit: Duration, hosts: bool) -> Self {
        Self { socket, limit, hosts, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, KeaState> {
        // The state behind the lock is always consistent, so a poisoned lock can be used.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The service's document in the form that this Kea reads, which depends on its version.
    pub(crate) async fn document(&self, bytes: &[u8], revision: Sha256) -> Result<Result<Vec<u8>, String>> {
        let version = match self.version().await {
            Ok(version) => version,
            Err(failure) => return Ok(Err(failure.message)),
        };
        Form { socket: &self.socket, version, hosts: self.hosts }.document(bytes, revision).map(Ok)
    }

    /// Whether a file with this beginning was written for a different version of Kea than the last one seen, or for other
    /// options of the agent.
    pub(crate) fn is_otherwise(&self, beginning: &str) -> bool {
        let Some(version) = self.known().version else { return false };
        let head = Form { socket: &self.socket, version, hosts: self.hosts }.head();
        head.is_ok_and(|head| !beginning.starts_with(&head))
    }

    /// The version of the running Kea.
    async fn version(&self) -> Result<Version, Failure> {
        let answer = self.send_command("version-get", None).await?;
        let version = Version::parse(&answer.text)
            .ok_or_else(|| format!("Kea returned its version in an unknown format: {}", command::fitted(&answer.text)))?;
        self.known().version = Some(version);
        Ok(version)
    }

    /// Determines the version of the running Kea, if it is not known yet. If Kea does not respond, the query is repeated later.
    pub(crate) async fn meet(&self) {
        if self.known().version.is_none() {
            let _ = tokio::time::timeout(self.limit.min(STATUS_LIMIT), self.version()).await;
        }
    }

    /// Whether commands change reservations.
    pub(crate) fn changes_hosts(&self) -> bool {
        self.hosts
    }

    /// Records which document of the service Kea runs.
    pub(crate) fn serves(&self, bytes: &[u8], revision: Sha256) {
        let text = std::str::from_utf8(bytes).ok().filter(|_| self.hosts);
        self.known().served =
            text.map(|text| Served { revision, text: Arc::from(text), compare_at: Instant::now() + FIRST_COMPARED });
    }

    /// The document that Kea runs, if it has this revision.
    pub(crate) fn served_text(&self, revision: Sha256) -> Option<Arc<str>> {
        self.served().filter(|served| served.revision == revision).map(|served| served.text)
    }

    fn served(&self) -> Option<Served> {
        self.known().served.clone()
    }

    fn compare_later(&self, wait: Duration) {
        if let Some(served) = &mut self.known().served {
            served.compare_at = Instant::now() + wait;
        }
    }

    /// Makes Kea check a document without using it. The error is Kea's message.
    pub(crate) async fn test(&self, document: &[u8]) -> Result<(), String> {
        let arguments: &RawValue = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        Ok(self.send_command("config-test", Some(arguments)).await.map(drop)?)
    }

    /// Makes Kea read its file again, and verifies that it runs that file, with this tag if one is given.
    pub(crate) async fn reload(&self, expected: Option<Sha256>) -> Result<(), String> {
        self.send_command("config-reload", None).await?;
        // A Kea that was started with a different file has read that one, and reports success.
        let Some(expected) = expected else { return Ok(()) };
        let tag = self.tag().await?;
        if tag == expected.to_string() {
            return Ok(());
        }
        Err(format!(
            "Kea reloaded its configuration, but does not run the one that the agent wrote (it says that it runs {tag:?}); \
             check that Kea is started with the file of --config (`kea-dhcp4 -c`)"
        ))
    }

    /// Kea's status, if it runs this configuration.
    pub(crate) async fn status(&self, expected: Sha256) -> Result<Status, Trouble> {
        let requested = async {
            // Kea may have been replaced by a different version.
            self.version().await?;
            let tag = self.tag().await?;
            if tag != expected.to_string() {
                return Ok(Err(tag));
            }
            self.send_command("status-get", None).await.map(Ok)
        };
        let answer = match tokio::time::timeout(self.limit.min(STATUS_LIMIT), requested).await {
            Ok(Ok(Ok(answer))) => answer,
            Ok(Ok(Err(tag))) => {
                return Err(Trouble::Other(format!(
                    "Kea runs another configuration than the agent wrote (it says that it runs {tag:?})."
                )));
            }
            Ok(Err(Failure { message, away: true })) => {
                return Err(Trouble::Away(command::fitted(&format!(
                    "Kea is not running. Start it; its log says why it ended. {message}"
                ))));
            }
            Ok(Err(Failure { message, .. })) => return Err(Trouble::Unclear(message)),
            Err(_) => return Err(Trouble::Unclear("Kea is busy".to_owned())),
        };
        let errors = answer.arguments["sockets"]["errors"].as_array().cloned().unwrap_or_default();
        let errors = errors.iter().filter_map(Value::as_str).take(MOST_ERRORS).map(str::to_owned).collect();
        // The id of a process in another container is not usable here.
        let pid = answer.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
        Ok(Status { pid, errors })
    }

    /// The revision that Kea runs, as far as Kea reports one.
    async fn tag(&self) -> Result<String, Failure> {
        if self.hosts {
            return self.mark().await;
        }
        let answer = self.send_command("server-tag-get", None).await?;
        Ok(answer.arguments["server-tag"].as_str().unwrap_or_default().to_owned())
    }

    /// Sends a command. The error is Kea's, or says what is wrong with the socket.
    async fn send_command(&self, command: &str, arguments: Option<&RawValue>) -> Result<Answer, Failure> {
        self.send_accepting(command, arguments, &[0]).await
    }

    /// Sends a command for which these results are not errors.
    async fn send_accepting(&self, command: &str, arguments: Option<&RawValue>, accepted: &[i64]) -> Result<Answer, Failure> {
        let socket = self.socket.display();
        let exchanged = tokio::time::timeout(self.limit, exchange(&self.socket, command, arguments)).await;
        let (bytes, pid) = exchanged.map_err(|_| {
            format!("Kea has not answered `{command}` on its control socket {socket} within {} s", self.limit.as_secs())
        })??;
        let mut answer: Answer = serde_json::from_slice(&bytes).map_err(|error| {
            if error.is_eof() {
                format!("Kea closed its control socket {socket} before it had answered `{command}`")
            } else {
                format!(
                    "the program that listens at {socket} is not Kea: it answers `{command}` with an unknown response: {error}"
                )
            }
        })?;
        answer.pid = pid;
        match answer.result {
            result if accepted.contains(&result) => Ok(answer),
            _ if answer.text.is_empty() => {
                Err(format!("Kea refuses `{command}` with result {} and without a message", answer.result).into())
            }
            _ => Err(command::fitted(&answer.text).into()),
        }
    }
}

/// Sends one command and reads the response. Kea closes the connection after it.
async fn exchange(socket: &Path, command: &str, arguments: Option<&RawValue>) -> Result<(Vec<u8>, Option<i32>), Failure> {
    let path = socket.display();
    let mut stream = UnixStream::connect(socket).await.map_err(|error| Failure {
        away: matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused),
        message: format!(
            "Kea's control socket {path} cannot be reached: {error}; check that Kea runs with this path as the `control-socket` of its \
             configuration (`control-sockets` from 2.7.2 on), and that the agent may open it"
        ),
    })?;
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let begin = format!("{{\"command\":\"{command}\"");
    let arguments = arguments.map(|arguments| [",\"arguments\":", arguments.get()]).unwrap_or_default();
    // Kea may respond before the end of a command that it rejects. That response says more than the failure to write.
    let mut written = Ok(());
    for part in [&begin, arguments[0], arguments[1], "}"] {
        written = stream.write_all(part.as_bytes()).await;
        if written.is_err() {
            break;
        }
    }
    let mut answer = vec![];
    let read = stream.take(LARGEST).read_to_end(&mut answer).await;
    match written.and(read.map(drop)) {
        Err(error) if answer.is_empty() => Err(format!("Kea's control socket {path} broke during `{command}`: {error}").into()),
        _ => Ok((answer, pid)),
    }
}
