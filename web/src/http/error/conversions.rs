//! From the errors of commands, of the database and of the views to those of requests.

use super::problem::ProblemError;
use super::{Error, LISTED};
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_port::CommandError;
use bootledger_projections::database::cause::Cause;

/// The number of seconds after which a caller whose share is used up may retry.
const BUSY_SECONDS: u32 = 2;

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NotFound(message) => Self::NotFound(message),
            CommandError::Refused(broken) => broken.into(),
            CommandError::Conflict(message) => Self::Conflict(message),
            CommandError::KeyReused => Self::KeyReused,
            CommandError::Busy(message) => Self::Busy { message, retry_after: BUSY_SECONDS },
            CommandError::Unavailable(source) => {
                Self::impeded(Cause::in_chain(source.chain()).unwrap_or(Cause::Unreachable), source)
            }
            CommandError::Controller { reason, slow } => Self::Controller { message: reason, slow },
            CommandError::Internal(source) => Self::Internal(source),
        }
    }
}

impl From<Vec<BrokenRule>> for Error {
    fn from(broken: Vec<BrokenRule>) -> Self {
        let total = broken.len();
        Self::Rejected { reasons: broken.into_iter().take(LISTED).map(ProblemError::from).collect(), total }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::impeded(Cause::of(&error), error)
    }
}

impl From<bootledger_projections::Error> for Error {
    fn from(error: bootledger_projections::Error) -> Self {
        use bootledger_projections::Error as E;
        match error {
            E::Database(error) => error.into(),
            E::Cursor(_) => Self::bad_request("after", Rule::CursorMalformed, error.to_string()),
            E::RebuildRuns | E::Stopped => Self::unavailable(error.to_string(), 30),
            E::Damaged(_) | E::DamagedJson(_) => Self::Internal(error.into()),
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        match Cause::in_chain(error.chain()) {
            Some(cause) => Self::impeded(cause, error),
            None => Self::Internal(error),
        }
    }
}
