//! Finds the tags of a template and their tokens as the engine does, in one pass and without recursion.
//!
//! The engine's parser recurses for everything that can be nested or chained, so a template has to be measured before the
//! engine reads it. What is not a token here is not one for the engine either: the engine stops there with an error of its own,
//! and so does this module. Everything that the engine reads before it stops has then been returned to the caller.

use super::error::TemplateError;

/// A part of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'text> {
    /// A name or a keyword.
    Name(&'text str),
    /// A text between quotes, with its length in bytes.
    Text(usize),
    /// A number; its value is not kept.
    Number,
    /// An opening bracket.
    Open(u8),
    /// A closing bracket.
    Close,
    /// Any other sign; a sign of two characters as both of them.
    Sign(&'text str),
}

/// A tag of a template.
#[derive(Debug)]
pub(super) struct Tag<'text> {
    /// The tag's offset in the text, in bytes.
    pub(super) at: usize,
    /// Whether the tag is `{% %}` rather than `{{ }}`.
    pub(super) block: bool,
    /// The tokens of the tag.
    pub(super) tokens: Vec<Token<'text>>,
    /// Whether the end of the tag was found. If not, the engine refuses the template at this tag.
    pub(super) whole: bool,
}

/// The tags of a text, in their order. `most` is the number of tokens at which a tag is cut off: the caller refuses it.
pub(super) struct Tags<'text> {
    text: &'text str,
    at: usize,
    most: usize,
}

impl<'text> Tags<'text> {
    pub(super) fn new(text: &'text str, most: usize) -> Self {
        Self { text, at: 0, most }
    }

    fn rest(&self) -> &'text [u8] {
        &self.text.as_bytes()[self.at.min(self.text.len())..]
    }

    /// Skips a raw block whose `{%` was found, if it is one. `Some(false)` if the block has no end.
    fn raw(&mut self) -> Option<bool> {
        self.at += basic(self.rest(), b"raw", false)?;
        while let Some(start) = self.rest().windows(2).position(|two| two == b"{%") {
            self.at += start + 2;
            if let Some(length) = basic(self.rest(), b"endraw", true) {
                self.at += length;
                return Some(true);
            }
        }
        Some(false)
    }

    fn tag(&mut self, at: usize, block: bool) -> Tag<'text> {
        let end: &[u8] = if block { b"%}" } else { b"}}" };
        let mut tag = Tag { at, block, tokens: vec![], whole: false };
        let mut open: Vec<u8> = vec![];
        loop {
            let rest = self.rest();
            let Some(&first) = rest.first() else { return tag };
            if first.is_ascii_whitespace() {
                self.at += 1;
                continue;
            }
            if open.is_empty() {
                let trimmed = if matches!(first, b'-' | b'+') { &rest[1..] } else { rest };
                if trimmed.starts_with(end) {
                    self.at += rest.len() - trimmed.len() + end.len();
                    tag.whole = true;
                    return tag;
                }
            }
            if tag.tokens.len() > self.most {
                return tag;
            }
            let Some((token, length)) = self.token(rest) else { return tag };
            match (token, first) {
                (Token::Open(bracket), _) => open.push(bracket),
                (Token::Close, b')') if open.pop() == Some(b'(') => {}
                (Token::Close, b']') if open.pop() == Some(b'[') => {}
                (Token::Close, b'}') if open.pop() == Some(b'{') => {}
                // The brackets do not match.
                (Token::Close, _) => return tag,
                _ => {}
            }
            tag.tokens.push(token);
            self.at += length;
        }
    }

    fn token(&self, rest: &'text [u8]) -> Option<(Token<'text>, usize)> {
        let slice = |length: usize| self.text.get(self.at..self.at + length);
        if matches!(rest.get(..2), Some(b"//" | b"**" | b"==" | b"!=" | b">=" | b"<=")) {
            return Some((Token::Sign(slice(2)?), 2));
        }
        let while_part = || rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        Some(match *rest.first()? {
            b'+' | b'-' | b'*' | b'/' | b'%' | b'.' | b',' | b':' | b'~' | b'|' | b'=' | b'>' | b'<' => {
                (Token::Sign(slice(1)?), 1)
            }
            bracket @ (b'(' | b'[' | b'{') => (Token::Open(bracket), 1),
            b')' | b']' | b'}' => (Token::Close, 1),
            quote @ (b'\'' | b'"') => {
                let mut escaped = false;
                let length = rest[1..].iter().position(|&byte| {
                    let ends = byte == quote && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    ends
                })?;
                (Token::Text(length), length + 2)
            }
            // A fraction becomes several tokens, more than the engine counts.
            byte if byte.is_ascii_digit() => (Token::Number, while_part()),
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                let length = while_part();
                (Token::Name(slice(length)?), length)
            }
            _ => return None,
        })
    }
}

impl<'text> Iterator for Tags<'text> {
    type Item = Result<Tag<'text>, TemplateError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest();
            let start = rest.windows(2).position(|two| matches!(two, b"{{" | b"{%" | b"\x01#"))?;
            let (at, block) = (self.at + start, rest[start + 1] == b'%');
            if rest[start] == 1 {
                self.at = self.text.len();
                return Some(Err(TemplateError {
                    line: line_at(self.text, at),
                    message: "a template cannot hold the control character U+0001 before a #".to_owned(),
                }));
            }
            self.at = at + 2;
            // The sign for white space is a part of the mark that begins a tag.
            let signed = matches!(self.rest().first(), Some(b'-' | b'+'));
            self.at += usize::from(signed);
            if block {
                match self.raw() {
                    Some(true) => continue,
                    Some(false) => return None,
                    None => {}
                }
            }
            let tag = self.tag(at, block);
            if !tag.whole {
                self.at = self.text.len();
            }
            return Some(Ok(tag));
        }
    }
}

/// The length of a tag that contains only a word, after its `{%`, if it is one.
fn basic(rest: &[u8], word: &[u8], signed: bool) -> Option<usize> {
    let blanks = |rest: &[u8]| rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let mut at = usize::from(signed && matches!(rest.first(), Some(b'-' | b'+')));
    at += blanks(&rest[at..]);
    at += rest[at..].starts_with(word).then_some(word.len())?;
    at += blanks(&rest[at..]);
    at += usize::from(matches!(rest.get(at), Some(b'-' | b'+')));
    rest[at..].starts_with(b"%}").then_some(at + 2)
}

/// The line of an offset in a text, from 1.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or(text).matches('\n').count()
}
