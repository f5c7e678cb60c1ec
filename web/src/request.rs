//! What handlers take apart from who asks: path, parameters, body, and a reading of the views.
//! Whatever is wrong with them is told as a problem that names the place.

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
