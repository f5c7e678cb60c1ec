//! The boot network: `/pxe/` and what belongs to it. No login; the client's address decides.

pub mod table;
