//! The pages from outside: the same configuration as in production, a database of its own for each test, and a domain that
//! answers what a test wants. What the real domain answers is tested by the root package; what people do, in a browser there.

mod boot_images;
mod catalogue;
mod deployments;
mod live;
mod networks;
#[path = "../api/support.rs"]
#[expect(dead_code, reason = "the tests of the API use the rest of it")]
mod support;
mod zones;
