//! The HTTP layer of Bootledger: the API, the pages, and the routes of the boot network. No other crate handles HTTP requests.

pub mod api;
pub mod confidential;
pub mod english;
mod event_filter;
pub mod http;
pub mod images;
pub mod machines;
pub mod pages;
pub mod server;
pub mod wording;
