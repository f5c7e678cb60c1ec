//! No catalogue change takes anything from a held address or a live deployment: through the command service, concurrently with
//! other changes, in any order, and over the API.

mod any_order;
mod at_once;
mod command_service;
mod each;
mod infrastructure;
mod outside;
mod reserved;
