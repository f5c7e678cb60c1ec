//! Tests of whole templates: what they can do and what they cannot, deep nesting, and files that pass through unchanged.

mod allowed;
mod nests;
mod passing;
