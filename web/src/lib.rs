//! The HTTP layer of Bootledger: the API, the pages, and the routes of the boot network. No other crate handles HTTP requests.

pub mod api;
pub mod application;
pub mod auth;
pub mod boot;
pub mod commands;
pub mod dhcp;
pub mod dns;
pub mod edge;
pub mod error;
pub mod health;
pub mod library;
pub mod openapi;
pub mod pages;
mod puppet;
pub mod request;
pub mod server;
pub mod settings;
