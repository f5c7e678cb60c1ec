//! Who asks. Every request under `/api/` and for a page passes [`guard`], which lets nobody in
//! without a valid token; handlers then say with an extractor which role they need. Where the
//! database does not answer, nobody is let in.

pub mod caller;
mod credentials;
pub mod guard;
pub mod level;
pub mod principal;
mod sessions;
pub mod token;

pub(crate) use sessions::Sessions;
