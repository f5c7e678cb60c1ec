//! The policy for outgoing connections: the allowed addresses, and secrets that are never sent to management controllers.

use bootledger_aggregates::values::name::Name;
use bootledger_outbound::Guard;
use ipnet::IpNet;
use std::sync::Arc;

/// The option that allows a network.
pub const OPTION: &str = "--outbound-allow";

/// The decisions of the machine's administrator about outgoing connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// The addresses that controllers, receivers and primaries may have.
    pub guard: Guard,
    /// Secrets that options of the service already use.
    pub reserved: Arc<[Name]>,
}

impl Outbound {
    /// Allows connections to ordinary addresses and to these networks.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { guard: Guard::new(allowed, OPTION), reserved: Arc::new([]) }
    }

    /// The same policy, with secrets that options of the service already use.
    #[must_use]
    pub fn reserving(self, names: impl IntoIterator<Item = Name>) -> Self {
        Self { reserved: names.into_iter().collect(), ..self }
    }
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new(vec![])
    }
}
