//! The hash chain of the log: each event's hash covers the previous one, so that an altered, inserted or missing event is
//! detected and located.

use bootledger_projections::database::log::Stored;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// The fields of a stored event that the chain covers, which are all of them.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// The event's position in the log.
    pub position: i64,
    /// The event's sequence number in its stream.
    pub sequence: i64,
    /// When the event was appended, to the microsecond.
    pub recorded_at: OffsetDateTime,
    /// The type of the aggregate, such as `device`.
    pub aggregate_type: &'a str,
    /// The key of the aggregate.
    pub aggregate_id: &'a str,
    /// The type of the event, such as `DeviceVerified`.
    pub event_type: &'a str,
    /// The version of the payload's form.
    pub event_version: &'a str,
    /// The exact JSON text of the payload.
    pub payload: &'a str,
    /// The exact JSON text of the metadata.
    pub metadata: &'a str,
}

impl<'a> From<&'a Stored> for Link<'a> {
    fn from(event: &'a Stored) -> Self {
        Self {
            position: event.position,
            sequence: event.sequence,
            recorded_at: event.recorded_at,
            aggregate_type: &event.aggregate_type,
            aggregate_id: &event.aggregate_id,
            event_type: &event.event_type,
            event_version: &event.event_version,
            payload: &event.payload,
            metadata: &event.metadata,
        }
    }
}

/// The chain value before the first event.
pub const START: [u8; 32] = [0; 32];

/// The chain value of an event: SHA-256 of the previous chain value and the event's canonical bytes. These are position,
/// sequence and microseconds since 1970 as 8 bytes big-endian, then each text as its length in 8 bytes big-endian and its UTF-8
/// bytes.
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
    fn every_field_changes_the_chain_and_no_two_texts_can_be_confused() {
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
