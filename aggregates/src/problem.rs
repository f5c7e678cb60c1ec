//! Why servers beside Bootledger cannot be compared, repaired or updated, as codes and values. The web crate writes the
//! sentences when it shows them.

mod drift;
mod publish;

pub use drift::DriftProblem;
pub use publish::PublishProblem;
