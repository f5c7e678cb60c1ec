//! The hash of a password. A command contains only the hash, never the password.

use std::fmt;

/// An argon2id hash in PHC form. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(String);

impl Hash {
    /// Wraps a stored hash.
    pub fn stored(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC text, to be stored.
    pub fn phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}
