//! What the checks remember about DHCP servers.

use bootledger_aggregates::values::sha256::Sha256;
use time::OffsetDateTime;

/// What is remembered about a server between two checks. It may be lost at any time.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    /// The position of the last confirmation.
    pub(super) position: i64,
    /// When a check first found that the server has not confirmed the latest configuration.
    pub(super) behind_since: Option<OffsetDateTime>,
    /// The revision that the views gave at that position.
    pub(super) right: Option<Sha256>,
}
