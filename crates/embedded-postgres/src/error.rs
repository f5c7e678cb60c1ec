//! The errors of the embedded server, each with what to do about it.

use std::io;
use std::path::PathBuf;

/// A result with this module's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the embedded server does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another service uses the data folder.
    #[error(
        "the data folder {} is in use by another bootledger ({holder}): stop that one first, or choose another \
         folder with --data-dir",
        directory.display()
    )]
    InUse {
        /// The data folder.
        directory: PathBuf,
        /// The process that uses it, such as `process 123`, or a description if it is unknown.
        holder: String,
    },

    /// The server programs are not installed, or not in the given folder.
    #[error(
        "no PostgreSQL server found (the programs initdb and postgres); looked in {looked_in}. Install it:\n  \
         Debian, Ubuntu:  apt install postgresql\n  \
         Fedora, RHEL:    dnf install postgresql-server\n  \
         macOS:           brew install postgresql@17\n\
         or name their folder with --postgres-bin, or use a server of your own with DATABASE_URL"
    )]
    NoBinaries {
        /// The folders that were searched, in order.
        looked_in: String,
    },

    /// The cluster was created by a different major version than that of the programs.
    #[error(
        "the database in {} was created by PostgreSQL {cluster}, and this system has version {binaries} in {}. Install \
         PostgreSQL {cluster} beside it (Debian: apt install postgresql-{cluster}) and name its folder with \
         --postgres-bin, or convert the database with pg_upgrade; nothing was changed",
        directory.display(), programs.display()
    )]
    OtherVersion {
        /// The folder of the cluster.
        directory: PathBuf,
        /// The major version of the cluster.
        cluster: String,
        /// The major version of the programs.
        binaries: String,
        /// The folder of the programs.
        programs: PathBuf,
    },

    /// The service runs as root, and there is no other user to run the server as.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` to run it as: add one \
         (useradd --system postgres), or run bootledger as an ordinary user"
    )]
    NoUser,

    /// The cluster belongs to a different user.
    #[error(
        "the database in {} belongs to {owner}, and bootledger runs as {user}: run it as {owner} or root, or change the owner of the \
         folder with chown -R",
        directory.display()
    )]
    ForeignCluster {
        /// The cluster's parent folder.
        directory: PathBuf,
        /// The user who owns the cluster.
        owner: String,
        /// The user that the service runs as.
        user: String,
    },

    /// The server's user may not enter a folder above the cluster.
    #[error(
        "PostgreSQL runs as the user `{user}`, who may not enter {}: choose a data folder elsewhere, such as \
         --data-dir /var/lib/bootledger, or allow it with chmod o+x {}",
        directory.display(), directory.display()
    )]
    Unreachable {
        /// The user that the server runs as.
        user: String,
        /// The outermost folder that the user may not enter.
        directory: PathBuf,
    },

    /// The server of an earlier run does not end.
    #[error(
        "a PostgreSQL server of an earlier run ({server}) still uses {}, and did not stop within {seconds} seconds: \
         check postgres.log beside it, stop that process with SIGINT, and start again",
        directory.display()
    )]
    StillRunning {
        /// The server's process, such as `process 123`, or a description if it is unknown.
        server: String,
        /// The folder of the cluster.
        directory: PathBuf,
        /// How long the service waited for its end.
        seconds: u64,
    },

    /// A program of PostgreSQL failed.
    #[error("{program} failed ({status}); its output:\n{output}")]
    Failed {
        /// The program: `initdb` or `postgres`.
        program: String,
        /// The program's exit status.
        status: String,
        /// The end of the program's output.
        output: String,
    },

    /// The server runs, but does not accept connections.
    #[error("PostgreSQL did not accept connections within {seconds} seconds; the end of its log:\n{log}")]
    NotReady {
        /// How long the service waited for a connection.
        seconds: u64,
        /// The last lines of the server's log.
        log: String,
        /// The error of the last attempt.
        source: sqlx::Error,
    },

    /// The server accepts connections, but the database could not be created.
    #[error("cannot create the service's database in the embedded PostgreSQL")]
    Database(#[from] sqlx::Error),

    /// The operating system reported an error.
    #[error("cannot {action}")]
    Io {
        /// What was attempted, as words that follow "cannot".
        action: String,
        /// The operating system's error.
        source: io::Error,
    },
}

/// For `map_err`: an I/O error with the action that failed.
pub(super) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let action = action.into();
    move |source| Error::Io { action, source }
}
