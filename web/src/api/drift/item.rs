//! Differences and checks as the API returns them. The sentences are written when they are read; they are not stored.

use crate::wording::drift as wording;
use bootledger_aggregates::drift::{Difference, DifferenceKind, DriftKey, DriftProblem, Nature};
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::drift::{Check, DriftView, Drifted, Ordered};
use serde::Serialize;
use utoipa::ToSchema;

/// A difference that currently exists.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct DriftItem {
    /// The key of what differs: `SITE/dns/NAME/TYPE`, or `SITE/dhcp/SERVER`.
    #[schema(value_type = String, example = "dc1/dns/h200.dc1.example/A")]
    key: DriftKey,
    /// How the server differs.
    nature: Nature,
    /// How the server differs, as a code with the values that explain it.
    kind: DifferenceKind,
    /// The server: the DNS primary's address and port, or the DHCP server's name.
    server: Text,
    /// What the views say: values of records, addresses, or the SHA-256 of a configuration if it is certain.
    expected: Vec<Text>,
    /// What the server has.
    found: Vec<Text>,
    /// Further information; empty if the other fields say everything. The text may change between versions.
    message: String,
    /// When a check first found the difference.
    since: Timestamp,
    /// The requested repair, until it is done.
    ordered: Option<Ordered>,
    /// Why the last requested repair failed, as a sentence. The sentence may change between versions.
    problem: Option<String>,
    /// Why the last requested repair failed, as a code with its values.
    cause: Option<DriftProblem>,
}

impl From<Drifted> for DriftItem {
    fn from(Drifted { key, drift }: Drifted) -> Self {
        let DriftView { difference, since, ordered, problem: cause } = drift;
        let (nature, message) = (difference.nature(), wording::message(&difference));
        let Difference { kind, server, expected, found } = difference;
        let problem = cause.as_ref().map(wording::problem);
        Self { key, nature, kind, server, expected, found, message, since, ordered, problem, cause }
    }
}

/// The state of a site's comparisons.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct CheckItem {
    /// When the last complete comparison ended; null before the first one.
    checked_at: Option<Timestamp>,
    /// The position of the views at the start of the last complete comparison.
    position: Option<i64>,
    /// How many record sets and DHCP servers were compared.
    compared: i64,
    /// Why other record sets and servers could not be compared, as sentences. Differences found earlier remain listed for them.
    /// The sentences may change between versions.
    problems: Vec<String>,
    /// Why other record sets and servers could not be compared, as codes with their values, in the same order.
    causes: Vec<DriftProblem>,
    /// When a comparison was last requested.
    requested_at: Option<Timestamp>,
    /// Since when a comparison has been running.
    under_way_since: Option<Timestamp>,
    /// When the next scheduled comparison starts; null if none is scheduled.
    next_check: Option<Timestamp>,
}

impl From<Check> for CheckItem {
    fn from(check: Check) -> Self {
        let Check { checked_at, position, compared, problems: causes, requested_at, under_way_since, next_check } = check;
        let problems = causes.iter().map(wording::problem).collect();
        Self { checked_at, position, compared, problems, causes, requested_at, under_way_since, next_check }
    }
}
