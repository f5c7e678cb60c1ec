//! The text of an access token: `bl_<token's UUID without hyphens>_<secret, 64 hexadecimal digits>`. Secret scanners recognise
//! it by `bl_`. Only the SHA-256 of the secret's 32 bytes is ever stored.

use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::sha256::Sha256;
use sha2::Digest;
use std::fmt;
use uuid::Uuid;

/// The prefix of a token's text.
const PREFIX: &str = "bl_";

/// The secret of a token or a session: 32 random bytes. `Debug` never shows it.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Generates a secret from the operating system's randomness.
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// The hash that is stored.
    pub fn sha256(&self) -> Sha256 {
        Sha256::new(sha2::Sha256::digest(self.0).into())
    }

    /// The text that the token's bearer keeps.
    pub fn bearer(&self, token: TokenId) -> String {
        self.written(PREFIX, token.0)
    }

    /// The text of a token or session with this secret.
    pub(super) fn written(&self, prefix: &str, id: Uuid) -> String {
        format!("{prefix}{}_{}", id.simple(), hex::encode(self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Parses the text of a token; `None` if it has another form.
pub fn parse(text: &str) -> Option<(TokenId, Secret)> {
    read(PREFIX, text).map(|(id, secret)| (TokenId(id), secret))
}

/// Parses an ID with its secret; `None` if the text has another form.
pub(super) fn read(prefix: &str, text: &str) -> Option<(Uuid, Secret)> {
    let (id, secret) = text.strip_prefix(prefix)?.split_once('_')?;
    let lower_hex = |text: &str, length| text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !lower_hex(id, 32) || !lower_hex(secret, 64) {
        return None;
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(secret, &mut bytes).ok()?;
    Some((Uuid::try_parse(id).ok()?, Secret(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_from_its_text() {
        let (id, secret) = (TokenId(Uuid::now_v7()), Secret::random());
        let (read_id, read) = parse(&secret.bearer(id)).expect("a token");
        assert_eq!((read_id, read.sha256()), (id, secret.sha256()));
        assert_ne!(Secret::random().sha256(), secret.sha256());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let good = Secret::random().bearer(TokenId(Uuid::now_v7()));
        for text in ["", "bl_", "bl__", &good[1..], &good[..good.len() - 1], &format!("{good}0"), &good.to_uppercase()] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
