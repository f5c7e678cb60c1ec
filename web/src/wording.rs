//! Words for what events and views store as codes and values. Wording is not data: pages and the API write a text when they
//! show it, so that a better text also applies to what happened before.

pub mod actors;
pub(crate) mod bulk;
pub(crate) mod devices;
pub mod dns;
pub mod downloads;
pub mod drift;
pub mod entries;
pub(crate) mod events;
pub(crate) mod fields;
pub(crate) mod parked;
pub(crate) mod plugins;
pub(crate) mod proof;
pub(crate) mod timeline;
pub mod webhooks;
