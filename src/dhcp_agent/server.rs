//! How a DHCP server is made to use a file: by commands, or, for Kea, over its control socket.

use super::hearing::{Deaf, Ears, Hearing};
use super::kea::{Changes, Kea, Trouble};
use super::{Arguments, Kind, command};
use anyhow::{Result, ensure};
use bootledger_aggregates::values::sha256::Sha256;
use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Where Kea has its control socket on Debian.
const KEA_SOCKET: &str = "/run/kea/kea4-ctrl-socket";

/// How much of a file says whom it is written for.
const BEGINNING: u64 = 8 * 1024;

/// The server that an agent keeps.
#[derive(Debug)]
pub(crate) enum Server {
    /// Any server, by shell commands that may take so long.
    Commands { check: String, reload: String, limit: Duration },
    /// A Kea, which checks for itself unless a command does.
    Kea { kea: Kea, check: Option<String>, limit: Duration },
}

impl Server {
    /// As the arguments say. Fails where a control socket is given that this kind of server has not.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self> {
        let limit = Duration::from_secs(arguments.command_timeout);
        let check = arguments.check_command.as_deref();
        let reload = arguments.reload_command.as_deref().or(arguments.kind.reload_command());
        ensure!(
            arguments.kind == Kind::Kea || !arguments.kea_hosts,
            "--kea-hosts is for Kea alone, and --kind says that this server is another"
        );
        if let (Some(reload), None) = (reload, &arguments.kea_socket) {
            let check = command::with_file(check.unwrap_or_else(|| arguments.kind.check_command()));
            return Ok(Self::Commands { check, reload: reload.to_owned(), limit });
        }
        let socket = arguments.kea_socket.as_deref().unwrap_or_else(|| Path::new(KEA_SOCKET));
        ensure!(arguments.kind == Kind::Kea, "--kea-socket is for Kea alone, and --kind says that this server is another");
        ensure!(socket.is_absolute(), "--kea-socket must be the whole path, from / on, as Kea's own configuration has it");
        Ok(Self::Kea {
            kea: Kea::new(socket.to_owned(), limit, arguments.kea_hosts),
            check: check.map(command::with_file),
            limit,
        })
    }

    /// What the server's file has to hold so that it runs this revision. The inner error is why that cannot be known now.
    pub(crate) async fn file<'a>(&self, bytes: &'a [u8], revision: Sha256) -> Result<Result<Cow<'a, [u8]>, String>> {
        match self {
            Self::Commands { .. } => Ok(Ok(Cow::Borrowed(bytes))),
            Self::Kea { kea, .. } => Ok(kea.document(bytes, revision).await?.map(Cow::Owned)),
        }
    }

    /// Whether the server's file is written for another version of the server than the one that runs: it was upgraded, or the
    /// agent has other options than before.
    pub(crate) async fn is_otherwise(&self, file: &Path) -> bool {
        let Self::Kea { kea, .. } = self else { return false };
        kea.meet().await;
        let mut beginning = vec![];
        let read = File::open(file).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
        read.is_ok() && kea.is_otherwise(&String::from_utf8_lossy(&beginning))
    }

    /// Whether the server can be told single changes, which it cannot be before it has read a whole file once.
    pub(crate) fn needs_all(&self, revision: Sha256) -> bool {
        matches!(self, Self::Kea { kea, .. } if kea.changes_hosts() && kea.served_text(revision).is_none())
    }

    /// Notes what the server runs.
    pub(crate) fn serves(&self, bytes: &[u8], revision: Sha256) {
        if let Self::Kea { kea, .. } = self {
            kea.serves(bytes, revision);
        }
    }

    /// What the server runs, where that is this revision and its hosts can be changed one by one.
    pub(crate) fn served_text(&self, runs: Sha256) -> Option<Arc<str>> {
        match self {
            Self::Commands { .. } => None,
            Self::Kea { kea, .. } => kea.served_text(runs),
        }
    }

    /// Has the server change single hosts. The error is why the server may now run anything.
    pub(crate) async fn change(&self, changes: &Changes<'_>, revision: Sha256) -> Result<(), String> {
        match self {
            Self::Commands { .. } => Err("this server has no commands for single hosts".to_owned()),
            Self::Kea { kea, .. } => kea.change(changes, revision).await,
        }
    }

    /// Has a file checked, which lies at this path as well. The inner error is what is wrong with it.
    pub(crate) async fn check(&self, file: &[u8], path: &Path) -> Result<Result<(), String>> {
        match self {
            Self::Commands { check, limit, .. } | Self::Kea { check: Some(check), limit, .. } => {
                command::run(check, Some(path), *limit).await
            }
            Self::Kea { kea, check: None, .. } => Ok(kea.test(file).await),
        }
    }

    /// Makes the server read its file again. `revision` is what it must run then, where that is known; Kea is asked. The inner
    /// error is why it does not.
    pub(crate) async fn reload(&self, revision: Option<Sha256>) -> Result<Result<(), String>> {
        match self {
            Self::Commands { reload, limit, .. } => command::run(reload, None, *limit).await,
            Self::Kea { kea, .. } => Ok(kea.reload(revision).await),
        }
    }

    /// Whether the server hears its clients. `closely` has Kea say what it knows, even where the kernel's word is enough: it logs
    /// each question.
    pub(crate) async fn hearing(&self, ears: &mut Ears, revision: Sha256, closely: bool) -> Hearing {
        let Self::Kea { kea, .. } = self else { return look(ears).await };
        if let Err(message) = kea.compare().await {
            return Deaf::found(message, true);
        }
        if !closely && ears.knows_server() {
            let seen = look(ears).await;
            if !matches!(seen, Hearing::Deaf(_)) {
                return seen;
            }
        }
        let status = match kea.status(revision).await {
            Ok(status) => status,
            Err(Trouble::Away(message)) => return Deaf::found(message, false),
            Err(Trouble::Other(message)) => return Deaf::found(message, true),
            Err(Trouble::Unclear(message)) => return Hearing::Unknown(message),
        };
        if let Some(pid) = status.pid {
            ears.is_served_by(pid);
        }
        match (look(ears).await, status.cannot_listen()) {
            (Hearing::Deaf(deaf), Some(said)) => Deaf::found(command::fitted(&format!("{said}. {}", deaf.message)), deaf.reload),
            (_, Some(said)) => Deaf::found(said, true),
            (seen, None) => seen,
        }
    }
}

/// Looks at the kernel's files, which may take some milliseconds.
async fn look(ears: &mut Ears) -> Hearing {
    let mut looking = ears.clone();
    match tokio::task::spawn_blocking(move || (looking.look(), looking)).await {
        Ok((hearing, looked)) => {
            *ears = looked;
            hearing
        }
        Err(error) => Hearing::Unknown(format!("the look at the server's sockets failed: {error}")),
    }
}
