//! DHCP configurations, confirmations and zone files from outside: the same routes as in production, and views that
//! the real projector made.

mod configuration;
mod confirmation;
mod data_centre;
#[expect(dead_code, reason = "the tests of the API need more of it")]
#[path = "../api/support.rs"]
mod support;
mod waiting;
mod zones;
