//! Network boot from outside, request by request: who is given what, and who is not.
#![expect(clippy::expect_used, reason = "a test ends where its preparation fails")]

mod done;
mod files;
mod harness;
mod paths;
mod records;
mod script;
