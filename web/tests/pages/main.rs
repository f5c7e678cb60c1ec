//! The pages from outside: the same configuration as in production, a database of its own for each test, and a domain that
//! answers as a test decides. The root package tests the answers of the real domain, and users' actions in a browser.

mod boot_images;
mod catalogue;
mod deployments;
#[path = "../api/elements.rs"]
mod elements;
mod lists;
mod live;
mod networks;
mod past;
#[path = "../api/people.rs"]
#[expect(dead_code, reason = "the tests of the API use the rest of it")]
mod people;
#[path = "../api/authorisation/routes.rs"]
mod routes;
#[path = "../api/samples.rs"]
mod samples;
mod search;
#[path = "../api/support.rs"]
#[expect(dead_code, reason = "the tests of the API use the rest of it")]
mod support;
mod wording;
mod zones;
