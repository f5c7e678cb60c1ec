//! The API from outside: the same configuration as in production, a database of its own for each test, and a domain that
//! answers as a test decides. The root package tests the answers of the real domain.

mod accounts;
mod authorisation;
mod bodies;
mod comfort;
mod device_pages;
mod documentation;
mod drift;
mod elements;
mod gate;
mod health;
mod lists;
mod page;
mod parameters;
mod people;
mod plugins;
mod position;
mod problems;
mod puppet;
mod rack_pages;
mod samples;
mod sessions;
mod sign_in;
mod starve;
mod stream;
mod support;
mod timeline;
mod tokens;
mod writes;
