//! The parts that pages are made of. Each is a pure function of what it is given to markup; none asks a question.
//!
//! - [`icon`], [`badge`], [`time`]: small things in lines and cells.
//! - [`block`]: headings with actions, cards, tabs, facts, notes, empty states, tiles, and the pager of a list.
//! - [`action`]: buttons and links that say why they cannot be used; forms of one button.
//! - [`plot`]: pictures of numbers.
//! - [`list`]: the filters, columns and order of lists.
//! - [`field`]: the fields of forms, with hints, errors and suggestions; the summary of a refused form.

pub(crate) mod action;
pub(crate) mod badge;
pub(crate) mod block;
pub(crate) mod field;
pub(crate) mod icon;
pub(crate) mod list;
pub(crate) mod plot;
pub(crate) mod time;
