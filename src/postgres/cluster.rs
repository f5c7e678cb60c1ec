//! The files of the private cluster: made once, by `initdb`, and never half made.
//!
//! ```text
//! <data-dir>/lock              the service's
//! <data-dir>/postgres.log      what the server says
//! <data-dir>/postgres/         0700, the server's user's; has the socket
//! <data-dir>/postgres/lock     inherited by everything of the server
//! <data-dir>/postgres/cluster  what PostgreSQL calls its data directory
//! ```

use std::fs::{DirBuilder, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::Uid;
use tokio::process::Command;

use super::binaries::Binaries;
use super::error::{Error, Result, io};
use super::owner::Owner;

/// The service's database, and the role that owns the cluster.
pub(super) const NAME: &str = "bootledger";

/// Bytes in a socket's path, on the system that allows the fewest (macOS; Linux has 107).
const SOCKET_PATH_LIMIT: usize = 103;

/// The cluster of one data directory, made or not.
#[derive(Debug)]
pub(super) struct Cluster {
    data_directory: PathBuf,
    home: PathBuf,
    pub(super) owner: Owner,
}

/// Makes the service's data directory if it is missing, and gives its absolute path without symbolic links.
pub(super) fn make_data_directory(path: &Path) -> Result<PathBuf> {
    // The server's user must be able to pass through, when it is not ours.
    let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .and_then(|()| path.canonicalize())
        .map_err(io(format!("make the data directory {}", path.display())))
}

impl Cluster {
    /// Settles whose the cluster is, and makes its outer directory.
    pub(super) fn open(data_directory: &Path) -> Result<Self> {
        let home = data_directory.join("postgres");
        let owner = Owner::of(&home)?;
        owner.can_reach(data_directory)?;
        if !home.exists() {
            std::fs::create_dir(&home).map_err(io(format!("make {}", home.display())))?;
        }
        owner.give(&home, 0o700)?;
        Ok(Self { data_directory: data_directory.to_owned(), home, owner })
    }

    /// PostgreSQL's data directory.
    pub(super) fn directory(&self) -> PathBuf {
        self.home.join("cluster")
    }

    /// The lock that lives as long as any process of the server.
    pub(super) fn lock_file(&self) -> PathBuf {
        self.home.join("lock")
    }

    /// The server's log.
    pub(super) fn log_file(&self) -> PathBuf {
        self.data_directory.join("postgres.log")
    }

    /// The major version that made the cluster; `None` before the first start.
    pub(super) fn version(&self) -> Result<Option<String>> {
        let file = self.directory().join("PG_VERSION");
        match std::fs::read_to_string(&file) {
            Ok(version) => Ok(Some(version.trim().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io(format!("read {}", file.display()))(error)),
        }
    }

    /// Makes the cluster on the first start. `alive` is handed down, so that a later start waits for this `initdb`.
    pub(super) async fn initialise(&self, binaries: &Binaries, alive: &File) -> Result<()> {
        if self.directory().exists() {
            return Ok(());
        }
        // Made under another name, since a power cut half-way must not leave what looks like a cluster.
        let unfinished = self.home.join("cluster.unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(io(format!("remove {}", unfinished.display())))?;
        }
        tracing::info!(directory = %self.directory().display(), "making a PostgreSQL cluster");
        let alive = alive.try_clone().map_err(io("copy the server's lock"))?;
        let mut command = Command::new(binaries.directory.join("initdb"));
        command
            .arg("--pgdata")
            .arg(&unfinished)
            .args(["--username", NAME, "--auth=trust", "--encoding=UTF8"])
            .args(["--locale=C", "--data-checksums", "--no-instructions"])
            .stdin(Stdio::from(alive));
        let output = self.owner.adopt(&mut command).output().await;
        let output = output.map_err(io(self.running(binaries, "initdb")))?;
        if !output.status.success() {
            return Err(Error::Failed {
                program: "initdb".to_owned(),
                status: output.status.to_string(),
                output: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        std::fs::rename(&unfinished, self.directory())
            .and_then(|()| File::open(&self.home)?.sync_all())
            .map_err(io(format!("rename {}", unfinished.display())))
    }

    /// What [`Error::Io`] says of a program that does not start.
    pub(super) fn running(&self, binaries: &Binaries, program: &str) -> String {
        let path = binaries.directory.join(program);
        format!("run {} as the user {}", path.display(), self.owner.name)
    }

    /// Where the socket goes: beside the cluster, or in a new directory with a short path if that is too long.
    pub(super) fn socket_directory(&self) -> Result<PathBuf> {
        let socket = self.home.join(".s.PGSQL.5432");
        if socket.as_os_str().as_bytes().len() <= SOCKET_PATH_LIMIT {
            return Ok(self.home.clone());
        }
        // The guard removes it. Its name cannot be guessed, because anyone could take a name in /tmp first.
        let directory = tempfile::Builder::new()
            .prefix("bootledger-")
            .tempdir_in("/tmp")
            .map_err(io("make a directory in /tmp for PostgreSQL's socket"))?
            .keep();
        self.owner.give(&directory, 0o700)?;
        Ok(directory)
    }

    /// The socket directory, if it goes with the server.
    pub(super) fn is_temporary(&self, socket_directory: &Path) -> bool {
        socket_directory != self.home
    }
}
