//! The management controller of a device: its location, the settings for reaching it, and the endpoints that only one device can
//! have.

mod endpoint;
mod host;
pub mod management;

pub use endpoint::Endpoint;
pub use host::{BasePath, Host};
