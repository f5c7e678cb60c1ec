//! Why a question has no answer.

use bootledger_aggregates::values::ParseError;

/// Why a question has no answer, or the views could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not answer.
    #[error("the database did not answer a question about the views")]
    Database(#[from] sqlx::Error),
    /// A row holds what the domain does not know: it was written by something else than the projector.
    #[error("a row of the views is damaged; rebuild them with `bootledger rebuild`")]
    Damaged(#[from] ParseError),
    /// A JSON column holds what the domain does not know.
    #[error("a description in the views is damaged; rebuild them with `bootledger rebuild`")]
    DamagedJson(#[from] serde_json::Error),
    /// The `after` of a list is none that a list has given out.
    #[error("{0:?} is no place in this list; take the one that the page before gave")]
    Cursor(String),
    /// A rebuild found another one at work.
    #[error("the views are being rebuilt by somebody else; wait for that to end")]
    RebuildRuns,
    /// The service stopped in the middle of a rebuild; the old views are as they were.
    #[error("the service stops, so the views were not rebuilt")]
    Stopped,
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
