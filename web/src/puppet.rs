//! What Puppet asks and reports: the classes of a node, which anybody may read, and how a run of its agent went, which
//! needs a token.
//!
//! `node` works out what a node is told, `report` reads what Puppet's `http` report processor sends, and `routes` answers.

mod node;
mod report;
pub(crate) mod routes;
