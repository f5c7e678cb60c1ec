//! The errors of queries on the views.

use bootledger_aggregates::values::ParseError;

/// The reason why a query failed, or why the views could not be updated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not answer.
    #[error("the database did not answer a question about the views")]
    Database(#[from] sqlx::Error),
    /// A row has a value that the domain does not know: it was not written by the projector.
    #[error("a row of the views is damaged; rebuild them with `bootledger rebuild`")]
    Damaged(#[from] ParseError),
    /// A JSON column has a value that the domain does not know.
    #[error("a description in the views is damaged; rebuild them with `bootledger rebuild`")]
    DamagedJson(#[from] serde_json::Error),
    /// The `after` of a list is not a cursor that this list has returned.
    #[error("{0:?} is no place in this list; take the one that the page before gave")]
    Cursor(String),
    /// A rebuild found another rebuild in progress.
    #[error("the views are being rebuilt by somebody else; wait for that to end")]
    RebuildRuns,
    /// The service stopped during a rebuild; the old views are unchanged.
    #[error("the service stops, so the views were not rebuilt")]
    Stopped,
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
