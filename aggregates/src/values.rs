//! Value types of the domain: addresses, names, times and settings. Each is parsed once, where it enters the program, and never
//! checked again.

pub mod boot_chain;
pub mod dhcp_option;
pub mod hostname;
pub mod hostname_template;
pub mod http_url;
pub mod ids;
pub mod invisible;
pub mod mac_address;
pub mod name;
pub mod notes;
pub mod percent;
pub mod reverse_zone;
pub mod schema;
pub mod serial_number;
pub mod setting;
pub mod sha256;
pub mod special;
pub mod tag;
#[cfg(test)]
mod tests;
pub mod text;
pub mod timestamp;
pub mod user_name;

/// Why a text is not a value of the expected type: a sentence for the operator who entered it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

impl ParseError {
    /// Creates an error with this sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(shortened(sentence.into()))
    }
}

/// The most characters of a value that an error message quotes.
const QUOTED: usize = 100;

/// Shortens the quoted values in a sentence that are too long to read.
pub fn shortened(sentence: String) -> String {
    if sentence.len() <= QUOTED {
        return sentence;
    }
    let (mut short, mut inside, mut escaped, mut count) = (String::with_capacity(256), false, false, 0_usize);
    for c in sentence.chars() {
        let ends = inside && c == '"' && !escaped;
        escaped = inside && c == '\\' && !escaped;
        if ends {
            inside = false;
            if count > QUOTED {
                short.push('…');
            }
        } else if inside {
            count += 1;
        } else if c == '"' {
            (inside, count) = (true, 0);
        }
        if !inside || count <= QUOTED {
            short.push(c);
        }
    }
    // A quotation mark without a closing one quotes no value.
    if inside { sentence } else { short }
}
