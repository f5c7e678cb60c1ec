//! The deployments in progress by address, in memory.

/// The boot table.
#[derive(Debug, Default)]
pub struct BootTable {}
