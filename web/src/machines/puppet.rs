//! The interface to Puppet: the classes of a node, which anyone may read, and the reports of agents' runs, which need a token.
//!
//! `node` computes the classification of a node, `report` parses what Puppet's `http` report processor sends, and `routes` has
//! the HTTP routes.

mod node;
mod report;
pub(crate) mod routes;
