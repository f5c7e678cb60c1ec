//! The hash chain over the log: each event's hash covers the one before it, so that an altered,
//! inserted or missing event anywhere is found, and located.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// The fields of a stored event that the chain covers: all of them.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// The place in the log.
    pub position: i64,
    /// The place in the stream.
    pub sequence: i64,
    /// When it was appended, to the microsecond.
    pub recorded_at: OffsetDateTime,
    /// Such as `device`.
    pub aggregate_type: &'a str,
    /// The aggregate's key.
    pub aggregate_id: &'a str,
    /// Such as `DeviceVerified`.
    pub event_type: &'a str,
    /// Of the payload's shape.
    pub event_version: &'a str,
    /// The payload's JSON text, to the letter.
    pub payload: &'a str,
    /// The metadata's JSON text, to the letter.
    pub metadata: &'a str,
}

/// The chain before the first event.
pub const START: [u8; 32] = [0; 32];

/// SHA-256 of the previous chain and the event's canonical bytes: position, sequence and
/// microseconds since 1970 as 8 bytes big-endian, then each text as its length in 8 bytes
/// big-endian and its UTF-8 bytes.
pub fn next(previous: &[u8; 32], link: &Link<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(link.position.to_be_bytes());
    hash.update(link.sequence.to_be_bytes());
    let microseconds = i64::try_from(link.recorded_at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
    hash.update(microseconds.to_be_bytes());
    let texts = [link.aggregate_type, link.aggregate_id, link.event_type, link.event_version, link.payload, link.metadata];
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_changes_the_chain_and_no_two_texts_can_be_told_as_one() {
        let link = Link {
            position: 7,
            sequence: 2,
            recorded_at: OffsetDateTime::UNIX_EPOCH,
            aggregate_type: "device",
            aggregate_id: "a",
            event_type: "DeviceVerified",
            event_version: "1",
            payload: "{}",
            metadata: "{}",
        };
        let later = OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(1);
        let variants = [
            link,
            Link { position: 8, ..link },
            Link { sequence: 3, ..link },
            Link { recorded_at: later, ..link },
            Link { aggregate_type: "devic", aggregate_id: "ea", ..link },
            Link { event_type: "DeviceUnverified", ..link },
            Link { event_version: "2", ..link },
            Link { payload: "{ }", ..link },
            Link { metadata: "[]", ..link },
        ];
        let chains: std::collections::BTreeSet<_> = variants.iter().map(|variant| next(&START, variant)).collect();
        assert_eq!(chains.len(), variants.len());
        assert_ne!(next(&[1; 32], &link), next(&START, &link));
    }
}
