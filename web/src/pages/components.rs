//! The components of pages. Each is a pure function from its arguments to markup; none runs a query.
//!
//! - `icon`, `badge`, `time`: small components in lines and cells.
//! - `block`: headings with actions, cards, tabs, facts, notes, empty states, tiles, and the pager of a list.
//! - `copy`: buttons that copy a value.
//! - `action`: buttons and links that show why they cannot be used; forms of one button.
//! - `diff`: the difference between two texts, by lines.
//! - `plot`: the charts of numbers over time.
//! - `awaited`, `lines`, `setting`: what a deployment waits for, events as sentences, values of settings.
//! - `moment`: the form that chooses the moment that a page shows.
//! - `field`: the fields of forms, with hints, errors and suggestions; the summary of a refused form.

pub(crate) mod action;
pub(crate) mod awaited;
pub(crate) mod badge;
pub(crate) mod block;
pub(crate) mod copy;
pub(crate) mod diff;
pub(crate) mod field;
pub(crate) mod icon;
pub(crate) mod lines;
pub(crate) mod moment;
pub(crate) mod plot;
pub(crate) mod setting;
pub(crate) mod time;
