//! The views against a real PostgreSQL: what events do to them, and that they never depend on how they were built.
//!
//! Run through `scripts/with-postgres`.

mod durations;
mod fixture;
mod folded;
mod free;
mod history;
mod installations;
mod observed;
mod parked;
mod pool;
mod property;
mod queue;
mod rebuild;
mod step;
mod story;
mod strays;
