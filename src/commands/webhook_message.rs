//! The messages to receivers, signed according to the Standard Webhooks specification (version 1.0.0,
//! www.standardwebhooks.com).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::log::Stored;
use bootledger_secrets::{NoSecret, Secrets};
use bootledger_web::api::events::EventAnswer;
use bootledger_web::confidential::Reader;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::ops::RangeInclusive;
use uuid::Uuid;

/// The key sizes that the specification allows, in bytes.
const KEY_SIZES: RangeInclusive<usize> = 24..=64;

/// The maximum number of keys in a secret: the new one and old ones while receivers change over.
const KEYS: usize = 4;

/// A message without its signature, which depends on the time of sending.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The message's id, the same for every attempt, so that the receiver can recognise a repeated message.
    pub(crate) id: String,
    /// The body of the request, in JSON.
    pub(crate) body: Bytes,
}

impl Message {
    /// The message with an event, in the form of `GET /api/v1/events`. Its id depends on the event, the log and the webhook.
    pub(crate) fn of(webhook: &Name, stored: Stored) -> anyhow::Result<Self> {
        let mut hash = Sha256::new();
        hash.update(webhook.as_str());
        hash.update([0]);
        hash.update(&stored.chain);
        hash.update(stored.position.to_be_bytes());
        let id = format!("msg_{}", hex::encode(&hash.finalize()[..16]));
        // Administrators decide which events a receiver gets.
        Ok(Self { id, body: serde_json::to_vec(&EventAnswer::of(stored, Reader::Administrator)?)?.into() })
    }

    /// A test message without an event.
    pub(crate) fn ping(webhook: &Name, now: Timestamp) -> Self {
        let body = json!({ "type": "Ping", "webhook": webhook, "sent_at": now }).to_string();
        Self { id: format!("ping_{}", Uuid::now_v7().simple()), body: body.into() }
    }
}

/// The keys of a webhook's secret.
pub(crate) struct Signer(Vec<Hmac<Sha256>>);

impl Signer {
    /// Reads the secret with this name: `whsec_` (optional) and 24 to 64 bytes in base64. If there are several keys, separated
    /// by white space, each signs.
    ///
    /// # Errors
    /// Returns an error if there is no such secret, or if it has a different form. The message contains nothing of its content.
    pub(crate) fn read(secrets: &Secrets, name: &Name) -> Result<Self, NoSecret> {
        let unusable = |problem: &str| NoSecret::Unusable { name: name.clone(), problem: problem.to_owned() };
        let secret = secrets.read(name)?;
        let key = |text: &str| {
            let key = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
            KEY_SIZES.contains(&key.len()).then(|| Hmac::new_from_slice(&key).ok()).flatten()
        };
        let keys: Option<Vec<_>> = secret.expose().split_whitespace().map(key).collect();
        match keys {
            Some(keys) if keys.len() <= KEYS => Ok(Self(keys)),
            Some(_) => Err(unusable("it has more than 4 keys; receivers need the newest and the one before")),
            None => Err(unusable(
                "a webhook's secret is whsec_ and 24 to 64 bytes in base64; create one with: echo whsec_$(openssl rand -base64 32)",
            )),
        }
    }

    /// The header `webhook-signature` of a message that is sent at this time, in seconds since 1970.
    pub(crate) fn sign(&self, message: &Message, timestamp: i64) -> String {
        let signature = |key: &Hmac<Sha256>| {
            let mut mac = key.clone();
            mac.update(format!("{}.{timestamp}.", message.id).as_bytes());
            mac.update(&message.body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn read(text: &str) -> Result<Signer, NoSecret> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("chat"), text).expect("a file");
        Signer::read(&Secrets::new(Some(folder.path().to_owned())), &"chat".parse().expect("a name"))
    }

    /// The example in the specification's own libraries.
    #[test]
    fn a_message_is_signed_as_the_specification_says() {
        let body = Bytes::from_static(br#"{"test": 2432232314}"#);
        let message = Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(), body };
        let signed = |secret: &str| read(secret).expect("a secret").sign(&message, 1_614_265_330);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), expected);
        assert_eq!(signed("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), expected);
        let both = signed("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert!(both.starts_with("v1,") && both.ends_with(&format!(" {expected}")), "{both}");
    }

    #[test]
    fn a_secret_that_is_short_long_or_not_base64_is_refused_and_not_shown() {
        let (key, long) = ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", STANDARD.encode([7; 65]));
        let (many, one_wrong) = ([key; 5].join(" "), format!("{key} hunter2!"));
        for text in ["hunter2hunter2", "whsec_c2hvcnQ=", "whsec_", &long, &one_wrong, &many] {
            let error = read(text).err().expect(text).to_string();
            assert!(!error.contains("hunter2") && !error.contains(key), "{error}");
        }
    }

    #[test]
    fn the_id_of_a_message_is_of_event_and_webhook() {
        let stored = |position, chain| Stored {
            position,
            sequence: 1,
            aggregate_type: "site".to_owned(),
            aggregate_id: "dc1".to_owned(),
            event_type: "SiteRetired".to_owned(),
            event_version: "1".to_owned(),
            payload: r#"{"type":"SiteRetired"}"#.to_owned(),
            metadata: "{}".to_owned(),
            recorded_at: time::OffsetDateTime::UNIX_EPOCH,
            chain: vec![chain; 32],
        };
        let id = |webhook: &str, stored| Message::of(&webhook.parse().expect("a name"), stored).expect("a message").id;
        assert_eq!(id("chat", stored(1, 1)), id("chat", stored(1, 1)));
        let others = [id("chat", stored(1, 1)), id("chat.a", stored(1, 1)), id("chat", stored(2, 1)), id("chat", stored(1, 2))];
        assert_eq!(others.iter().collect::<HashSet<_>>().len(), 4);
        assert!(others.iter().all(|id| !id.contains('.')), "the signature separates its parts by full stops");
    }
}
