//! A deployment's token: proof that the client has a URL that only the deployment's own script contains.
//!
//! The token is the deployment's ID and the first 128 bits of an HMAC-SHA-256 of it under the service's key, in 64 lower-case
//! hexadecimal digits. It is derived and so never stored, is in no event, and ends with the deployment, because only a live
//! deployment is served for a token. It is valid from any address: a server behind a NAT, or an installer that uses another
//! interface, is still that server.

use crate::http::application::ServiceKey;
use bootledger_aggregates::values::ids::DeploymentId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// The purpose of this use of the key. No other use of the key can result in the same tokens.
const PURPOSE: &[u8] = b"bootledger boot token 1\0";

/// How many bytes of the HMAC are in the token.
const PROOF: usize = 16;

/// A deployment's token as text. `Debug` does not show it, because logs must not contain it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token of a deployment.
    pub fn of(key: &ServiceKey, deployment: DeploymentId) -> Self {
        Self(format!("{}{}", deployment.0.simple(), hex::encode(proof(key, deployment))))
    }

    /// The token as text: 64 lower-case hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The deployment whose token `text` is; `None` if it is not a valid token. Takes the same time for every wrong proof.
pub fn verify(key: &ServiceKey, text: &str) -> Option<DeploymentId> {
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * (16 + PROOF) || !text.bytes().all(digits) {
        return None;
    }
    let bytes = hex::decode(text).ok()?;
    let (id, given) = bytes.split_at_checked(16)?;
    let deployment = DeploymentId(Uuid::from_slice(id).ok()?);
    bool::from(proof(key, deployment).ct_eq(given)).then_some(deployment)
}

fn proof(key: &ServiceKey, deployment: DeploymentId) -> [u8; PROOF] {
    // An HMAC accepts a key of any length, so the error cannot happen; an all-zero proof would still match no deployment.
    let mut proof = [0; PROOF];
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.bytes()) {
        mac.update(PURPOSE);
        mac.update(deployment.0.as_bytes());
        proof.copy_from_slice(&mac.finalize().into_bytes()[..PROOF]);
    }
    proof
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> ServiceKey {
        ServiceKey::new(vec![byte; 32])
    }

    #[test]
    fn a_token_names_its_deployment_and_no_other() {
        let (one, other) = (DeploymentId(Uuid::now_v7()), DeploymentId(Uuid::now_v7()));
        let token = Token::of(&key(1), one);
        assert_eq!(verify(&key(1), token.as_str()), Some(one));
        assert_ne!(token, Token::of(&key(1), other));
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn anything_but_the_very_token_is_refused() {
        let (one, other) = (DeploymentId(Uuid::now_v7()), DeploymentId(Uuid::now_v7()));
        let token = Token::of(&key(1), one).as_str().to_owned();
        assert_eq!(verify(&key(2), &token), None, "a token of another service");
        let spliced = format!("{}{}", other.0.simple(), &token[32..]);
        assert_eq!(verify(&key(1), &spliced), None, "the proof of another deployment");
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).expect("digits");
            assert_eq!(verify(&key(1), &changed), None, "digit {place} changed");
        }
        for wrong in ["", "0", &token[1..], &format!("{token}0"), &token.to_uppercase(), &"ä".repeat(32), &"g".repeat(64)] {
            assert_eq!(verify(&key(1), wrong), None, "{wrong:?}");
        }
    }
}
