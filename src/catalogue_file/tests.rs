//! Tests of catalogue files: what is read, what is applied, and what is written.

mod database;
mod fields;
mod properties;
mod reading;
