//! DHCP configurations, confirmations and zone files from outside: the same routes as in production, and views written by the
//! real projector.

mod accepted;
mod configuration;
mod confirmation;
mod data_centre;
#[path = "../api/support.rs"]
mod support;
mod waiting;
mod zone_files;
mod zones;
