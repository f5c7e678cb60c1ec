//! The field's own words as types: parsed once at the edge, never checked again.

pub mod boot_chain;
pub mod dhcp_option;
pub mod hostname;
pub mod hostname_template;
pub mod ids;
pub mod invisible;
pub mod mac_address;
pub mod name;
pub mod percent;
pub mod reverse_zone;
pub mod serial_number;
pub mod setting;
pub mod sha256;
#[cfg(test)]
mod tests;
pub mod text;
pub mod timestamp;
pub mod user_name;

/// Why a text is not a value of the wanted type: a sentence for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

impl ParseError {
    /// An error with this sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}
