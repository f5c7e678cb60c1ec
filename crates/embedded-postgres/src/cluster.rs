//! The files of the private cluster, which `initdb` creates once, and never incompletely.
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

/// The name of the service's database, and of the role that owns the cluster.
pub(super) const NAME: &str = "bootledger";

/// The maximum length of a socket's path in bytes, on the system with the lowest limit (macOS; Linux has 107).
const SOCKET_PATH_LIMIT: usize = 103;

/// The cluster of one data folder, whether it has been created or not.
#[derive(Debug)]
pub(super) struct Cluster {
    data_directory: PathBuf,
    home: PathBuf,
    pub(super) owner: Owner,
}

/// Creates the service's data folder if it is missing. Returns its absolute path without symbolic links.
pub(super) fn make_data_directory(path: &Path) -> Result<PathBuf> {
    // The server's user must be able to pass through the folder, if it is a different user.
    let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .and_then(|()| path.canonicalize())
        .map_err(io(format!("create the data folder {}", path.display())))
}

impl Cluster {
    /// Determines the owner of the cluster, and creates its outer folder.
    pub(super) fn open(data_directory: &Path) -> Result<Self> {
        let home = data_directory.join("postgres");
        let owner = Owner::of(&home)?;
        owner.can_reach(data_directory)?;
        if !home.exists() {
            std::fs::create_dir(&home).map_err(io(format!("create {}", home.display())))?;
        }
        owner.give(&home, 0o700)?;
        Ok(Self { data_directory: data_directory.to_owned(), home, owner })
    }

    /// PostgreSQL's data directory.
    pub(super) fn directory(&self) -> PathBuf {
        self.home.join("cluster")
    }

    /// The lock file that is locked as long as any process of the server lives.
    pub(super) fn lock_file(&self) -> PathBuf {
        self.home.join("lock")
    }

    /// The server's log file.
    pub(super) fn log_file(&self) -> PathBuf {
        self.data_directory.join("postgres.log")
    }

    /// The major version that created the cluster; `None` before the first start.
    pub(super) fn version(&self) -> Result<Option<String>> {
        let file = self.directory().join("PG_VERSION");
        match std::fs::read_to_string(&file) {
            Ok(version) => Ok(Some(version.trim().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io(format!("read {}", file.display()))(error)),
        }
    }

    /// Creates the cluster at the first start. `initdb` inherits `alive`, so that a later start waits for it.
    pub(super) async fn initialise(&self, binaries: &Binaries, alive: &File) -> Result<()> {
        if self.directory().exists() {
            return Ok(());
        }
        // The cluster is created under another name, because a power failure must not leave an incomplete cluster.
        let unfinished = self.home.join("cluster.unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(io(format!("remove {}", unfinished.display())))?;
        }
        tracing::info!(directory = %self.directory().display(), "creating a PostgreSQL cluster");
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

    /// The action in [`Error::Io`] for a program that cannot be started.
    pub(super) fn running(&self, binaries: &Binaries, program: &str) -> String {
        let path = binaries.directory.join(program);
        format!("run {} as the user {}", path.display(), self.owner.name)
    }

    /// The folder of the socket: beside the cluster, or a new folder with a short path if that path is too long.
    pub(super) fn socket_directory(&self) -> Result<PathBuf> {
        let socket = self.home.join(".s.PGSQL.5432");
        if socket.as_os_str().as_bytes().len() <= SOCKET_PATH_LIMIT {
            return Ok(self.home.clone());
        }
        // The guard removes the folder. Its name is random, because any user could create a predictable name in /tmp first.
        let directory = tempfile::Builder::new()
            .prefix("bootledger-")
            .tempdir_in("/tmp")
            .map_err(io("create a folder in /tmp for PostgreSQL's socket"))?
            .keep();
        self.owner.give(&directory, 0o700)?;
        Ok(directory)
    }

    /// The socket folder, if it is removed with the server.
    pub(super) fn is_temporary(&self, socket_directory: &Path) -> bool {
        socket_directory != self.home
    }
}
