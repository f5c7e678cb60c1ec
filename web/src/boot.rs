//! What booting servers ask over HTTP: their script, their files, and to be done.
//!
//! `client` says who asks, `token` and `ask` for which deployment, `table` what is in progress, `render` what its files
//! are, and `routes` answers. `follow` keeps the table as the views are and `record` tells what was served, both
//! beside the requests. `grub` is what a signed GRUB gets instead of the script, and `tftp` how it gets that and its files, since
//! it has no HTTP. `files` is where operators put files, and `store` where their contents are. `loaders` is what comes
//! before all that: the iPXE for firmware that has none.

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
