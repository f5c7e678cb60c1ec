//! Classifies failures of the database and of disks, for the whole program. HTTP responses, the command line, readiness checks
//! and the workers' logs all use this classification, so that an operator reads the same reason everywhere.

use serde::{Deserialize, Serialize};
use std::error::Error as StdError;
use std::io;
use utoipa::ToSchema;

/// The cause of a failure of the database or of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// There is no connection to the database, or it was lost.
    Unreachable,
    /// All connections of the caller's pool are in use.
    NoConnection,
    /// The database is starting, stopping or recovering from a crash.
    Restarting,
    /// The database accepts no more connections.
    TooManyConnections,
    /// The database has not enough memory for the statement.
    OutOfMemory,
    /// A limit in the database's configuration, such as `temp_file_limit`, was exceeded.
    LimitExceeded,
    /// The database's disk is full.
    DatabaseFull,
    /// A disk of the service is full: that of the boot files or of the data folder.
    FilesFull,
    /// A disk of the service is mounted read-only.
    FilesReadOnly,
    /// A file would exceed the size that the operating system lets the service write (`ulimit -f`).
    FileTooLarge,
    /// The database accepts no writes: it is a standby, or its sessions are read-only.
    ReadOnly,
    /// The database rejects the role's credentials, or the role has insufficient privileges.
    AccessDenied,
    /// The database did not respond in time.
    Timeout,
    /// The transaction conflicted with other transactions.
    Conflict,
    /// The statement or the data in the database is wrong.
    Defect,
}

/// A classified failure, for places where the original error cannot be passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Impediment {
    /// The class of the failure.
    pub cause: Cause,
    /// The database's error message, for the log.
    pub message: String,
}

impl Cause {
    /// Classifies a database error.
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::of_code(&error.code().unwrap_or_default(), error.message()),
            sqlx::Error::PoolTimedOut => Self::NoConnection,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_) => Self::Unreachable,
            _ => Self::Defect,
        }
    }

    /// Classifies an SQLSTATE (PostgreSQL's appendix A). PostgreSQL has codes of its own only for the most common errors of the
    /// operating system; an exceeded quota or a file that is too large is reported as an internal error with the operating
    /// system's message.
    fn of_code(code: &str, message: &str) -> Self {
        let says = |words: &str| message.contains(words);
        match code {
            "53100" => Self::DatabaseFull,
            "53200" => Self::OutOfMemory,
            "53300" => Self::TooManyConnections,
            "53000" | "53400" => Self::LimitExceeded,
            "25006" => Self::ReadOnly,
            "42501" | "3D000" => Self::AccessDenied,
            // The server closed an idle connection. For the caller, that is the same as a connection lost by the network.
            "57P05" => Self::Unreachable,
            "57P01" | "57P02" | "57P03" | "57P04" => Self::Restarting,
            "25P03" | "25P04" | "55P03" | "57014" => Self::Timeout,
            _ if ["58", "XX"].iter().any(|class| code.starts_with(class))
                && (says("No space left on device") || says("quota exceeded") || says("File too large")) =>
            {
                Self::DatabaseFull
            }
            _ if code.starts_with("08") || code.starts_with("58") => Self::Unreachable,
            _ if code.starts_with("28") => Self::AccessDenied,
            _ if code.starts_with("40") || code.starts_with("55") => Self::Conflict,
            _ if code.starts_with("57") => Self::Restarting,
            _ => Self::Defect,
        }
    }

    /// Classifies an error of the operating system on one of the service's own files, if an operator can resolve it.
    pub fn of_file(error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Self::FilesFull),
            io::ErrorKind::ReadOnlyFilesystem => Some(Self::FilesReadOnly),
            io::ErrorKind::FileTooLarge => Some(Self::FileTooLarge),
            _ => None,
        }
    }

    /// The class of the first error in a chain that has one.
    pub fn in_chain<'a>(chain: impl IntoIterator<Item = &'a (dyn StdError + 'static)>) -> Option<Self> {
        chain.into_iter().find_map(|error| {
            if let Some(error) = error.downcast_ref::<sqlx::Error>() {
                return Some(Self::of(error));
            }
            if let Some(impediment) = error.downcast_ref::<Impediment>() {
                return Some(impediment.cause);
            }
            // A row that cannot be read stays so; repeating the request does not help.
            if matches!(error.downcast_ref(), Some(crate::Error::Damaged(_) | crate::Error::DamagedJson(_))) {
                return Some(Self::Defect);
            }
            error.downcast_ref::<io::Error>().and_then(Self::of_file)
        })
    }

    /// The class of an error, considering its sources.
    pub fn in_error(error: &(dyn StdError + 'static)) -> Option<Self> {
        Self::in_chain(std::iter::successors(Some(error), |&error| error.source()))
    }

    /// Whether the same request may succeed later without a change of the program.
    pub fn passes(self) -> bool {
        self != Self::Defect
    }

    /// Whether the failure is a lack of space. HTTP has a status for that, 507.
    pub fn is_full(self) -> bool {
        matches!(self, Self::DatabaseFull | Self::FilesFull | Self::FileTooLarge)
    }

    /// After how many seconds a client should repeat its request.
    pub fn retry_seconds(self) -> u32 {
        match self {
            // An operator has to resolve the problem first.
            Self::DatabaseFull | Self::FilesFull | Self::FilesReadOnly | Self::FileTooLarge | Self::AccessDenied => 30,
            Self::ReadOnly => 10,
            _ => 2,
        }
    }

    /// A message that says what happened and what to do next.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Unreachable => "the database cannot be reached; try again",
            Self::NoConnection => "all connections to the database are in use; try again",
            Self::Restarting => "the database is starting or stopping; try again",
            Self::TooManyConnections => "the database accepts no more connections; try again, or raise its max_connections",
            Self::OutOfMemory => "the database is out of memory; try again",
            Self::LimitExceeded => "a limit in the database's configuration was exceeded; its log says which",
            Self::DatabaseFull => "the database's disk is full; free space on it, then try again",
            Self::FilesFull => "the service's disk is full; free space on it, then try again",
            Self::FilesReadOnly => "the service's disk is mounted read-only; mount it writable, then try again",
            Self::FileTooLarge => {
                "the file is larger than the operating system lets the service write; raise its limit (ulimit -f), then try again"
            }
            Self::ReadOnly => "the database is read-only, so nothing can be changed; try again when it is writable",
            Self::AccessDenied => "the database refuses the service's role; check its password and privileges, then try again",
            Self::Timeout => "the database did not finish in time; try again",
            Self::Conflict => "the transaction conflicts with a concurrent one; try again",
            Self::Defect => "internal error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_row_is_a_defect_and_not_an_outage() {
        let damaged = crate::Error::from(
            "not a MAC".parse::<bootledger_aggregates::values::mac_address::MacAddress>().expect_err("an error"),
        );
        assert_eq!(Cause::in_error(&damaged), Some(Cause::Defect));
    }

    #[test]
    fn each_sqlstate_has_the_cause_that_an_operator_can_act_on() {
        for (code, message, cause) in [
            ("53100", "could not extend file", Cause::DatabaseFull),
            ("58030", "could not write to file \"x\": No space left on device", Cause::DatabaseFull),
            ("XX000", "could not extend file \"x\": Disk quota exceeded", Cause::DatabaseFull),
            ("XX000", "could not extend file \"x\": File too large", Cause::DatabaseFull),
            ("53200", "out of memory", Cause::OutOfMemory),
            ("53300", "sorry, too many clients already", Cause::TooManyConnections),
            ("53400", "temporary file size exceeds temp_file_limit", Cause::LimitExceeded),
            ("25006", "cannot execute INSERT in a read-only transaction", Cause::ReadOnly),
            ("42501", "permission denied for table events", Cause::AccessDenied),
            ("28P01", "password authentication failed", Cause::AccessDenied),
            ("57P01", "terminating connection due to administrator command", Cause::Restarting),
            ("57P02", "terminating connection because of crash of another server process", Cause::Restarting),
            ("57P03", "the database system is in recovery mode", Cause::Restarting),
            ("57P05", "terminating connection due to idle-session timeout", Cause::Unreachable),
            ("57014", "canceling statement due to statement timeout", Cause::Timeout),
            ("25P03", "terminating connection due to idle-in-transaction timeout", Cause::Timeout),
            ("08006", "connection failure", Cause::Unreachable),
            ("58030", "could not read file: Input/output error", Cause::Unreachable),
            ("40001", "could not serialize access", Cause::Conflict),
            ("42601", "syntax error", Cause::Defect),
            ("XX000", "unexpected", Cause::Defect),
        ] {
            assert_eq!(Cause::of_code(code, message), cause, "{code} {message}");
        }
    }

    #[test]
    fn a_cause_is_found_behind_other_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error("the store failed")]
        struct Outer(#[source] io::Error);

        let full = Outer(io::Error::from_raw_os_error(28));
        assert_eq!(Cause::in_error(&full), Some(Cause::FilesFull));
        for (number, cause) in [(122, Cause::FilesFull), (30, Cause::FilesReadOnly), (27, Cause::FileTooLarge)] {
            assert_eq!(Cause::in_error(&Outer(io::Error::from_raw_os_error(number))), Some(cause), "errno {number}");
        }
        assert_eq!(Cause::in_error(&Outer(io::Error::other("x"))), None);
        let projection = crate::Error::Database(sqlx::Error::PoolTimedOut);
        assert_eq!(Cause::in_error(&projection), Some(Cause::NoConnection));
        let text = Impediment { cause: Cause::ReadOnly, message: "cannot execute INSERT".to_owned() };
        let chain = anyhow::Error::new(text).context("the command failed");
        assert_eq!(Cause::in_chain(chain.chain()), Some(Cause::ReadOnly));
    }
}
