//! A published checksum: SHA-256 or SHA-512.

use sha2::Digest as _;
use std::fmt;

/// A checksum and its kind, written as `sha256:…` or `sha512:…` with lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// A SHA-256 checksum.
    Sha256([u8; 32]),
    /// A SHA-512 checksum.
    Sha512([u8; 64]),
}

impl Digest {
    /// Reads a checksum of 64 (SHA-256) or 128 (SHA-512) hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        match text.len() {
            64 => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).ok()?;
                Some(Self::Sha256(bytes))
            }
            128 => {
                let mut bytes = [0; 64];
                hex::decode_to_slice(text, &mut bytes).ok()?;
                Some(Self::Sha512(bytes))
            }
            _ => None,
        }
    }

    /// The checksum of `content`, of the same kind as this one.
    #[must_use]
    pub fn same_kind_of(&self, content: &[u8]) -> Self {
        match self {
            Self::Sha256(_) => Self::Sha256(sha2::Sha256::digest(content).into()),
            Self::Sha512(_) => Self::Sha512(sha2::Sha512::digest(content).into()),
        }
    }

    /// Whether `content` has this checksum.
    pub fn is_of(&self, content: &[u8]) -> bool {
        self.same_kind_of(content) == *self
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(bytes) => write!(f, "sha256:{}", hex::encode(bytes)),
            Self::Sha512(bytes) => write!(f, "sha512:{}", hex::encode(bytes)),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
