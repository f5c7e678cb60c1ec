//! The mail address of a zone's administrator, which an SOA record stores as a domain name (RFC 1035, 3.3.13 and 8).

use crate::values::ParseError;
use crate::values::hostname::{DomainName, Hostname};
use crate::values::schema::written_as_text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fmt::Write;
use std::str::FromStr;

/// A mail address. It is read as `hostmaster@dc1.example`, or in the form of an SOA record, `hostmaster.dc1.example`, in which
/// a dot before the `@` is written `\.`. It is always written as a mail address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mailbox {
    local: String,
    domain: Hostname,
}

written_as_text!(Mailbox, "An email address", None, "hostmaster@dc1.example");

impl Mailbox {
    /// The address as a domain name for an SOA record, without the final dot.
    pub fn name(&self) -> String {
        let mut name = String::new();
        for c in self.local.chars() {
            // Characters with a special meaning in a master file are quoted (RFC 1035, 5.1).
            if !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '=' | '/' | '*' | '!' | '#' | '%' | '&' | '\'')) {
                name.push('\\');
            }
            name.push(c);
        }
        let _ = write!(name, ".{}", self.domain);
        name
    }
}

/// The name of `hostmaster` at a site's domain, for zones that name no administrator. `None` if BIND would refuse the zone for
/// it. A domain with a single label, such as `lan`, is accepted here, although a [`Mailbox`] does not accept it.
pub fn hostmaster(domain: &DomainName) -> Option<Hostname> {
    format!("hostmaster.{domain}").parse().ok()
}

impl FromStr for Mailbox {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let wrong =
            |why: &str| ParseError::new(format!("{text:?} is not an email address such as hostmaster@dc1.example: {why}"));
        let (local, domain) = match text.rsplit_once('@') {
            Some((local, domain)) => (local.to_owned(), domain),
            None => first_label(text).ok_or_else(|| wrong("it has no @"))?,
        };
        let domain: Hostname = domain.parse().map_err(|error: ParseError| wrong(&error.to_string()))?;
        // RFC 5322's atext and inner dots; a label of a domain name has at most 63 octets.
        let atom =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c));
        if local.len() > 63 || !local.split('.').all(atom) {
            return Err(wrong("before the @ are 1 to 63 letters, digits, dots and the signs that need no quotes"));
        }
        if local.len() + domain.as_str().len() + 1 > 253 {
            return Err(wrong("it is longer than a domain name may be"));
        }
        Ok(Self { local, domain })
    }
}

/// The first label of a name in master file format, without its quotes, and the rest.
fn first_label(text: &str) -> Option<(String, &str)> {
    let mut label = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => label.push(characters.next().filter(|(_, c)| !c.is_ascii_digit())?.1),
            '.' => return Some((label, text.get(at + 1..)?)),
            c => label.push(c),
        }
    }
    None
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl TryFrom<String> for Mailbox {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        mailbox.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_mailbox_is_one_at_a_domain_of_one_label_too_and_not_at_what_is_no_host() {
        let of = |domain: &str| hostmaster(&domain.parse().expect(domain)).map(|name| name.to_string());
        assert_eq!(of("lan").as_deref(), Some("hostmaster.lan"));
        assert_eq!(of("DC1.example.").as_deref(), Some("hostmaster.dc1.example"));
        assert_eq!(of("0/25.2.0.192.in-addr.arpa"), None);
    }

    #[test]
    fn a_mail_address_becomes_a_name_with_quoted_dots() {
        for (text, mail, name) in [
            ("hostmaster@dc1.example", "hostmaster@dc1.example", "hostmaster.dc1.example"),
            ("ada.lovelace@DC1.example.", "ada.lovelace@dc1.example", r"ada\.lovelace.dc1.example"),
            (r"ada\.lovelace.dc1.example.", "ada.lovelace@dc1.example", r"ada\.lovelace.dc1.example"),
            ("hostmaster.dc1.example", "hostmaster@dc1.example", "hostmaster.dc1.example"),
            ("dns+dc1@dc1.example", "dns+dc1@dc1.example", "dns+dc1.dc1.example"),
            ("a$b@dc1.example", "a$b@dc1.example", r"a\$b.dc1.example"),
        ] {
            let mailbox: Mailbox = text.parse().expect(text);
            assert_eq!((mailbox.to_string().as_str(), mailbox.name().as_str()), (mail, name));
            assert_eq!(mailbox.name().parse(), Ok(mailbox), "both forms are the same address");
        }
        for text in [
            "",
            "hostmaster",
            "@dc1.example",
            "a b@dc1.example",
            "a@b",
            "a..b@dc1.example",
            "ä@dc1.example",
            "a;b@dc1.example",
            r"a\046b.dc1.example",
        ] {
            assert!(text.parse::<Mailbox>().is_err(), "{text}");
        }
    }
}
