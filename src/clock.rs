//! The service's clock. Inner code does not read the time; callers pass it in.

use bootledger_aggregates::values::timestamp::Timestamp;
use time::OffsetDateTime;

/// The current time, to the microsecond, which is the precision of the database.
pub fn now() -> Timestamp {
    let now = OffsetDateTime::now_utc();
    Timestamp(now.replace_microsecond(now.microsecond()).unwrap_or(now))
}
