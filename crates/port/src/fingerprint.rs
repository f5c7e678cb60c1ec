//! How a repeated request is recognised: by the caller's idempotency key, and by the request's own bytes, so that the same
//! key is not taken for another request.
//!
//! The bytes are hashed as they arrived and never as types of this program, so that a retry across an upgrade is still the
//! same request. The hash is stored with the answer: what it is made of may change only with another `VERSION`.

use sha2::{Digest, Sha256};

/// The version of the hashed content.
const VERSION: u8 = 1;

/// An idempotency key, and the request that it came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key that the caller chose.
    pub key: String,
    /// The fingerprint of the request.
    pub request: Fingerprint,
}

impl IdempotencyKey {
    /// The same request with another key.
    #[must_use]
    pub fn named(&self, key: String) -> Self {
        Self { key, request: self.request }
    }
}

/// A hash that distinguishes requests: of method, path, query, content type and body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    head: [u8; 32],
    body: [u8; 32],
}

impl Fingerprint {
    /// The fingerprint of a request with these bytes.
    pub fn of(method: &str, path: &str, query: &str, content_type: &[u8], body: &[u8]) -> Self {
        Self::with_hash(method, path, query, content_type, Sha256::digest(body).into())
    }

    /// The fingerprint of a request whose body has this SHA-256.
    pub fn with_hash(method: &str, path: &str, query: &str, content_type: &[u8], body: [u8; 32]) -> Self {
        let mut head = Sha256::new_with_prefix([VERSION]);
        // Each part is preceded by its length, so that no bytes can move from one part into the next.
        for part in [method.as_bytes(), path.as_bytes(), query.as_bytes(), content_type] {
            head.update((part.len() as u64).to_be_bytes());
            head.update(part);
        }
        Self { head: head.finalize().into(), body }
    }

    /// The fingerprint with a further part of the body: a file that was stored while it arrived.
    #[must_use]
    pub fn and(self, part: &[u8; 32]) -> Self {
        let body = Sha256::new_with_prefix(self.body).chain_update(part).finalize().into();
        Self { body, ..self }
    }

    /// The hash that is stored.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::new_with_prefix(self.head).chain_update(self.body).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex_of(method: &str, path: &str, query: &str, content_type: &str, body: &str) -> String {
        hex::encode(Fingerprint::of(method, path, query, content_type.as_bytes(), body.as_bytes()).sha256())
    }

    /// These hashes are stored in databases. If one changes, every retry across the upgrade fails with `KeyReused`.
    #[test]
    fn the_hash_of_a_request_stays_what_it_is() {
        let start =
            hex_of("POST", "/api/v1/deployments", "", "application/json", r#"{"device":"0192f0c0-0000-7000-8000-000000000001"}"#);
        assert_eq!(start, "beeeebb3334f9a28094f199e65ba65b20200e510e044b440ab381014baf62847");
        assert_eq!(
            hex_of("POST", "/api/v1/imports", "dry_run=false", "text/csv", "mac;venture\n"),
            "f827510bd9b74a63fbd27155a637166237ca77777291fb74f8da5456fe9da458"
        );
        assert_eq!(
            hex_of("DELETE", "/api/v1/racks/r1", "", "", ""),
            "178719afb524b75ad83130ddf0672e51972437720b94278b86c2d26d760b3194"
        );
    }

    #[test]
    fn every_part_of_a_request_counts_and_none_runs_into_the_next() {
        let all = [
            hex_of("POST", "/a", "b", "c", "d"),
            hex_of("PUT", "/a", "b", "c", "d"),
            hex_of("POST", "/ab", "", "c", "d"),
            hex_of("POST", "/a", "bc", "", "d"),
            hex_of("POST", "/a", "b", "cd", ""),
            hex_of("POST", "/a", "b", "c", "e"),
        ];
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
