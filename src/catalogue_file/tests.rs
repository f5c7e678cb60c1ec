//! Tests of catalogue files: what is read, what is applied, and what is written.

mod database;
mod dry_run;
mod fields;
mod parsing;
mod place;
mod properties;
mod scalars;
