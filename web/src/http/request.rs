//! Extractors for the parts of a request except its caller: path, parameters, body, and a snapshot of the views. A value that
//! they refuse is reported as a problem that names its place.

pub mod answer;
pub mod backend;
pub mod body;
mod invisible_characters;
pub(crate) mod messages;
pub mod page;
pub mod parameters;
pub mod path;
pub mod snapshot;
pub(crate) mod unknown_parameters;
