//! The program as a process of its own, so that it can be killed.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::{Pid, Uid};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

/// How long a step may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// A folder that every user can write to, with a program that every user can run.
pub(crate) fn sandbox() -> TempDir {
    let directory = tempfile::Builder::new().prefix("bl-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    directory
}

/// A running service with its own PostgreSQL. Dropping it kills it.
pub(crate) struct Service {
    process: Child,
    data: PathBuf,
    options: PgConnectOptions,
    leaves_server: bool,
}

impl Service {
    pub(crate) fn start(sandbox: &TempDir) -> Self {
        Self::start_in(sandbox, Path::new("data"))
    }

    pub(super) fn start_in(sandbox: &TempDir, data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootledger"));
        Self::spawn(&mut command, sandbox.path().join(data))
    }

    /// Starts the service as `nobody` if this test runs as root. For this, the program must be where `nobody` can read it.
    pub(super) fn start_unprivileged(sandbox: &TempDir) -> Self {
        if !Uid::effective().is_root() {
            return Self::start(sandbox);
        }
        let program = sandbox.path().join("bootledger");
        if !program.exists() {
            fs::copy(env!("CARGO_BIN_EXE_bootledger"), &program).unwrap();
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=65534", "--clear-groups"]).arg(program);
        Self::spawn(&mut command, sandbox.path().join("data"))
    }

    fn spawn(command: &mut Command, data: PathBuf) -> Self {
        command.arg("postgres").arg("--data-dir").arg(&data);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        if url.is_empty() {
            let mut said = String::new();
            process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("the service did not start: {said}");
        }
        Self { process, data, options: url.trim().parse().unwrap(), leaves_server: false }
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().try_into().unwrap())
    }

    /// The process id of the PostgreSQL server's first process.
    pub(super) fn server(&self) -> Pid {
        self.recorded_server().unwrap()
    }

    fn recorded_server(&self) -> Option<Pid> {
        let file = fs::read_to_string(self.data.join("postgres/cluster/postmaster.pid")).ok()?;
        Some(Pid::from_raw(file.lines().next()?.parse().ok()?))
    }

    pub(crate) fn socket_directory(&self) -> PathBuf {
        self.options.get_socket().unwrap().clone()
    }

    /// The database's URL through a proxy in front of its socket.
    pub(crate) fn url_through(&self, proxy: SocketAddr) -> String {
        let (user, database) = (self.options.get_username(), self.options.get_database().unwrap());
        format!("postgres://{user}@{proxy}/{database}?sslmode=disable&options=-c%20search_path%3Dviews,public")
    }

    /// A separate connection that bypasses every proxy.
    pub(crate) async fn connect(&self) -> sqlx::PgConnection {
        self.options.connect().await.unwrap()
    }

    /// Runs SQL and returns the text in the first row's first column.
    pub(crate) async fn query(&self, sql: &str) -> String {
        let mut connection = self.options.connect().await.unwrap();
        let rows = sqlx::Executor::fetch_all(&mut connection, sql).await.unwrap();
        connection.close().await.unwrap();
        sqlx::Row::try_get(&rows[0], 0).unwrap()
    }

    /// Sends the service SIGTERM and waits until it has ended; by then the server must have stopped.
    pub(crate) fn stop(mut self) {
        self.leaves_server = true;
        send(self.pid(), Signal::SIGTERM);
        assert!(self.process.wait().unwrap().success());
    }

    /// Waits until the service ends by itself and returns its last output.
    pub(super) fn end(mut self) -> String {
        last_words(&mut self.process)
    }

    /// Sends SIGKILL without waiting for the server to end.
    pub(super) fn kill(mut self) {
        self.leaves_server = true;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        // The sandbox is about to be removed while the server uses it.
        if let Some(server) = self.recorded_server().filter(|_| !self.leaves_server) {
            wait_until_gone(server);
        }
    }
}

/// Runs the program where it must refuse to start, and returns its output.
pub(super) fn run(sandbox: &TempDir, arguments: &[&str]) -> String {
    let mut process = Command::new(env!("CARGO_BIN_EXE_bootledger"))
        .arg("postgres")
        .arg("--data-dir")
        .arg(sandbox.path().join("data"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    last_words(&mut process)
}

/// The output of a process that ends by itself with a failure.
fn last_words(process: &mut Child) -> String {
    let began = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > DEADLINE {
            process.kill().unwrap();
            panic!("the service still runs");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(!status.success());
    let mut said = String::new();
    process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    said
}

/// Whether a process is running. A zombie is not.
pub(super) fn is_alive(process: Pid) -> bool {
    status(process).is_some_and(|status| !status.contains("State:\tZ"))
}

pub(super) fn parent(process: Pid) -> Pid {
    let status = status(process).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:\t"));
    Pid::from_raw(line.unwrap().parse().unwrap())
}

fn status(process: Pid) -> Option<String> {
    fs::read_to_string(format!("/proc/{process}/status")).ok()
}

pub(super) fn send(process: Pid, signal: Signal) {
    nix::sys::signal::kill(process, signal).unwrap();
}

/// Sends SIGKILL and waits for the end of the process.
pub(super) fn kill(process: Pid) {
    send(process, Signal::SIGKILL);
    wait_until_gone(process);
}

pub(super) fn wait_until_gone(process: Pid) {
    let began = Instant::now();
    while is_alive(process) {
        assert!(began.elapsed() < DEADLINE, "process {process} still runs");
        std::thread::sleep(Duration::from_millis(20));
    }
}
