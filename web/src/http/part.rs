//! The parts of the service that a listener can serve.

/// The set of routes that a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All routes of the service.
    Whole,
    /// Only the routes of the boot network: boot, DHCP, DNS files, Puppet and health.
    BootOnly,
}
