//! The `postgres-guard` subcommand: a small process between the service and the embedded PostgreSQL server.
//!
//! It starts the server, and stops it when its standard input, a pipe from the service, closes. A parent-death signal would
//! have the same effect, but needs unsafe code. The guard reacts only to the pipe: Ctrl-C and SIGTERM are for the service,
//! which still has writes to finish. It must write nothing to its standard output, which is the server's lock file.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::owner::Owner;

/// How long a fast shutdown may take. After that, an immediate shutdown follows; the next start recovers from the write-ahead
/// log.
const FAST: Duration = Duration::from_mins(1);

/// The arguments of the subcommand. Only [`Postgres::start`](super::Postgres::start) passes them.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// User id to run the server as
    #[arg(long)]
    uid: u32,
    /// Group id to run the server as
    #[arg(long)]
    gid: u32,
    /// Empty folder to remove at the end
    #[arg(long)]
    remove: Option<PathBuf>,
    /// The path of the server's program
    program: PathBuf,
    /// The server's options
    #[arg(last = true)]
    options: Vec<OsString>,
}

/// Runs the server until the service has ended or the server ends by itself.
///
/// # Errors
/// Returns an error if the standard input is not a pipe, if the server cannot be started, or if its end cannot be awaited. A
/// server that fails is not an error: its exit status says so.
pub async fn run(arguments: &Arguments) -> Result<ExitStatus> {
    // Unlike an ignored signal, a handler that does nothing is not inherited by the server.
    let _ignored = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    let mut service = pipe::Receiver::from_owned_fd(std::io::stdin().as_fd().try_clone_to_owned()?)
        .context("only bootledger itself starts postgres-guard: its standard input must be a pipe")?;
    let lock: OwnedFd = std::io::stdout().as_fd().try_clone_to_owned()?;
    let mut command = Command::new(&arguments.program);
    // Every process of the server inherits the lock as its standard input, which none of them reads.
    command.args(&arguments.options).stdin(Stdio::from(lock));
    let mut server =
        arguments.owner().adopt(&mut command).spawn().with_context(|| format!("cannot run {}", arguments.program.display()))?;
    let status = tokio::select! {
        status = server.wait() => status?,
        () = closed(&mut service) => shut_down(&mut server).await?,
    };
    if let Some(directory) = &arguments.remove {
        // A folder that cannot be removed is not worth failing for.
        drop(std::fs::remove_dir(directory));
    }
    Ok(status)
}

/// Returns when no process holds the other end of the pipe.
async fn closed(service: &mut pipe::Receiver) {
    let mut buffer = [0; 64];
    while let Ok(1..) = service.read(&mut buffer).await {}
}

async fn shut_down(server: &mut Child) -> Result<ExitStatus> {
    send_signal(server, Signal::SIGINT);
    if let Ok(status) = tokio::time::timeout(FAST, server.wait()).await {
        return Ok(status?);
    }
    send_signal(server, Signal::SIGQUIT);
    Ok(server.wait().await?)
}

fn send_signal(server: &Child, order: Signal) {
    // A server without an id has ended and been waited for.
    if let Some(pid) = server.id().and_then(|id| i32::try_from(id).ok()) {
        let _ = kill(Pid::from_raw(pid), order);
    }
}

impl Arguments {
    fn owner(&self) -> Owner {
        Owner { name: self.uid.to_string(), uid: Uid::from_raw(self.uid), gid: Gid::from_raw(self.gid) }
    }
}
