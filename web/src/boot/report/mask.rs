//! Takes a deployment's token out of what an installer sends, before any of it is kept.
//!
//! The token is in every URL that an installer fetches, and so in its error messages and its log. It is also taken out where
//! a text was cut in the middle of it: the end of a log may begin with the rest of a token, and a short message end with its
//! beginning.

use crate::boot::render::MASK;

/// How many characters of the token, at an edge of a text, may be there by chance.
const BY_CHANCE: usize = 8;

/// A token to be taken out.
#[derive(Clone)]
pub(super) struct Masked {
    token: String,
}

impl std::fmt::Debug for Masked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masked(…)")
    }
}

impl Masked {
    /// This one; of hexadecimal digits.
    pub(super) fn new(token: &str) -> Self {
        Self { token: token.to_ascii_lowercase() }
    }

    /// How many bytes before a cut have to be looked at, so that none of a token that the cut goes through is left.
    pub(super) fn margin(&self) -> usize {
        self.token.len()
    }

    /// A text without the token.
    pub(super) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// Bytes without the token, in any case of letters.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let token = self.token.as_bytes();
        if token.is_empty() {
            return bytes.to_vec();
        }
        let mut clean = Vec::with_capacity(bytes.len());
        let begins = self.cut_off(bytes.len(), |length| starts(bytes, &token[token.len() - length..]));
        if begins > 0 {
            clean.extend_from_slice(MASK.as_bytes());
        }
        let mut rest = &bytes[begins..];
        while !rest.is_empty() {
            if starts(rest, token) {
                clean.extend_from_slice(MASK.as_bytes());
                rest = &rest[token.len()..];
            } else if rest.len() < token.len() && rest.len() > BY_CHANCE && starts(token, rest) {
                clean.extend_from_slice(MASK.as_bytes());
                rest = &[];
            } else {
                clean.push(rest[0]);
                rest = &rest[1..];
            }
        }
        clean
    }

    /// How many bytes at the beginning are the end of a token.
    fn cut_off(&self, available: usize, is: impl Fn(usize) -> bool) -> usize {
        let longest = available.min(self.token.len() - 1);
        (BY_CHANCE + 1..=longest).rev().find(|length| is(*length)).unwrap_or(0)
    }
}

fn starts(bytes: &[u8], with: &[u8]) -> bool {
    bytes.len() >= with.len() && bytes[..with.len()].eq_ignore_ascii_case(with)
}
