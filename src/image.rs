//! Boot images of the library: the files of a recipe are obtained, verified and stored, and one command makes the image.
//!
//! Until that command, nothing of it can be seen or deployed. What was downloaded stays for the next attempt.

pub mod command;
pub mod downloads;
pub mod install;
