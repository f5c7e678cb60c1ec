//! Removes a deployment's token and secrets from the texts that an installer sends, before they are stored.
//!
//! The token is in every URL that an installer fetches, and so in its error messages and its log. It is also removed if a text
//! was cut in the middle of it: the end of a log may begin with the rest of a token, and a short message may end with its
//! beginning. A template may have changed the form of the token, and the server may then print that form. So a part of its
//! secret half is removed as well, in upper and lower case and reversed, and also its base64 encoding.

use crate::images::template::quoted;
use crate::machines::pxe::render::MASK;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::HashSet;

/// How many characters of the token, at an edge of a text, may occur by chance.
const BY_CHANCE: usize = 8;

/// The shortest part of the token's secret half that is removed anywhere.
const PART: usize = BY_CHANCE + 1;

/// The shortest secret that is removed; a shorter one would blank half of a log and is not a secret.
const SHORTEST_SECRET: usize = 4;

/// What is removed: the token, and the secrets of the deployment's files, which an installer may print as well.
#[derive(Clone)]
pub(super) struct Masked {
    words: Vec<String>,
    parts: HashSet<[u8; PART]>,
}

impl std::fmt::Debug for Masked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masked(…)")
    }
}

impl Masked {
    /// Masks this token, which consists of hexadecimal digits.
    pub(super) fn new(token: &str) -> Self {
        let mut words = vec![token.to_owned()];
        // The characters before the token in a text shift its bits within the base64 characters; the characters at its ends
        // depend on its neighbours.
        for skipped in 0..3 {
            let whole = token.get(skipped..).unwrap_or_default();
            let whole = &whole.as_bytes()[..whole.len() / 3 * 3];
            words.extend([STANDARD_NO_PAD.encode(whole), URL_SAFE_NO_PAD.encode(whole)]);
        }
        words.retain(|word| !word.is_empty());
        words.dedup();
        // The first half is the deployment's ID, which is not secret.
        let half: Vec<u8> = token.bytes().skip(token.len() / 2).map(|byte| byte.to_ascii_lowercase()).collect();
        let backwards: Vec<u8> = half.iter().rev().copied().collect();
        let parts =
            [half, backwards].iter().flat_map(|half| half.windows(PART).filter_map(|part| part.try_into().ok())).collect();
        Self { words, parts }
    }

    /// Also masks this secret, both as it is and in the forms in which templates' filters write it.
    pub(super) fn and(mut self, secret: &str) -> Self {
        if secret.len() >= SHORTEST_SECRET {
            self.words.extend(quoted(secret).into_iter().filter(|written| written != secret));
            self.words.push(secret.to_owned());
        }
        self
    }

    /// How many bytes before a cut must be searched, so that nothing remains of a word that the cut divides.
    pub(super) fn margin(&self) -> usize {
        self.words.iter().map(String::len).max().unwrap_or(0)
    }

    /// A text with these words masked.
    pub(super) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// Bytes with these words masked, in upper and lower case.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let words = || self.words.iter().map(String::as_bytes).filter(|word| !word.is_empty());
        let mut clean = Vec::with_capacity(bytes.len());
        let begins = words().map(|word| cut_off(bytes, word)).max().unwrap_or(0);
        if begins > 0 {
            clean.extend_from_slice(MASK.as_bytes());
        }
        let mut rest = &bytes[begins..];
        let suspicious = self.first_bytes();
        while let Some(first) = rest.first() {
            if !suspicious[usize::from(*first)] {
                clean.push(*first);
                rest = &rest[1..];
                continue;
            }
            let whole = words().filter(|word| starts(rest, word)).map(<[u8]>::len).max();
            let part = self.part(rest);
            let cut = |word: &[u8]| rest.len() < word.len() && rest.len() > BY_CHANCE && starts(word, rest);
            if let Some(length) = whole {
                clean.extend_from_slice(MASK.as_bytes());
                rest = &rest[length..];
            } else if part > 0 {
                clean.extend_from_slice(MASK.as_bytes());
                rest = &rest[part..];
            } else if words().any(cut) {
                clean.extend_from_slice(MASK.as_bytes());
                rest = &[];
            } else {
                clean.push(*first);
                rest = &rest[1..];
            }
        }
        clean
    }
}

impl Masked {
    /// The bytes with which a word, or a part of the token, begins. Most bytes of a log are not among them.
    fn first_bytes(&self) -> [bool; 256] {
        let mut first = [false; 256];
        for byte in self.words.iter().filter_map(|word| word.bytes().next()).chain(self.parts.iter().map(|part| part[0])) {
            first[usize::from(byte.to_ascii_lowercase())] = true;
            first[usize::from(byte.to_ascii_uppercase())] = true;
        }
        first
    }

    /// How many bytes at the beginning are a part of the token's secret half.
    fn part(&self, bytes: &[u8]) -> usize {
        let known = |at: usize| {
            // Most of a log is not digits, and every byte of it is checked.
            let part = bytes.get(at..at + PART).filter(|part| part.iter().all(u8::is_ascii_hexdigit));
            let part: Option<[u8; PART]> = part.and_then(|part| part.try_into().ok());
            part.is_some_and(|part| self.parts.contains(&part.map(|byte| byte.to_ascii_lowercase())))
        };
        match (0..bytes.len()).take_while(|at| known(*at)).count() {
            0 => 0,
            count => count + PART - 1,
        }
    }
}

/// How many bytes at the beginning are the end of a word.
fn cut_off(bytes: &[u8], word: &[u8]) -> usize {
    let longest = bytes.len().min(word.len() - 1);
    (BY_CHANCE + 1..=longest).rev().find(|length| starts(bytes, &word[word.len() - length..])).unwrap_or(0)
}

fn starts(bytes: &[u8], with: &[u8]) -> bool {
    bytes.len() >= with.len() && bytes[..with.len()].eq_ignore_ascii_case(with)
}
