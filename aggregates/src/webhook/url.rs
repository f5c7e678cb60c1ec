//! The URL of a webhook's receiver.

use crate::values::ParseError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use url::Url;
use utoipa::ToSchema;

/// The most bytes of a URL.
const LONGEST: usize = 1_000;

/// An `http` or `https` URL without fragment, and without user or password, which events would contain.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "https://chat.example/hooks/bootledger")]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    /// The full URL. Its path and query may be confidential, so they must not appear in logs.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL without its path and its query, which may be confidential.
    #[must_use]
    pub fn without_path(&self) -> Self {
        let mut url = self.0.clone();
        url.set_path("");
        url.set_query(None);
        Self(url)
    }

    /// Scheme, host and port, which may appear in logs and messages.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl FromStr for WebhookUrl {
    type Err = ParseError;

    // No message repeats the text: it may contain a password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(ParseError::new(format!("a webhook's URL has at most {LONGEST} characters")));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(ParseError::new("a webhook's URL has no white space, control characters or backslashes"));
        }
        let url = Url::parse(text).map_err(|error| {
            ParseError::new(format!("this is not a URL such as https://chat.example/hooks/bootledger: {error}"))
        })?;
        // The URL standard of browsers corrects too much: it accepts `http:///chat.example`, for example.
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        if !matches!(url.scheme(), "http" | "https") || rest.is_empty() || rest.starts_with('/') {
            return Err(ParseError::new("a webhook's URL begins with https:// or http:// and a host"));
        }
        if url.port() == Some(0) {
            return Err(ParseError::new("a webhook's URL has a port from 1 to 65535"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ParseError::new(
                "a webhook's URL has no user or password, because administrators can read the URL; receivers verify the signature of \
                 a message instead",
            ));
        }
        if url.fragment().is_some() {
            return Err(ParseError::new("a webhook's URL has no fragment (#…): it would not be sent"));
        }
        Ok(Self(url))
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> Self {
        url.0.into()
    }
}
