//! The library of boot images: recipes that define which files install a system, and where the vendors' files are published.
//!
//! This crate is a leaf: it reads recipes, downloads files and verifies them, and does not depend on deployments, the database
//! or the web server. Fetched files remain in a folder that the caller provides, until the caller stores them.

pub mod archive;
pub mod checksums;
pub mod client;
pub mod digest;
pub mod fetch;
pub mod library;
pub mod merge;
pub mod paths;
pub mod problem;
pub mod recipe;
pub mod signature;
pub mod source_url;
