//! The service's wiring, as a library so that tests start what production starts. Rules live in `aggregates/`.

pub mod postgres;
