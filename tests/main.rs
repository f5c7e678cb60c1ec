//! The service from outside, one module a story, in one program.

mod embedded_postgres;
mod event_log;
