//! Kea's control socket (Kea Administrator Reference Manual, chapter "Management API"): a command and its answer for each
//! connection, both JSON. Knows nothing of files but what must be in a document so that the socket stays, and so that
//! Kea can be asked which one it runs.

#[cfg(test)]
mod tests;

use super::command;
use anyhow::{Context, Result};
use bootledger_aggregates::values::sha256::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The largest answer that is read, in bytes. Those to our commands have some hundred.
const LARGEST: u64 = 1024 * 1024;

/// How Kea's words for an interface begin that it cannot listen on. One without an address is none to listen on.
const CANNOT_LISTEN: &str = "failed to open socket on interface";

/// A server that is reached over its control socket.
#[derive(Debug)]
pub(crate) struct Kea {
    /// The path as Kea's own configuration has it.
    socket: PathBuf,
    /// How long a command may take, from the connection to the last byte of its answer.
    limit: Duration,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ControlSocket<'a> {
    socket_type: &'static str,
    socket_name: &'a Path,
}

/// An answer as Kea gives it. `result` is 0 for success.
#[derive(Debug, Deserialize)]
struct Answer {
    result: i64,
    #[serde(default)]
    text: String,
    #[serde(default)]
    arguments: Value,
}

impl Kea {
    pub(crate) fn new(socket: PathBuf, limit: Duration) -> Self {
        Self { socket, limit }
    }

    /// The service's document with what only this machine knows: the control socket, which Kea would close without it, and
    /// the revision as `server-tag`, by which Kea can be asked what it runs, at no cost even with 100,000 reservations. Kea
    /// itself uses the tag only with a configuration database, which is never part of the document.
    pub(crate) fn document(&self, bytes: &[u8], revision: Sha256) -> Result<Vec<u8>> {
        let mut document: BTreeMap<String, BTreeMap<String, &RawValue>> =
            serde_json::from_slice(bytes).context("what the service sent is no configuration of Kea")?;
        let socket = to_raw_value(&ControlSocket { socket_type: "unix", socket_name: &self.socket })?;
        let tag = to_raw_value(&revision)?;
        let server = document.get_mut("Dhcp4").context("what the service sent is no configuration of Kea's DHCPv4 server")?;
        server.insert("control-socket".to_owned(), &socket);
        server.insert("server-tag".to_owned(), &tag);
        Ok(serde_json::to_vec(&document)?)
    }

    /// Has Kea try a document without using it. The error is what it says against it.
    pub(crate) async fn test(&self, document: &[u8]) -> Result<(), String> {
        let arguments: &RawValue = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        self.ask("config-test", Some(arguments)).await.map(drop)
    }

    /// Has Kea read its file again, and makes sure that it runs that file, with this tag where one is given, and listens.
    pub(crate) async fn reload(&self, expected: Option<Sha256>) -> Result<(), String> {
        self.ask("config-reload", None).await?;
        // A Kea that was started with another file has read that, and says that it went well.
        if let Some(expected) = expected {
            let answer = self.ask("server-tag-get", None).await?;
            let tag = answer.arguments["server-tag"].as_str().unwrap_or_default();
            if tag != expected.to_string() {
                return Err(format!(
                    "Kea has read its configuration again, but does not run the one that was written (its server-tag is {tag:?}); \
                     is it started with another file (`kea-dhcp4 -c`) than --config?"
                ));
            }
        }
        // To Kea it is no error that another server has the port: it would run, and hear nobody.
        let status = self.ask("status-get", None).await?;
        let errors = status.arguments["sockets"]["errors"].as_array().cloned().unwrap_or_default();
        let deaf: Vec<&str> =
            errors.iter().filter_map(Value::as_str).filter(|error| error.to_lowercase().starts_with(CANNOT_LISTEN)).collect();
        if deaf.is_empty() { Ok(()) } else { Err(command::fitted(&format!("Kea cannot listen: {}", deaf.join(" | ")))) }
    }

    /// Sends a command. The error is Kea's, or says what is wrong with the socket.
    async fn ask(&self, command: &str, arguments: Option<&RawValue>) -> Result<Answer, String> {
        let socket = self.socket.display();
        let exchanged = tokio::time::timeout(self.limit, exchange(&self.socket, command, arguments)).await;
        let bytes = exchanged.map_err(|_| {
            format!("Kea has not answered `{command}` on its control socket {socket} within {} s", self.limit.as_secs())
        })??;
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|error| {
            if error.is_eof() {
                format!("Kea closed its control socket {socket} before it had answered `{command}`")
            } else {
                format!("what listens at {socket} answers `{command}` with something that is not Kea's: {error}")
            }
        })?;
        match answer.result {
            0 => Ok(answer),
            _ if answer.text.is_empty() => {
                Err(format!("Kea refuses `{command}` with result {}, and says nothing", answer.result))
            }
            _ => Err(command::fitted(&answer.text)),
        }
    }
}

/// Kea reads one command, answers, and closes.
async fn exchange(socket: &Path, command: &str, arguments: Option<&RawValue>) -> Result<Vec<u8>, String> {
    let path = socket.display();
    let mut stream = UnixStream::connect(socket).await.map_err(|error| {
        format!(
            "Kea's control socket {path} cannot be reached: {error}; does Kea run, with this path in the `control-socket` of its \
             configuration, and may the agent open it?"
        )
    })?;
    let begin = format!("{{\"command\":\"{command}\"");
    let arguments = arguments.map(|arguments| [",\"arguments\":", arguments.get()]).unwrap_or_default();
    // An answer may come before the end of a command that Kea does not like, and says more than that writing failed.
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
        Err(error) if answer.is_empty() => Err(format!("Kea's control socket {path} broke during `{command}`: {error}")),
        _ => Ok(answer),
    }
}
