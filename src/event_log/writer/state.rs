//! What a group of batches needs to know of the log.

use super::used::Used;
use std::collections::HashMap;

/// The kind and value of a claim.
pub(super) type ClaimKey = (&'static str, String);

/// The part of the log's state that a group's conditions name.
#[derive(Default)]
pub(super) struct LogState {
    /// The last sequence number of each stream.
    pub(super) sequences: HashMap<(String, String), i64>,
    /// The holders of claims.
    pub(super) holders: HashMap<ClaimKey, String>,
    /// The answers stored for keys: position, fingerprint, answer.
    pub(super) keys: HashMap<String, (i64, Vec<u8>, String)>,
    /// The claims that changed in this group, with the position of the change.
    pub(super) changed: HashMap<ClaimKey, i64>,
    /// The keys that this group answers.
    pub(super) answered: Vec<String>,
    /// What has come into use lately, if a batch of the group needs it.
    pub(super) used: Option<Used>,
}
