//! Authentication and authorisation: who the caller is, and what the caller may do. Every request passes [`guard`], which
//! requires a valid token or a live session, except for a few named paths. Handlers then declare with an extractor which role
//! they need. While the database does not answer, all other requests are refused.

mod address;
mod authentication;
pub mod caller;
pub mod cookie;
mod credentials;
mod csrf;
mod failures;
mod fair_queue;
pub mod guard;
mod hashing;
mod kept_forms;
mod lock_out;
pub mod openid;
pub mod password;
pub mod principal;
mod recent_passwords;
mod sessions;
pub(crate) mod sign_in;
mod throttle;
pub mod token;
mod tokens;
pub(crate) mod transport;

pub use address::network;
pub(crate) use authentication::Reporter;
pub(crate) use fair_queue::Turn;
pub(crate) use kept_forms::{KeptForm, KeptForms};
pub(crate) use recent_passwords::RecentPasswords;
pub(crate) use throttle::{Attempt, Throttle};
