//! Network boot from outside, request by request: which server gets what, and which gets nothing.
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
