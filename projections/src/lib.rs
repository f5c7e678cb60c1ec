//! The read models (views) and every query on them.
//!
//! Each table has one file: its row, its queries, and how events change it. [`projector`] moves all tables together to a later
//! position of the log; nothing else writes to them. Queries that support the past take an [`rows::at::At`].

pub mod error;
pub mod projector;

pub use error::{Error, Result};
pub mod database;
pub mod progress;
pub mod questions;
pub mod rows;
