//! Passwords: which are accepted, how they are stored, and how one is checked.
//!
//! They are stored as argon2id hashes with the parameters that OWASP recommends (19 MiB, 2 passes, 1 lane). Each hash takes some
//! tens of milliseconds of a processor, on the threads of `hashing` and never on one that serves requests.

use super::fair_queue::Turn;
use super::hashing;
use crate::http::error::Error;
use bootledger_aggregates::rules::Rule;
use bootledger_port::password::Hash;
use rand::RngExt;
use std::fmt;

/// The minimum length of a password, in characters.
pub const LEAST: usize = 12;
/// The maximum length of a password, in characters.
pub const MOST: usize = 200;

/// A password. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A password that a user chose, if it is acceptable. `name` is the user's name, which the password must not be equal to.
    ///
    /// # Errors
    /// Returns [`Error::Rejected`] if the password is too short, too long or easy to guess: one repeated character, or the
    /// user's name.
    pub fn chosen(text: &str, name: &str) -> Result<Self, Error> {
        let refused = |rule, message: String| Err(Error::rejected("password", rule, message));
        let length = text.chars().count();
        if length < LEAST {
            let message =
                format!("a password must have at least {LEAST} characters; a phrase of several words is easy to remember");
            return refused(Rule::PasswordShort, message);
        }
        if length > MOST {
            return refused(Rule::PasswordLong, format!("a password must have at most {MOST} characters"));
        }
        let mut characters = text.chars();
        let first = characters.next();
        if characters.all(|character| Some(character) == first) || text.to_lowercase() == name.to_lowercase() {
            return refused(Rule::PasswordWeak, "this password is too easy to guess; choose another".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// A password that a user entered, to be checked.
    pub fn typed(text: String) -> Self {
        Self(text)
    }

    /// Generates a password to be shown once: four groups of five letters and digits that are not easily confused; 100 bits.
    pub fn one_time() -> Self {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345679";
        let mut random = rand::rng();
        let mut group = || (0..5).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect::<String>();
        Self([group(), group(), group(), group()].join("-"))
    }

    /// The text of the password, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The hash that is stored.
    ///
    /// # Errors
    /// Returns [`Error::Unavailable`] if too many passwords are waiting to be hashed, and [`Error::Internal`] if the
    /// computation fails.
    pub async fn hash(&self) -> Result<Hash, Error> {
        hashing::make(self.0.clone(), Turn::Trusted).await.map(Hash::stored)
    }

    /// Whether the password matches this hash. Without a hash, the check takes the same time and fails.
    ///
    /// # Errors
    /// Returns [`Error::Unavailable`] if too many passwords are waiting to be hashed, and [`Error::Internal`] if the
    /// computation fails.
    pub async fn is_of(&self, hash: Option<Hash>) -> Result<bool, Error> {
        self.is_of_in_turn(hash, Turn::Trusted).await
    }

    /// The same for a caller that waits for its turn.
    pub(crate) async fn is_of_in_turn(&self, hash: Option<Hash>, turn: Turn) -> Result<bool, Error> {
        hashing::check(self.0.clone(), hash.map(|hash| hash.phc().to_owned()), turn).await
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_password_is_known_by_its_hash_and_no_other_is() {
        let password = Password::chosen("correct horse battery", "ada").expect("a password");
        let hash = password.hash().await.expect("a hash");
        assert!(hash.phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.phc());
        assert!(password.is_of(Some(hash.clone())).await.expect("an answer"));
        assert!(!Password::typed("wrong horse".to_owned()).is_of(Some(hash)).await.expect("an answer"));
        assert!(!password.is_of(None).await.expect("an answer"), "no hash, no match");
        assert_eq!(format!("{password:?}"), "Password(…)");
    }

    #[test]
    fn a_password_that_is_easily_guessed_is_refused() {
        for weak in ["", "short", "12345678901", "aaaaaaaaaaaaaaaa", "Administrator-1", &"x".repeat(201)] {
            assert!(Password::chosen(weak, "administrator-1").is_err(), "{weak}");
        }
        assert!(Password::chosen("zwölf Zeichen", "ada").is_ok());
    }

    #[test]
    fn a_one_time_password_is_long_and_new_each_time() {
        let (one, other) = (Password::one_time(), Password::one_time());
        assert!(one != other && one.expose().len() == 23, "{}", one.expose());
        assert!(Password::chosen(one.expose(), "ada").is_ok());
    }
}
