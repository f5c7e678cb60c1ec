//! The API from outside: the same configuration as in production, a database of its own for each
//! test, and a domain that answers what a test wants. What the real domain answers is tested by the root package.

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
