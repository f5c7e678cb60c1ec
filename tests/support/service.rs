//! A running service over a database of its own.

use super::process::Process;
pub(crate) use super::process::wait_for;
use anyhow::Result;
use bootledger_test_cluster::TestDatabase;
use std::net::Ipv4Addr;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

/// The service and its database, of which it is the first to go.
pub(crate) struct Service {
    process: Process,
    database: TestDatabase,
}

impl Service {
    /// Starts it on a free port of this address, and waits until it is ready.
    pub(crate) async fn start(address: Ipv4Addr) -> Result<Self> {
        let database = TestDatabase::create().await?;
        Ok(Self { process: Process::start(address, database.url()).await?, database })
    }

    /// The same, with this file as the program, and further options.
    pub(crate) async fn start_with(address: Ipv4Addr, program: PathBuf, options: Vec<String>) -> Result<Self> {
        let database = TestDatabase::create().await?;
        let process = Process::start_with(address, database.url(), program, options).await?;
        Ok(Self { process, database })
    }

    /// The service's database.
    pub(crate) fn database(&self) -> &TestDatabase {
        &self.database
    }
}

impl Deref for Service {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Service {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
