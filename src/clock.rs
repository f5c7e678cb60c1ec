//! The edge's clock. Nothing inside asks for the time; it is given.

use bootledger_aggregates::values::timestamp::Timestamp;
use time::OffsetDateTime;

/// The time now, to the microsecond that the database keeps.
pub fn now() -> Timestamp {
    let now = OffsetDateTime::now_utc();
    Timestamp(now.replace_microsecond(now.microsecond()).unwrap_or(now))
}
