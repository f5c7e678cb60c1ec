//! Components of lists. Filters, columns and order are in the URL, so that users can share a list. Forms use GET.
//!
//! A list takes `q`, its filters, `sort` (a column's name, with a leading `-` for descending), `columns` (names separated by
//! commas, in the order of the columns), `limit` (the rows on a page) and one of the cursors `after` and `before`.
//!
//! - [`filters`]: the bar and the chips of the active filters.
//! - [`views`]: saved views, for any list.
//! - [`paging`]: cursors in both directions, page sizes and totals.
//! - this file: columns, and [`Listing`], which puts the parts of a list's page together.

pub(crate) mod filters;
pub(crate) mod paging;
pub(crate) mod views;

use crate::pages::components::icon::icon;
use crate::pages::layout::PageContext;
use filters::{Choice, chips};
use maud::{Markup, html};
use paging::{Slice, of_total};

/// The parameters of a list that belong to its page, and not to the API.
pub(crate) const OWN: [&str; 2] = ["columns", "before"];
/// From this number of columns, a list is wider than a window, and scrolls in both directions.
const MANY: usize = 10;

/// A column that a list may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// The column's name in the URL.
    pub(crate) name: &'static str,
    /// The column's heading.
    pub(crate) label: &'static str,
    /// Whether the column is shown by default.
    pub(crate) usual: bool,
    /// Whether the list can be sorted by the column.
    pub(crate) sortable: bool,
}

/// The columns that a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    all: &'static [Column],
    names: Vec<&'static str>,
}

impl Shown {
    /// The columns that the visitor's URL names, otherwise the default ones.
    pub(crate) fn of(page_context: &PageContext, all: &'static [Column]) -> Self {
        Self::named(page_context.parameter("columns"), all)
    }

    /// The columns with these names, separated by commas, in this order; otherwise the default ones.
    pub(crate) fn named(wanted: &str, all: &'static [Column]) -> Self {
        let mut names: Vec<&'static str> = vec![];
        for wanted in wanted.split(',').map(str::trim) {
            let known = all.iter().map(|column| column.name).find(|name| *name == wanted);
            if let Some(name) = known.filter(|name| !names.contains(name)) {
                names.push(name);
            }
        }
        let usual = || all.iter().filter(|column| column.usual).map(|column| column.name).collect();
        Self { all, names: if names.is_empty() { usual() } else { names } }
    }

    /// The names of the columns, in their order.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    fn columns(&self) -> impl Iterator<Item = &'static Column> {
        self.names.iter().filter_map(|name| self.all.iter().find(|column| column.name == *name))
    }

    /// Whether a column is shown.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// The row of headings. A link sorts by its column, and in reverse order if the list is already sorted by it. `first` is a
    /// cell before them, such as the box that selects all.
    pub(crate) fn head(&self, page_context: &PageContext, sort: &str, first: &Markup) -> Markup {
        html! {
            thead {
                tr {
                    (first)
                    @for column in self.columns() { (sort_link(page_context, sort, column.name, column.label, column.sortable)) }
                }
            }
        }
    }

    /// The menu in which columns are shown, hidden and moved.
    fn choice(&self, page_context: &PageContext) -> Markup {
        let with = |names: &[&str]| page_context.with("columns", Some(&names.join(",")));
        let moved = |from: usize, to: usize| {
            let mut names = self.names.clone();
            names.swap(from, to);
            with(&names)
        };
        html! {
            details.drop {
                summary.button.small { "Columns" }
                div.panel {
                    ul.plain {
                        @for (index, column) in self.columns().enumerate() {
                            @let label = within_sentence(column.label);
                            li.line {
                                span { (column.label) }
                                span.moves {
                                    @if index > 0 { a href=(moved(index, index - 1)) aria-label=(format!("Move {label} left")) { "←" } }
                                    @if index + 1 < self.names.len() { a href=(moved(index, index + 1)) aria-label=(format!("Move {label} right")) { "→" } }
                                    @if self.names.len() > 1 {
                                        @let rest: Vec<&str> = self.names.iter().copied().filter(|name| *name != column.name).collect();
                                        a href=(with(&rest)) { "Hide " span.visually-hidden { (label) } }
                                    }
                                }
                            }
                        }
                        @for column in self.all.iter().filter(|column| !self.has(column.name)) {
                            @let more: Vec<&str> = self.names.iter().copied().chain([column.name]).collect();
                            li.line { span.quiet { (column.label) } span.moves { a href=(with(&more)) { "Show " span.visually-hidden { (within_sentence(column.label)) } } } }
                        }
                    }
                    @if !page_context.parameter("columns").is_empty() { p { a href=(page_context.with("columns", None)) { "Usual columns" } } }
                }
            }
        }
    }
}

/// What surrounds the table of a list.
pub(crate) struct Listing<'a> {
    /// The page's context.
    pub(crate) page_context: &'a PageContext,
    /// The plural of the rows' noun, such as `devices`.
    pub(crate) many: &'a str,
    /// The filters of the list.
    pub(crate) choices: &'a [Choice],
    /// How many rows match the filters: see [`paging::COUNT_LIMIT`].
    pub(crate) total: i64,
    /// The columns, if users can choose them.
    pub(crate) columns: Option<&'a Shown>,
    /// The menu of saved views, if the list has one.
    pub(crate) views: Markup,
    /// The paths that return the same as CSV and as JSON.
    pub(crate) exports: (Option<&'a str>, Option<&'a str>),
}

impl Listing<'_> {
    /// The line above the table: the active filters, how many rows are shown, and the menus.
    pub(crate) fn tools(&self, shown: usize) -> Markup {
        let (csv, json) = self.exports;
        html! {
            div.list-tools {
                (chips(self.page_context, self.choices))
                span.list-count role="status" { (of_total(shown, self.total)) " " (self.many) }
                div.actions {
                    (self.views)
                    @if let Some(columns) = self.columns { (columns.choice(self.page_context)) }
                    @if let Some(csv) = csv { a.button.small href=(csv) { (icon("download")) "CSV" } }
                    @if let Some(json) = json { a.button.small href=(json) { "JSON" } }
                }
            }
        }
    }

    /// The table with everything that stays at the edges of the window while it scrolls: its own heading, and `bulk`, the bar of
    /// actions on the selected rows.
    pub(crate) fn table<T>(&self, slice: &Slice<T>, table: &Markup, bulk: &Markup) -> Markup {
        let many = self.columns.is_some_and(|columns| columns.names.len() >= MANY);
        html! {
            section.listing aria-label="List" {
                div class=(if many { "scroll list many" } else { "scroll list" }) { (table) }
                (bulk)
                (slice.footer(self.page_context, self.total, self.many))
            }
        }
    }
}

/// The heading of a column: a link that sorts by it, and in the opposite order if the list is sorted by it.
pub(crate) fn sort_link(page_context: &PageContext, sort: &str, name: &str, label: &str, sortable: bool) -> Markup {
    let (up, down) = (sort == name, sort.strip_prefix('-') == Some(name));
    let other = if up { format!("-{name}") } else { name.to_owned() };
    html! {
        th scope="col" data-column=(name) aria-sort=[if up { Some("ascending") } else if down { Some("descending") } else { None }] {
            @if sortable {
                a href=(page_context.with("sort", Some(&other))) {
                    (label) @if up { span aria-hidden="true" { " ↑" } } @else if down { span aria-hidden="true" { " ↓" } }
                }
            } @else { (label) }
        }
    }
}

/// A column's label after another word: in lower case, unless it begins with an abbreviation such as `MAC`.
pub(crate) fn within_sentence(label: &str) -> String {
    let is_abbreviation = label.chars().nth(1).is_some_and(char::is_uppercase);
    if is_abbreviation { label.to_owned() } else { label.to_lowercase() }
}

/// The form of a list that has a search and no filters, with the active search as a chip. `placeholder` describes what is
/// searched.
pub(crate) fn search(page_context: &PageContext, path: &str, placeholder: &str) -> Markup {
    html! { (filters::bar(page_context, path, placeholder, &[])) (chips(page_context, &[])) }
}

/// A list's markup as text, for the tooltip of a cell that is cut.
pub(crate) fn plain(markup: &Markup) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for character in markup.0.chars() {
        match character {
            '<' => {
                is_tag = true;
                text.push(' ');
            }
            '>' if is_tag => is_tag = false,
            _ if !is_tag => text.push(character),
            _ => {}
        }
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace(" ,", ",").replace("&amp;", "&")
}

/// A path with the query of another one: a live stream has the query of its list, at another path.
pub(crate) fn at_path(of: &str, path: &str) -> String {
    of.split_once('?').map_or_else(|| path.to_owned(), |(_, query)| format!("{path}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column { name: "name", label: "Name", usual: true, sortable: true },
        Column { name: "mac", label: "MAC", usual: false, sortable: false },
    ];

    #[test]
    fn unknown_columns_are_ignored_and_no_columns_are_the_default_ones() {
        assert_eq!(Shown::named("mac,nothing", COLUMNS).names, ["mac"]);
        assert_eq!(Shown::named("", COLUMNS).names, ["name"]);
        assert!(!Shown::named("nothing", COLUMNS).has("mac"));
        assert_eq!(Shown::named("mac,name,mac", COLUMNS).names(), ["mac", "name"]);
    }

    #[test]
    fn a_tooltip_is_the_text_of_a_cell_without_its_markup() {
        let cell = html! { div { a href="/x" { "DHCP server kea-1" } ", for <1> min" } };
        assert_eq!(plain(&cell), "DHCP server kea-1, for <1> min");
    }

    #[test]
    fn abbreviations_stay_in_capitals_within_a_sentence() {
        assert_eq!(["Host name", "MACs", "IP address"].map(within_sentence), ["host name", "MACs", "IP address"]);
    }
}
