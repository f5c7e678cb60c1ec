//! The read models and every query over them.

pub mod at;
