//! No change of the catalogue takes away what is held or live: through the ledger, at the same moment as others, in any order,
//! and from outside.

mod any_order;
mod at_once;
mod books;
mod each;
mod infrastructure;
mod outside;
