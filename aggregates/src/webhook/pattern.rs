//! Patterns that select the events of a webhook.

use crate::values::ParseError;
use crate::values::schema::written_as_text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Events of one type, such as `DeploymentDone`; of one type of aggregate, such as `deployment.*`; or all, `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventPattern {
    /// All events: `*`.
    All,
    /// All events of a type of aggregate: `deployment.*`, stored without the last two characters.
    Aggregate(String),
    /// Events of one type: `DeploymentDone`.
    Type(String),
}

written_as_text!(
    EventPattern,
    "A type of events such as `DeploymentDone`, all of a type of aggregate such as `deployment.*`, or `*`",
    None,
    "deployment.*"
);

impl FromStr for EventPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let malformed = || {
            ParseError::new(format!(
                "{text:?} matches no events: enter a type such as DeploymentDone, all types of an aggregate such as deployment.*, or *"
            ))
        };
        if text == "*" {
            return Ok(Self::All);
        }
        if text.is_empty() || text.len() > 64 {
            return Err(malformed());
        }
        match text.strip_suffix(".*") {
            Some(aggregate) if aggregate.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !aggregate.is_empty() => {
                Ok(Self::Aggregate(aggregate.to_owned()))
            }
            None if text.bytes().all(|b| b.is_ascii_alphanumeric()) => Ok(Self::Type(text.to_owned())),
            _ => Err(malformed()),
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Aggregate(aggregate) => write!(f, "{aggregate}.*"),
            Self::Type(event_type) => f.write_str(event_type),
        }
    }
}

impl TryFrom<String> for EventPattern {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EventPattern> for String {
    fn from(pattern: EventPattern) -> Self {
        pattern.to_string()
    }
}
