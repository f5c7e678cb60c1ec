//! Why records are not published at their DNS primary.
//!
//! The JSON of this type is part of stored events, so it is stored permanently.

use super::DriftProblem;
use crate::values::hostname::DomainName;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use utoipa::ToSchema;

/// Why a record set is not published at its DNS primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum PublishProblem {
    /// The name is an alias (CNAME) that Bootledger did not create.
    Alias {
        /// The name.
        name: Text,
        /// The name that it is an alias of.
        target: Text,
        /// The zone.
        zone: DomainName,
    },
    /// The primary has records that Bootledger did not create.
    Foreign {
        /// The name of the records.
        name: Text,
        /// The type of the records: `A` or `PTR`.
        r#type: Text,
        /// The first of their values.
        values: Vec<Text>,
        /// The zone.
        zone: DomainName,
    },
    /// The primary repeatedly answers with other records than expected: it serves other records than it updates.
    OtherRecords {
        /// The address and port of the primary.
        #[schema(value_type = String)]
        primary: SocketAddr,
        /// The name of the key.
        key: DomainName,
        /// The name of the records.
        name: Text,
        /// The type of the records: `A` or `PTR`.
        r#type: Text,
        /// The first of the values in the answer.
        found: Vec<Text>,
        /// The first of the expected values.
        expected: Vec<Text>,
        /// Whether the primary accepted the update that is based on this answer.
        accepted: bool,
    },
    /// The records at the primary change each time that they are queried.
    Unstable {
        /// The address and port of the primary.
        #[schema(value_type = String)]
        primary: SocketAddr,
        /// The name of the records.
        name: Text,
        /// The type of the records: `A` or `PTR`.
        r#type: Text,
    },
    /// The primary cannot be updated.
    Primary {
        /// Why it cannot be updated.
        problem: Box<DriftProblem>,
    },
    /// The sentence that was stored before problems had codes.
    Text {
        /// The sentence.
        text: Text,
    },
}

impl From<DriftProblem> for PublishProblem {
    fn from(problem: DriftProblem) -> Self {
        Self::Primary { problem: Box::new(problem) }
    }
}
