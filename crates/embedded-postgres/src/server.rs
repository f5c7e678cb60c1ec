//! The running server, as the service sees it: start, readiness and end.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};
use tokio::process::{Child, ChildStdin, Command};

use super::binaries::Binaries;
use super::cluster::{Cluster, NAME};
use super::error::{Error, Result, io};

/// How long a start may take, including recovery after a power failure.
const PATIENCE: Duration = Duration::from_mins(5);

/// A larger log is renamed to `postgres.log.1` at the next start.
const LOG_LIMIT: u64 = 10 * 1024 * 1024;

/// The options of every start, so that the settings of a new release also apply to an old cluster.
///
/// All settings for durability are PostgreSQL's recommended values, stated explicitly.
const OPTIONS: [&str; 13] = [
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "max_connections=100",
    "shared_buffers=128MB",
    "max_wal_size=2GB",
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=off",
];

/// The guard's process, and with it the server. Dropping it stops the server as well.
#[derive(Debug)]
pub(super) struct Server {
    guard: Child,
    /// Closing this pipe stops the server. It is not left in `guard`, whose `wait` would close it.
    pipe: Option<ChildStdin>,
    log: PathBuf,
    log_start: u64,
}

impl Server {
    /// Starts the guard, which starts the server; both inherit `alive`. Waits for neither.
    pub(super) fn start(
        guard: &Path,
        binaries: &Binaries,
        cluster: &Cluster,
        socket_directory: &Path,
        alive: File,
    ) -> Result<Self> {
        let (log, log_start) = open_log(&cluster.log_file())?;
        let mut command = Command::new(guard);
        command.arg("postgres-guard").arg(format!("--uid={}", cluster.owner.uid)).arg(format!("--gid={}", cluster.owner.gid));
        if cluster.is_temporary(socket_directory) {
            command.arg("--remove").arg(socket_directory);
        }
        command
            .arg(binaries.directory.join("postgres"))
            .args(["--", "-D"])
            .arg(cluster.directory())
            .arg("-c")
            .arg(socket_option(socket_directory));
        for option in OPTIONS {
            command.args(["-c", option]);
        }
        let mut guard = command
            .stdin(Stdio::piped())
            .stdout(Stdio::from(alive))
            .stderr(Stdio::from(log))
            // The guard is not in the terminal's process group: Ctrl-C must not reach the server before the service has
            // finished.
            .process_group(0)
            .spawn()
            .map_err(io(format!("run {} as PostgreSQL's guard", guard.display())))?;
        Ok(Self { pipe: guard.stdin.take(), guard, log: cluster.log_file(), log_start })
    }

    /// Waits until the server responds, and creates the service's database at the first start.
    pub(super) async fn wait_until_ready(&mut self, maintenance: &PgConnectOptions) -> Result<()> {
        let began = Instant::now();
        let mut connection = loop {
            if let Some(status) = self.guard.try_wait().map_err(io("wait for the guard"))? {
                return Err(self.failure(status));
            }
            match PgConnection::connect_with(maintenance).await {
                Ok(connection) => break connection,
                Err(source) if began.elapsed() > PATIENCE => {
                    return Err(Error::NotReady { seconds: PATIENCE.as_secs(), log: self.log_tail(), source });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        };
        let exists = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(NAME);
        if exists.fetch_optional(&mut connection).await?.is_none() {
            let statement = format!("CREATE DATABASE {NAME}");
            connection.execute(statement.as_str()).await?;
        }
        Ok(connection.close().await?)
    }

    /// Returns when the server has ended by itself.
    pub(super) async fn ended(&mut self) -> Error {
        match self.guard.wait().await {
            Ok(status) => self.failure(status),
            Err(source) => io("wait for the guard")(source),
        }
    }

    /// Requests a fast shutdown and waits for it.
    pub(super) async fn stop(mut self) -> Result<()> {
        drop(self.pipe.take());
        let status = self.guard.wait().await.map_err(io("wait for the guard"))?;
        if status.success() { Ok(()) } else { Err(self.failure(status)) }
    }

    fn failure(&self, status: ExitStatus) -> Error {
        let mut output = self.log_tail();
        if output.contains("No space left on device") || output.contains("Disk quota exceeded") {
            output +=
                "\nThe disk of the data folder is full: free space on it, then start again. Nothing that was committed is lost.";
        }
        Error::Failed { program: "postgres".to_owned(), status: status.to_string(), output }
    }

    /// The last lines that were logged since the start.
    fn log_tail(&self) -> String {
        let mut content = Vec::new();
        let read = File::open(&self.log).and_then(|mut log| {
            log.seek(SeekFrom::Start(self.log_start))?;
            log.read_to_end(&mut content)
        });
        match read {
            Ok(_) => {
                let content = String::from_utf8_lossy(&content);
                let lines: Vec<_> = content.lines().collect();
                lines[lines.len().saturating_sub(10)..].join("\n")
            }
            Err(error) => format!("({} cannot be read: {error})", self.log.display()),
        }
    }
}

/// Opens the log for appending. Also returns its current length.
fn open_log(path: &Path) -> Result<(File, u64)> {
    let failed = || io(format!("open the log {}", path.display()));
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_LIMIT) {
        std::fs::rename(path, path.with_extension("log.1")).map_err(failed())?;
    }
    let log = OpenOptions::new().create(true).append(true).open(path).map_err(failed())?;
    let length = log.metadata().map_err(failed())?.len();
    Ok((log, length))
}

/// The folder as an element of PostgreSQL's list. It is quoted, because a path may contain a comma.
fn socket_option(directory: &Path) -> OsString {
    let mut option = b"unix_socket_directories=\"".to_vec();
    for byte in directory.as_os_str().as_bytes() {
        if *byte == b'"' {
            option.push(b'"');
        }
        option.push(*byte);
    }
    option.push(b'"');
    OsString::from_vec(option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_directory_with_commas_and_quotes_stays_one_directory() {
        let option = socket_option(Path::new(r#"/srv/a, "b""#));
        assert_eq!(option, r#"unix_socket_directories="/srv/a, ""b""""#);
    }
}
