//! The folders of boot loaders: the files that a server's firmware fetches, over TFTP or HTTP, to start an iPXE.
//!
//! There are at most two folders: the operator's own, whose files take precedence, and that of Debian's package `ipxe`.
//! `loaders` opens files, `name` parses the names that firmware sends, `folder` finds the file, `architecture` lists the
//! processor architectures and the loaders for each, and `signed` finds the loaders for servers with Secure Boot. Files outside
//! the folders are never opened, and nothing is ever written to them. The crate knows neither HTTP nor deployments.

pub mod architecture;
mod file;
mod folder;
mod loaders;
mod name;
mod signed;

pub use file::{Loader, LoaderError};
pub use loaders::Loaders;
pub use signed::installed as signed_loaders;
