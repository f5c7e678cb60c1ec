//! Placeholder.
mod dhcp_agent;
fn main() {}
