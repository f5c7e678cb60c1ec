//! Boot images over HTTP: their files, templates and settings. It decides nothing about who receives a file.

pub mod device_settings;
pub mod grub_syntax;
pub mod serve;
pub mod settings;
pub mod store;
pub(crate) mod stored;
pub mod target;
pub mod template;
pub mod upload;
pub mod variables;
