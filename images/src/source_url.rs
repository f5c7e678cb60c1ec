//! The URLs of vendors' files. Most of them are relative to a mirror that the operator can replace.

use serde::Deserialize;
use std::fmt;
use std::str::FromStr;
use url::Url;

const MIRROR: &str = "{mirror}";

/// A URL in a recipe: absolute, or `{mirror}/…`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SourceUrl {
    text: String,
    below_mirror: bool,
}

/// Why a URL is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The text is not an HTTP or HTTPS URL.
    #[error("{0:?} is not an http or https URL, with `{{mirror}}` only at its beginning")]
    Invalid(String),
    /// The URL contains a user, a query or a fragment where none is allowed.
    #[error("{0:?} has a user name or a fragment; write the URL without it")]
    Login(String),
    /// The URL is relative to a mirror, and the recipe has none.
    #[error("{0:?} needs a mirror, and the recipe has none; add `mirror`")]
    NoMirror(String),
}

impl SourceUrl {
    /// The URL as it is written in the recipe.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the URL is relative to the mirror.
    pub fn is_below_mirror(&self) -> bool {
        self.below_mirror
    }

    /// The path relative to the mirror, for a folder with the mirror's layout.
    pub fn path_below_mirror(&self) -> Option<&str> {
        self.text.strip_prefix(MIRROR).map(|path| path.trim_start_matches('/'))
    }

    /// The absolute URL with this mirror.
    ///
    /// # Errors
    /// Returns an error if the URL is relative to a mirror, and there is none.
    pub fn resolve(&self, mirror: Option<&Url>) -> Result<Url, UrlError> {
        let text = match (self.text.strip_prefix(MIRROR), mirror) {
            (None, _) => self.text.clone(),
            (Some(path), Some(mirror)) => format!("{}{path}", mirror.as_str().trim_end_matches('/')),
            (Some(_), None) => return Err(UrlError::NoMirror(self.text.clone())),
        };
        parse(&text)
    }
}

/// Reads an HTTP or HTTPS URL without user and fragment.
///
/// # Errors
/// Returns an error if the text is not such a URL.
pub fn parse(text: &str) -> Result<Url, UrlError> {
    let url = Url::parse(text).map_err(|_| UrlError::Invalid(text.to_owned()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(UrlError::Invalid(text.to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        // What follows the scheme may contain a password.
        return Err(UrlError::Login(format!("{}://…{}", url.scheme(), url.path())));
    }
    Ok(url)
}

impl FromStr for SourceUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix(MIRROR);
        if rest.unwrap_or(text).contains(['{', '}']) || rest.is_some_and(|rest| !rest.starts_with('/')) {
            return Err(UrlError::Invalid(text.to_owned()));
        }
        let url = Self { text: text.to_owned(), below_mirror: rest.is_some() };
        let example = Url::parse("https://mirror.example/").ok();
        url.resolve(example.as_ref())?;
        Ok(url)
    }
}

impl TryFrom<String> for SourceUrl {
    type Error = UrlError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_mirror_replaces_the_recipes_own() {
        let url: SourceUrl = "{mirror}/dists/bookworm/InRelease".parse().expect("a URL");
        let mirror = parse("http://10.0.0.2/debian/").expect("a mirror");
        assert_eq!(url.resolve(Some(&mirror)).expect("resolved").as_str(), "http://10.0.0.2/debian/dists/bookworm/InRelease");
        assert_eq!(url.path_below_mirror(), Some("dists/bookworm/InRelease"));
        assert!(matches!(url.resolve(None), Err(UrlError::NoMirror(_))));
        let fixed: SourceUrl = "https://a.example/x?y=1".parse().expect("a URL");
        assert_eq!(fixed.resolve(Some(&mirror)).expect("resolved").as_str(), "https://a.example/x?y=1");
    }

    #[test]
    fn other_schemes_logins_and_other_variables_are_refused() {
        let refused = [
            "ftp://a/x",
            "file:///etc/passwd",
            "https://u:p@a/x",
            "https://a/x#y",
            "{mirror}x",
            "https://a/{version}",
            "a/x",
            "",
        ];
        for text in refused {
            assert!(text.parse::<SourceUrl>().is_err(), "{text:?} was accepted");
        }
        let error = parse("https://user:secret@a/x").expect_err("a login").to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
