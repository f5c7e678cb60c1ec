//! Filters that name nothing that exists.

use crate::http::error::Error;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::shortened;

/// A filter that names nothing that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// The parameter.
    pub(crate) field: &'static str,
    /// What is unknown, without suggestions.
    pub(crate) message: String,
    /// Values that exist and are similar.
    pub(crate) similar: Vec<String>,
}

impl From<Unknown> for Error {
    fn from(unknown: Unknown) -> Self {
        let Unknown { field, mut message, similar } = unknown;
        if !similar.is_empty() {
            message = format!("{message}; similar: {}", similar.join(", "));
        }
        Self::bad_request(field, Rule::ParameterMalformed, shortened(message))
    }
}
