//! Makes a DHCP server use a file: with commands, or, for Kea, over its control socket.

use super::kea::{Changes, Kea, Trouble};
use super::reception::{Deaf, Reception, ReceptionCheck};
use super::{Arguments, Kind, command};
use anyhow::{Result, ensure};
use bootledger_aggregates::values::sha256::Sha256;
use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The path of Kea's control socket on Debian.
const KEA_SOCKET: &str = "/run/kea/kea4-ctrl-socket";

/// How much of a file is read to determine which server it is written for, in bytes.
const BEGINNING: u64 = 8 * 1024;

/// The server that an agent manages.
#[derive(Debug)]
pub(crate) enum Server {
    /// Any server, managed with shell commands that have a time limit.
    Commands { check: String, reload: String, limit: Duration },
    /// A Kea, which checks files itself unless a check command is given.
    Kea { kea: Kea, check: Option<String>, limit: Duration },
}

impl Server {
    /// Creates the server from the arguments. Fails if a control socket is given for a server without one.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self> {
        let limit = Duration::from_secs(arguments.command_timeout);
        let check = arguments.check_command.as_deref();
        let reload = arguments.reload_command.as_deref().or(arguments.kind.reload_command());
        ensure!(arguments.kind == Kind::Kea || !arguments.kea_hosts, "--kea-hosts requires --kind kea");
        if let (Some(reload), None) = (reload, &arguments.kea_socket) {
            let check = command::with_file(check.unwrap_or_else(|| arguments.kind.check_command()));
            return Ok(Self::Commands { check, reload: reload.to_owned(), limit });
        }
        let socket = arguments.kea_socket.as_deref().unwrap_or_else(|| Path::new(KEA_SOCKET));
        ensure!(arguments.kind == Kind::Kea, "--kea-socket requires --kind kea");
        ensure!(socket.is_absolute(), "--kea-socket must be the absolute path that Kea's own configuration has");
        Ok(Self::Kea {
            kea: Kea::new(socket.to_owned(), limit, arguments.kea_hosts),
            check: check.map(command::with_file),
            limit,
        })
    }

    /// The content of the server's file for this revision. The inner error is why it cannot be determined now.
    pub(crate) async fn file<'a>(&self, bytes: &'a [u8], revision: Sha256) -> Result<Result<Cow<'a, [u8]>, String>> {
        match self {
            Self::Commands { .. } => Ok(Ok(Cow::Borrowed(bytes))),
            Self::Kea { kea, .. } => Ok(kea.document(bytes, revision).await?.map(Cow::Owned)),
        }
    }

    /// Whether the server's file was written for a different version of the server, which was upgraded since, or for other
    /// options of the agent.
    pub(crate) async fn is_otherwise(&self, file: &Path) -> bool {
        let Self::Kea { kea, .. } = self else { return false };
        kea.meet().await;
        let mut beginning = vec![];
        let read = File::open(file).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
        read.is_ok() && kea.is_otherwise(&String::from_utf8_lossy(&beginning))
    }

    /// Whether the server has to read a whole file before single changes are possible.
    pub(crate) fn needs_all(&self, revision: Sha256) -> bool {
        matches!(self, Self::Kea { kea, .. } if kea.changes_hosts() && kea.served_text(revision).is_none())
    }

    /// Records what the server runs.
    pub(crate) fn serves(&self, bytes: &[u8], revision: Sha256) {
        if let Self::Kea { kea, .. } = self {
            kea.serves(bytes, revision);
        }
    }

    /// The configuration that the server runs, if it has this revision and its hosts can be changed one by one.
    pub(crate) fn served_text(&self, runs: Sha256) -> Option<Arc<str>> {
        match self {
            Self::Commands { .. } => None,
            Self::Kea { kea, .. } => kea.served_text(runs),
        }
    }

    /// Makes the server change single hosts. After an error, it is unknown what the server runs.
    pub(crate) async fn change(&self, changes: &Changes<'_>, revision: Sha256) -> Result<(), String> {
        match self {
            Self::Commands { .. } => Err("this kind of server has no commands for single hosts".to_owned()),
            Self::Kea { kea, .. } => kea.change(changes, revision).await,
        }
    }

    /// Checks a file, which is also stored at this path. The inner error is what is wrong with it.
    pub(crate) async fn check(&self, file: &[u8], path: &Path) -> Result<Result<(), String>> {
        match self {
            Self::Commands { check, limit, .. } | Self::Kea { check: Some(check), limit, .. } => {
                command::run(check, Some(path), *limit).await
            }
            Self::Kea { kea, check: None, .. } => Ok(kea.test(file).await),
        }
    }

    /// Makes the server read its file again. `revision` is the one that the server must run afterwards, if known; Kea reports
    /// what it runs. The inner error is why the server does not run it.
    pub(crate) async fn reload(&self, revision: Option<Sha256>) -> Result<Result<(), String>> {
        match self {
            Self::Commands { reload, limit, .. } => command::run(reload, None, *limit).await,
            Self::Kea { kea, .. } => Ok(kea.reload(revision).await),
        }
    }

    /// Whether the server receives its clients' requests. With `closely`, Kea is queried even if the kernel's information is
    /// sufficient; Kea logs every query.
    pub(crate) async fn reception(&self, reception_check: &mut ReceptionCheck, revision: Sha256, closely: bool) -> Reception {
        let Self::Kea { kea, .. } = self else { return look(reception_check).await };
        if let Err(message) = kea.compare().await {
            return Deaf::found(message, true);
        }
        if !closely && reception_check.knows_server() {
            let seen = look(reception_check).await;
            if !matches!(seen, Reception::Deaf(_)) {
                return seen;
            }
        }
        let status = match kea.status(revision).await {
            Ok(status) => status,
            Err(Trouble::Away(message)) => return Deaf::found(message, false),
            Err(Trouble::Other(message)) => return Deaf::found(message, true),
            Err(Trouble::Unclear(message)) => return Reception::Unknown(message),
        };
        if let Some(pid) = status.pid {
            reception_check.is_served_by(pid);
        }
        match (look(reception_check).await, status.cannot_listen()) {
            (Reception::Deaf(deaf), Some(said)) => {
                Deaf::found(command::fitted(&format!("{said}. {}", deaf.message)), deaf.reload)
            }
            (_, Some(said)) => Deaf::found(said, true),
            (seen, None) => seen,
        }
    }
}

/// Reads the kernel's files, which may take some milliseconds.
async fn look(reception_check: &mut ReceptionCheck) -> Reception {
    let mut looking = reception_check.clone();
    match tokio::task::spawn_blocking(move || (looking.look(), looking)).await {
        Ok((reception, looked)) => {
            *reception_check = looked;
            reception
        }
        Err(error) => Reception::Unknown(format!("the server's sockets cannot be inspected: {error}")),
    }
}
