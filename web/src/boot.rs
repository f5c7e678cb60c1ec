//! The HTTP routes for booting servers: their script, their files, and DONE.
//!
//! `client` determines the client's address, `token` and `ask` the deployment that a request concerns, `table` holds the
//! deployments in progress, `render` renders their files, and `routes` has the routes. In the background, `follow` keeps the
//! table equal to the views, and `record` records what was served. `grub` serves a signed GRUB's configuration in place of the
//! script, and `tftp` serves that and its files over TFTP, because it has no HTTP. Operators upload files through `files`, and
//! `store` keeps their contents. `loaders` serves what comes first: the iPXE for firmware that has none.

mod ask;
pub mod client;
mod done;
pub mod files;
pub mod follow;
mod grub;
mod grub_syntax;
pub mod loaders;
mod local_disk;
mod range;
mod record;
mod refusal;
pub(crate) mod render;
mod report;
pub mod routes;
pub mod serve;
pub mod settings;
pub mod store;
pub mod table;
pub mod target;
pub mod template;
pub mod tftp;
pub mod token;
pub mod upload;
pub mod variables;
