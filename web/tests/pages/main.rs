//! Tests the pages from outside: with the same configuration as in production, a separate database for each test, and a domain
//! that returns what a test sets. The root package tests what the real domain returns, and tests the pages in a browser.

mod boot_images;
mod catalogue;
mod deployments;
mod live;
mod networks;
#[path = "../api/support.rs"]
#[expect(dead_code, reason = "the tests of the API use the rest of it")]
mod support;
mod zones;
