//! Tests network boot from outside, request by request: what each client gets, and what it does not.
#![expect(clippy::expect_used, reason = "a test ends where its preparation fails")]

mod any_input;
mod done;
mod done_earlier;
mod every_url;
mod files;
mod follow;
mod grub;
mod harness;
mod loaders;
mod log;
mod once;
mod paths;
mod records;
mod reports;
mod script;
mod settings;
mod store;
mod uploads;
