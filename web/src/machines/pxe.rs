//! The HTTP routes for booting servers: their script, their files, and DONE.
//!
//! `service` is the state that the routes share. `token` and `boot_client` determine the deployment that a request concerns, `table` holds
//! the deployments in progress, `sources` their compiled templates, `render` renders their files, and `routes` has the routes. In
//! the background, `follow` keeps the table equal to the views, and `recorder` records what was served; `record` decides what is
//! recorded. `grub` serves a signed GRUB's configuration in place of the script, and `tftp` serves that and its files over TFTP,
//! because it has no HTTP. `loader` serves what comes first: the iPXE for firmware that has none.

mod boot_client;
mod done;
pub mod follow;
mod grub;
mod loader;
mod local_disk;
mod pace;
mod record;
mod recorder;
mod refusal;
pub(crate) mod render;
mod report;
pub mod routes;
pub mod service;
mod sources;
pub mod table;
pub mod tftp;
pub mod token;
