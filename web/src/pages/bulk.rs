//! Bulk actions on the rows of a list. A preview first shows the list, the exact number and every row, fixed by ID. The action
//! that it starts has a page of its own: see `bulk_actions`.

use crate::english::complete_sentence;
use crate::http::error::Error;
use crate::http::request::parameters::read_filled;
use crate::pages::components::action::Allowed;
use crate::pages::components::block;
use crate::pages::form::Fields;
use crate::pages::layout::PageContext;
use crate::pages::list::OWN;
use bootledger_aggregates::rules::Rule;
use maud::{Markup, html};
use serde::de::DeserializeOwned;
use std::str::FromStr;
use uuid::Uuid;

/// The ID of the form for the selected rows.
const FORM: &str = "bulk";

/// The heading of the column of boxes: a box that selects all rows.
pub(crate) fn select_all() -> Markup {
    html! { th scope="col" { label { span.visually-hidden { "Select all" } input type="checkbox" data-all=(FORM); } } }
}

/// The cell with the box that selects a row.
pub(crate) fn select(id: Uuid, name: &str) -> Markup {
    html! { td { input type="checkbox" name="id" value=(id) form=(FORM) aria-label=(format!("Select {name}")); } }
}

/// The form below a list. `actions` are the values and texts of its buttons. They concern the selected rows, or all rows that the
/// list's filters select.
pub(crate) fn form(page_context: &PageContext, path: &str, may: &Allowed, actions: &[(&str, &str)]) -> Markup {
    html! {
        form.actions id=(FORM) method="post" action=(path) {
            input type="hidden" name="list" value=(page_context.with("", None));
            span.quiet data-count=(FORM) role="status" { "Select rows to" }
            @if may.is_ok() { label.check { input type="checkbox" name="all" value="true"; " All filtered rows" } }
            @for (value, words) in actions {
                @match may {
                    Ok(()) => { button.small type="submit" name="what" value=(value) { (words) } }
                    Err(_) => { button.small type="button" aria-disabled="true" aria-describedby="bulk-reason" { (words) } }
                }
            }
            @if let Err(reason) = may { span.quiet id="bulk-reason" { (complete_sentence(reason)) } }
        }
    }
}

/// The action that a preview is requested for, and whether it concerns all rows of the list.
pub(crate) fn requested(fields: &Fields) -> (&str, bool) {
    (fields.text("what"), fields.text("all") == "true")
}

/// The parameters of a list, from its path.
pub(crate) fn parameters<T: DeserializeOwned>(list: &str) -> Result<T, Error> {
    let query = list.split_once('?').map_or("", |(_, query)| query);
    let query = form_urlencoded::parse(query.as_bytes()).into_owned();
    let query: Vec<(String, String)> = query.filter(|(name, _)| !OWN.contains(&name.as_str())).collect();
    read_filled(&query)
}

/// The IDs of the selected rows, from the fields `name`. `one` is what a row is, such as `device`.
pub(crate) fn ids<T: FromStr>(fields: &Fields, name: &str, one: &str) -> Result<Vec<T>, Error> {
    let wrong = |text: &str| Error::rejected("id", Rule::Malformed, format!("{text:?} is not a {one} ID"));
    fields.all(name).map(|text| text.parse().map_err(|_| wrong(text))).collect()
}

/// The rows that an action is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    /// The title of the list, such as `Devices`.
    pub(crate) title: &'a str,
    /// What the rows are, such as `devices`.
    pub(crate) many: &'a str,
    /// The heading of the column with their names.
    pub(crate) name: &'a str,
    /// The path of the list.
    pub(crate) list: &'a str,
    /// The number of rows.
    pub(crate) count: usize,
}

/// The parts of a preview that are its own.
pub(crate) struct Preview<'a> {
    /// The action, such as `Verify`.
    pub(crate) action: &'a str,
    /// The number of rows that the action is possible for.
    pub(crate) possible: usize,
    /// The position of the snapshot.
    pub(crate) position: i64,
    /// The summary of a refused form.
    pub(crate) errors: &'a Markup,
    /// The effects of the action, and the form that runs it.
    pub(crate) form: &'a Markup,
    /// The headings of the columns between the name and the planned change.
    pub(crate) columns: &'a [&'a str],
    /// The rows of the table.
    pub(crate) table: &'a Markup,
}

impl Rows<'_> {
    fn back(&self) -> Markup {
        html! { a.button href=(self.list) { "Back to the list" } }
    }

    /// The content of a preview.
    pub(crate) fn preview(&self, preview: &Preview<'_>) -> Markup {
        let Preview { action, possible, position, errors, form, columns, table } = preview;
        let title = html! { (action) ": " (possible) " of " (self.count) " " (self.many) };
        html! {
            (block::heading(&[(self.title, self.list)], &title, &html! {}))
            (errors)
            @if self.count == 0 { (block::empty(&format!("No {} selected.", self.many), &self.back())) }
            @else {
                div.card {
                    p { "Selected from the list " a href=(self.list) { code { (self.list) } } " as of event " (position) ". Only these rows are changed, even if the list changes in the meantime." }
                    (form)
                }
                div.scroll {
                    table.cards {
                        caption.visually-hidden { "Planned changes" }
                        thead { tr { th scope="col" { (self.name) } @for column in *columns { th scope="col" { (column) } } th scope="col" { "Planned change" } } }
                        tbody { (table) }
                    }
                }
            }
        }
    }
}
