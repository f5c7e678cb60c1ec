//! The errors of queries on the views.

use bootledger_aggregates::values::ParseError;

/// The reason why a query failed, or why the views could not be updated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed, or the database did not respond in time.
    #[error("a query on the views failed")]
    Database(#[from] sqlx::Error),
    /// A row has a value that the domain does not know: it was not written by the projector.
    #[error("a row of the views is damaged; rebuild them with `bootledger rebuild`")]
    Damaged(#[from] ParseError),
    /// A JSON column has a value that the domain does not know.
    #[error("a description in the views is damaged; rebuild them with `bootledger rebuild`")]
    DamagedJson(#[from] serde_json::Error),
    /// The `after` of a list is not a cursor that this list has returned.
    #[error("invalid cursor {0:?}; use the value of next from the previous page")]
    Cursor(String),
    /// A rebuild found another rebuild in progress.
    #[error("another process is rebuilding the views; wait until it finishes")]
    RebuildRuns,
    /// The service stopped during a rebuild; the old views are unchanged.
    #[error("the service is stopping; the views were not rebuilt")]
    Stopped,
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
