//! Extractors for the parts of a request except its caller: path, parameters, body, and a reading of the views. A value that
//! they refuse is reported as a problem that names its place.

pub mod answer;
pub mod backend;
pub mod body;
pub mod fingerprint;
mod invisible;
mod known;
pub mod page;
pub mod parameters;
pub mod path;
pub mod reading;
pub(crate) mod share;
pub(crate) mod words;
