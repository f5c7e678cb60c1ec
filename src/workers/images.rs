//! Boot images from the library: the files of a recipe are obtained, verified and stored, and a single command creates the
//! image.
//!
//! Before that command, no part of the image can be seen or deployed. Downloaded files are kept for the next attempt.

pub mod downloads;
pub mod install;
