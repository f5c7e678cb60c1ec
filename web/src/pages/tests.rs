//! What the tests of several pages use.

pub(super) mod samples;
pub(super) mod selectors;
