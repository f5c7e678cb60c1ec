//! Verifies vendors' OpenPGP signatures (RFC 9580): inline and detached, armored and binary.
//!
//! A signature is accepted if one of the recipe's keys made it, and that key may sign, is not revoked and has not expired.

#[cfg(test)]
mod tests;

use pgp::composed::{CleartextSignedMessage, Deserializable, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Tag, VerifyingKey};
use std::io::Read;
use time::OffsetDateTime;

const KEY_BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const INLINE_BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";

/// The most keys, and the most signatures of one text, that are checked.
const MOST: usize = 64;

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A key cannot be read.
    #[error("the key {0} cannot be read; replace its file by the vendor's public key")]
    Key(String),
    /// There is no signature where one is expected.
    #[error("it has no OpenPGP signature that can be read")]
    Unreadable,
    /// The signatures were made by keys that the recipe does not name.
    #[error("it is signed by {0}, and the recipe names other keys; look for a newer version of this recipe")]
    OtherKey(String),
    /// The content is not the signed one.
    #[error("its signature by {0} is wrong: the content was changed after it was signed")]
    Wrong(String),
    /// The key has expired.
    #[error("its key {key} expired on {date}; look for a newer version of this recipe, or check this machine's clock")]
    Expired {
        /// The fingerprint or id of the key.
        key: String,
        /// The date on which the key expired.
        date: String,
    },
    /// The key's owner revoked it.
    #[error("its key {0} was revoked by its owner; look for a newer version of this recipe")]
    Revoked(String),
    /// The key is not bound to the vendor's primary key, or may not sign.
    #[error("its key {0} is not allowed to sign")]
    NotForSigning(String),
    /// The signature uses MD5, SHA-1 or another hash with known collisions.
    #[error("its signature uses {0}, which is too weak")]
    Weak(String),
}

impl SignatureError {
    /// The severity of the error. Of several errors, the most severe is reported.
    fn weight(&self) -> u8 {
        match self {
            Self::Wrong(_) => 6,
            Self::Revoked(_) => 5,
            Self::Expired { .. } => 4,
            Self::NotForSigning(_) => 3,
            Self::Weak(_) => 2,
            _ => 1,
        }
    }
}

/// The public keys that may sign.
#[derive(Clone, Debug, Default)]
pub struct Keyring(Vec<SignedPublicKey>);

impl Keyring {
    /// Adds the keys in a file, armored or binary. `name` is the file's name for error messages.
    ///
    /// # Errors
    /// Returns an error if the file does not contain public keys.
    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<(), SignatureError> {
        let unreadable = || SignatureError::Key(name.to_owned());
        let before = self.0.len();
        match std::str::from_utf8(content).ok().filter(|text| text.contains(KEY_BEGIN)) {
            Some(text) => {
                for block in text.split(KEY_BEGIN).skip(1) {
                    let block = format!("{KEY_BEGIN}{block}");
                    let (keys, _) = SignedPublicKey::from_armor_many(block.as_bytes()).map_err(|_| unreadable())?;
                    for key in keys.take(MOST) {
                        self.0.push(key.map_err(|_| unreadable())?);
                    }
                }
            }
            None => {
                for key in SignedPublicKey::from_bytes_many(content).map_err(|_| unreadable())?.take(MOST) {
                    self.0.push(key.map_err(|_| unreadable())?);
                }
            }
        }
        if self.0.len() == before || self.0.len() > MOST { Err(unreadable()) } else { Ok(()) }
    }

    /// Adds only the key of a file whose primary key has this fingerprint.
    ///
    /// # Errors
    /// Returns an error if the file contains no such key.
    pub fn add_only(&mut self, name: &str, content: &[u8], fingerprint: &str) -> Result<(), SignatureError> {
        let mut all = Self::default();
        all.add(name, content)?;
        let found = all.0.into_iter().find(|key| key.primary_key.fingerprint().to_string().eq_ignore_ascii_case(fingerprint));
        self.0.push(found.ok_or_else(|| SignatureError::Key(format!("{name} with the fingerprint {fingerprint}")))?);
        Ok(())
    }

    /// The fingerprints of the primary keys.
    pub fn fingerprints(&self) -> Vec<String> {
        self.0.iter().map(|key| key.primary_key.fingerprint().to_string()).collect()
    }

    /// Verifies a text with an inline signature, and returns only the signed text, without anything around it.
    ///
    /// # Errors
    /// Returns an error if no key of the ring signed the text.
    pub fn verify_inline(&self, content: &[u8], now: OffsetDateTime) -> Result<String, SignatureError> {
        let text = std::str::from_utf8(content).map_err(|_| SignatureError::Unreadable)?;
        let start = text.find(INLINE_BEGIN).ok_or(SignatureError::Unreadable)?;
        let (message, _) = CleartextSignedMessage::from_string(&text[start..]).map_err(|_| SignatureError::Unreadable)?;
        let signed = message.signed_text();
        self.any(message.signatures().iter(), now, || Ok(signed.as_bytes()))?;
        Ok(signed.replace("\r\n", "\n"))
    }

    /// Verifies content by a detached signature. `content` opens the content, which is read once for each signature.
    ///
    /// # Errors
    /// Returns an error if no key of the ring signed the content.
    pub fn verify_detached<R: Read>(
        &self,
        signature: &[u8],
        now: OffsetDateTime,
        content: impl Fn() -> std::io::Result<R>,
    ) -> Result<(), SignatureError> {
        let armored = std::str::from_utf8(signature).is_ok_and(|text| text.contains("-----BEGIN PGP SIGNATURE-----"));
        let signatures: Vec<DetachedSignature> = if armored {
            let (found, _) = DetachedSignature::from_armor_many(signature).map_err(|_| SignatureError::Unreadable)?;
            found.take(MOST).filter_map(Result::ok).collect()
        } else {
            let found = DetachedSignature::from_bytes_many(signature).map_err(|_| SignatureError::Unreadable)?;
            found.take(MOST).filter_map(Result::ok).collect()
        };
        self.any(signatures.iter().map(|one| &one.signature), now, content)
    }

    /// Accepts one valid signature. If none is valid, reports the most severe error.
    fn any<'a, R: Read>(
        &self,
        signatures: impl Iterator<Item = &'a Signature>,
        now: OffsetDateTime,
        content: impl Fn() -> std::io::Result<R>,
    ) -> Result<(), SignatureError> {
        let mut worst = SignatureError::Unreadable;
        for signature in signatures.take(MOST) {
            match self.one(signature, now, &content) {
                Ok(()) => return Ok(()),
                Err(error) if error.weight() >= worst.weight() => worst = error,
                Err(_) => {}
            }
        }
        Err(worst)
    }

    fn one<R: Read>(
        &self,
        signature: &Signature,
        now: OffsetDateTime,
        content: &impl Fn() -> std::io::Result<R>,
    ) -> Result<(), SignatureError> {
        let check = |key: &dyn Fn(R) -> bool, name: &str| {
            let right = content().is_ok_and(key);
            if right { Ok(()) } else { Err(SignatureError::Wrong(name.to_owned())) }
        };
        if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
            return Err(SignatureError::Unreadable);
        }
        strong(signature)?;
        for certificate in &self.0 {
            let name = certificate.primary_key.fingerprint().to_string();
            if made_by(signature, &certificate.primary_key) {
                check(&|content| signature.verify(&certificate.primary_key, content).is_ok(), &name)?;
                return primary_valid(certificate, &name, now).and_then(|()| fresh(signature, &name, now));
            }
            for subkey in &certificate.public_subkeys {
                if made_by(signature, &subkey.key) {
                    check(&|content| signature.verify(&subkey.key, content).is_ok(), &name)?;
                    primary_valid(certificate, &name, now)?;
                    subkey_valid(certificate, subkey, &name, now)?;
                    return fresh(signature, &name, now);
                }
            }
        }
        let issuer = signature.issuer_fingerprint().first().map(ToString::to_string);
        let issuer = issuer.or_else(|| signature.issuer_key_id().first().map(ToString::to_string));
        Err(SignatureError::OtherKey(issuer.unwrap_or_else(|| "an unnamed key".to_owned())))
    }
}

fn made_by(signature: &Signature, key: &impl VerifyingKey) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        return signature.issuer_key_id().contains(&&key.legacy_key_id());
    }
    fingerprints.contains(&&key.fingerprint())
}

fn strong(signature: &Signature) -> Result<(), SignatureError> {
    match signature.hash_alg() {
        Some(
            HashAlgorithm::Sha256
            | HashAlgorithm::Sha384
            | HashAlgorithm::Sha512
            | HashAlgorithm::Sha3_256
            | HashAlgorithm::Sha3_512,
        ) => Ok(()),
        Some(other) => Err(SignatureError::Weak(other.to_string())),
        None => Err(SignatureError::Unreadable),
    }
}

/// Checks that the signature itself has not expired.
fn fresh(signature: &Signature, key: &str, now: OffsetDateTime) -> Result<(), SignatureError> {
    let created = signature.created().map_or(0, |created| i64::from(created.as_secs()));
    not_over(created, signature.signature_expiration_time().map_or(0, pgp::types::Duration::as_secs), key, now)
}

fn not_over(start: i64, seconds: u32, key: &str, now: OffsetDateTime) -> Result<(), SignatureError> {
    let end = start + i64::from(seconds);
    if seconds == 0 || now.unix_timestamp() < end {
        return Ok(());
    }
    let date =
        OffsetDateTime::from_unix_timestamp(end).map_or_else(|_| "an unknown day".to_owned(), |end| end.date().to_string());
    Err(SignatureError::Expired { key: key.to_owned(), date })
}

/// Checks that the primary key is not revoked and, by its newest valid self-signature, has not expired.
fn primary_valid(certificate: &SignedPublicKey, name: &str, now: OffsetDateTime) -> Result<(), SignatureError> {
    let (primary, details) = (&certificate.primary_key, &certificate.details);
    if details.revocation_signatures.iter().any(|signature| signature.verify_key(primary).is_ok()) {
        return Err(SignatureError::Revoked(name.to_owned()));
    }
    let users = details.users.iter().flat_map(|user| user.signatures.iter().map(move |signature| (user, signature)));
    let by_users = users
        .filter(|(_, signature)| signature.is_certification() && signature.typ() != Some(SignatureType::CertRevocation))
        .filter(|(user, signature)| signature.verify_certification(primary, Tag::UserId, &user.id).is_ok())
        .map(|(_, signature)| signature);
    let direct = details.direct_signatures.iter().filter(|signature| signature.verify_key(primary).is_ok());
    let newest = by_users.chain(direct).max_by_key(|signature| signature.created().map(pgp::types::Timestamp::as_secs));
    let newest = newest.ok_or_else(|| SignatureError::NotForSigning(name.to_owned()))?;
    let seconds = newest.key_expiration_time().map_or(0, pgp::types::Duration::as_secs);
    not_over(i64::from(primary.created_at().as_secs()), seconds, name, now)
}

/// Checks that primary key and subkey are bound to each other for signing, and that the subkey is neither revoked nor expired.
fn subkey_valid(
    certificate: &SignedPublicKey,
    subkey: &SignedPublicSubKey,
    name: &str,
    now: OffsetDateTime,
) -> Result<(), SignatureError> {
    let primary = &certificate.primary_key;
    let valid = |kind| {
        subkey.signatures.iter().filter(move |signature| {
            signature.typ() == Some(kind) && signature.verify_subkey_binding(primary, &subkey.key).is_ok()
        })
    };
    if valid(SignatureType::SubkeyRevocation).next().is_some() {
        return Err(SignatureError::Revoked(name.to_owned()));
    }
    let newest =
        valid(SignatureType::SubkeyBinding).max_by_key(|signature| signature.created().map(pgp::types::Timestamp::as_secs));
    let newest = newest.ok_or_else(|| SignatureError::NotForSigning(name.to_owned()))?;
    let back = newest.embedded_signature().is_some_and(|back| back.verify_primary_key_binding(&subkey.key, primary).is_ok());
    if !newest.key_flags().sign() || !back {
        return Err(SignatureError::NotForSigning(name.to_owned()));
    }
    let seconds = newest.key_expiration_time().map_or(0, pgp::types::Duration::as_secs);
    not_over(i64::from(subkey.key.created_at().as_secs()), seconds, name, now)
}
