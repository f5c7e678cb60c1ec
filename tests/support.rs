//! What the stories share: the service as a process of its own, and a lab in which servers boot.

pub(crate) mod agent;
pub(crate) mod bmc;
pub(crate) mod dns;
pub(crate) mod lab;
pub(crate) mod process;
pub(crate) mod receiver;
pub(crate) mod service;
