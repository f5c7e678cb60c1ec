//! The library of boot images: recipes that say which files install a system, and where the official files come from.
//!
//! This crate is a leaf. It reads recipes, downloads files and verifies them; it knows no deployments, no database and no
//! web server. What it obtains lies in a folder of the caller's until the caller stores it.

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
