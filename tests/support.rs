//! What the tests share: the service as a process of its own, browsers, and a lab in which servers boot.

pub(crate) mod agent;
pub(crate) mod bmc;
pub(crate) mod browser;
pub(crate) mod cluster;
pub(crate) mod command_service;
pub(crate) mod debian;
pub(crate) mod disk;
pub(crate) mod dns;
pub(crate) mod lab;
pub(crate) mod old_database;
pub(crate) mod person;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod provider;
pub(crate) mod receiver;
pub(crate) mod rules;
pub(crate) mod service;
pub(crate) mod steps;

use std::path::{Path, PathBuf};

/// The build folder. `scripts/setup test` puts there what the tests need, and the tests leave their output there.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
