//! What can go wrong with the embedded server, each with what to do about it.

use std::io;
use std::path::PathBuf;

/// A result with this module's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no embedded server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another service has the data directory.
    #[error(
        "the data directory {} is in use by another bootledger ({holder}): stop that one first, or choose another \
         directory with --data-dir",
        directory.display()
    )]
    InUse {
        /// The data directory.
        directory: PathBuf,
        /// `process 123`, or words for an unknown one.
        holder: String,
    },

    /// The system has no server programs, or not where they were said to be.
    #[error(
        "no PostgreSQL server found (the programs initdb and postgres); looked in {looked_in}. Install it:\n  \
         Debian, Ubuntu:  apt install postgresql\n  \
         Fedora, RHEL:    dnf install postgresql-server\n  \
         macOS:           brew install postgresql@17\n\
         or name their directory with --postgres-bin, or use a server of your own with DATABASE_URL"
    )]
    NoBinaries {
        /// The directories tried, in order.
        looked_in: String,
    },

    /// The cluster belongs to another major version than the programs.
    #[error(
        "the database in {} was made by PostgreSQL {cluster}, and this system has version {binaries} in {}. Install \
         PostgreSQL {cluster} beside it (Debian: apt install postgresql-{cluster}) and name its directory with \
         --postgres-bin, or convert the database with pg_upgrade; nothing was changed",
        directory.display(), programs.display()
    )]
    OtherVersion {
        /// The cluster.
        directory: PathBuf,
        /// Its major version.
        cluster: String,
        /// The major version of the programs.
        binaries: String,
        /// Where the programs are.
        programs: PathBuf,
    },

    /// Root has no other user to run the server as.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` to run it as: add one \
         (useradd --system postgres), or run bootledger as an ordinary user"
    )]
    NoUser,

    /// The cluster belongs to somebody else.
    #[error(
        "the database in {} belongs to {owner}, and bootledger runs as {user}: run it as {owner} or root, or hand the \
         directory over with chown -R",
        directory.display()
    )]
    ForeignCluster {
        /// The cluster's parent directory.
        directory: PathBuf,
        /// Whose it is.
        owner: String,
        /// Who we are.
        user: String,
    },

    /// A directory above the cluster is closed to the server's user.
    #[error(
        "PostgreSQL runs as the user `{user}`, who may not enter {}: choose a data directory elsewhere, such as \
         --data-dir /var/lib/bootledger, or allow it with chmod o+x {}",
        directory.display(), directory.display()
    )]
    Unreachable {
        /// The server's user.
        user: String,
        /// The outermost closed directory.
        directory: PathBuf,
    },

    /// An earlier server does not end.
    #[error(
        "a PostgreSQL server of an earlier run ({server}) still uses {}, and did not stop within {seconds} seconds: \
         look at postgres.log beside it, stop that process with SIGINT, and start again",
        directory.display()
    )]
    StillRunning {
        /// `process 123`, or words for an unknown one.
        server: String,
        /// The cluster.
        directory: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },

    /// A program of PostgreSQL failed.
    #[error("{program} failed ({status}); it said:\n{output}")]
    Failed {
        /// `initdb`, `postgres`.
        program: String,
        /// Its exit status.
        status: String,
        /// The end of what it wrote.
        output: String,
    },

    /// The server runs, but takes no connections.
    #[error("PostgreSQL did not accept connections within {seconds} seconds; the end of its log:\n{log}")]
    NotReady {
        /// How long it was waited for.
        seconds: u64,
        /// The last lines of its log.
        log: String,
        /// The last attempt's error.
        source: sqlx::Error,
    },

    /// The server takes connections, but the database could not be made.
    #[error("cannot make the service's database in the embedded PostgreSQL")]
    Database(#[from] sqlx::Error),

    /// The operating system refused something.
    #[error("cannot {action}")]
    Io {
        /// What was tried, in words that follow "cannot".
        action: String,
        /// The reason.
        source: io::Error,
    },
}

/// For `map_err`: says what could not be done.
pub(super) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let action = action.into();
    move |source| Error::Io { action, source }
}
