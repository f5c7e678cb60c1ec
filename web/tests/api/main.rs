//! Tests the API from outside: with the same configuration as in production, a separate database for each test, and a domain
//! that returns what a test sets. The root package tests what the real domain returns.

mod accounts;
mod authorisation;
mod bodies;
mod device_pages;
mod documentation;
mod gate;
mod health;
mod lists;
mod page;
mod parameters;
mod people;
mod position;
mod problems;
mod puppet;
mod rack_pages;
mod sessions;
mod sign_in;
mod starve;
mod stream;
mod support;
mod tokens;
mod writes;
