//! Whereto the service connects: which addresses, and which secrets are never for management controllers.

use bootledger_aggregates::values::name::Name;
use bootledger_outbound::Guard;
use ipnet::IpNet;
use std::sync::Arc;

/// The option that allows a network.
pub const OPTION: &str = "--outbound-allow";

/// What the administrator of the machine has decided about outgoing connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Which addresses controllers, receivers and primaries may have.
    pub guard: Guard,
    /// Secrets that options name for something else.
    pub reserved: Arc<[Name]>,
}

impl Outbound {
    /// Connections to usual addresses, and to these networks.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { guard: Guard::new(allowed, OPTION), reserved: Arc::new([]) }
    }

    /// The same, with secrets that options name for something else.
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
