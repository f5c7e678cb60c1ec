//! The connections to what the service implements: the commands, and the library of boot images.

use bootledger_aggregates::values::name::Name;
use bootledger_port::library::ImageLibrary;
use bootledger_port::{BootSecret, Commands, Concern};
use std::sync::Arc;

/// The connection to the domain. Handlers reach it only through a [`Backend`](super::request::backend::Backend).
#[derive(Clone)]
pub struct Port(Arc<dyn Commands>);

impl Port {
    /// Wraps an implementation of the commands.
    pub fn new(commands: Arc<dyn Commands>) -> Self {
        Self(commands)
    }

    /// The commands themselves, for code that never holds a reading: the guard, sign-ins, and requests of machines on the boot
    /// network. A test ensures that handlers that may read do not use it.
    pub(crate) fn unguarded(&self) -> &dyn Commands {
        &*self.0
    }

    /// The conditions that limit the service at the moment. Does not wait for anything.
    pub(crate) fn concerns(&self) -> Vec<Concern> {
        self.0.concerns()
    }

    /// What is wrong with the secret of this name, if anything. Secrets are local files or variables, so this does not wait.
    pub(crate) fn secret_problem(&self, name: &Name) -> Option<String> {
        self.0.secret_problem(name)
    }

    /// The secret of this name for a boot file, or what is wrong with it.
    pub(crate) fn boot_secret(&self, name: &Name) -> Result<BootSecret, String> {
        self.0.boot_secret(name)
    }
}

/// The library of boot images and its downloads. Handlers reach it only through a [`Backend`](super::request::backend::Backend).
#[derive(Clone)]
pub struct LibraryPort(Arc<dyn ImageLibrary>);

impl LibraryPort {
    /// Wraps an implementation of the library.
    pub fn new(library: Arc<dyn ImageLibrary>) -> Self {
        Self(library)
    }

    /// The library itself.
    pub(super) fn library(&self) -> &dyn ImageLibrary {
        &*self.0
    }
}
