//! Relative paths in folders, archives and the library. None leads out of its folder.

use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// A path below a folder: no leading slash, no `.` or `..`, no backslash, no control characters; at most 500 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct RelativePath(String);

/// Why a path is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a relative path: write it without a leading slash, `.`, `..` and backslashes")]
pub struct PathError(String);

impl RelativePath {
    /// The path as text, with slashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RelativePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = |part: &str| !part.is_empty() && part != "." && part != "..";
        let clean = !text.contains(|c: char| c == '\\' || c.is_control());
        if text.len() <= 500 && clean && text.split('/').all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(PathError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for RelativePath {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of a recipe's file in the library. For the recipe `debian-12`, `../debian/preseed.cfg` is `debian/preseed.cfg`.
pub(crate) fn in_library(recipe: &str, path: &str) -> Result<RelativePath, PathError> {
    match path.strip_prefix("../") {
        Some(rest) => rest.parse(),
        None => format!("{recipe}/{path}").parse(),
    }
    .map_err(|_| PathError(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_recipe_shares_files_with_others_and_reaches_nothing_else() {
        assert_eq!(in_library("debian-12", "boot.ipxe").expect("its own").as_str(), "debian-12/boot.ipxe");
        assert_eq!(in_library("debian-12", "../debian/preseed.cfg").expect("a shared one").as_str(), "debian/preseed.cfg");
        for path in ["../../keys/x.asc", "/etc/passwd", "a/../../b", "", "../", "a//b", "./a", "a\\b", "a\0b"] {
            assert!(in_library("debian-12", path).is_err(), "{path:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn no_accepted_path_leaves_its_folder(text in "[a-z./\\\\]{0,20}") {
            if let Ok(path) = text.parse::<RelativePath>() {
                let joined = std::path::Path::new("/folder").join(path.as_str());
                prop_assert!(joined.starts_with("/folder"));
                prop_assert!(joined.components().all(|part| part != std::path::Component::ParentDir));
            }
        }
    }
}
