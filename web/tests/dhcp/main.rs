//! Tests DHCP configurations, confirmations and zone files from outside: with the same routes as in production, and views that
//! the real projector wrote.

mod accepted;
mod configuration;
mod confirmation;
mod data_centre;
#[path = "../api/support.rs"]
mod support;
mod waiting;
mod zone_files;
mod zones;
