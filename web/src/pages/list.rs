//! Components of lists. Filters, columns and order are in the URL, so that users can share a list. Forms use GET.
//!
//! A list takes `q`, its filters, `sort` (a column's name, with a leading `-` for descending), `columns` (names separated by
//! commas) and the cursor `after`.

use crate::pages::layout::PageContext;
use maud::{Markup, html};

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

    /// The columns with these names, separated by commas; otherwise the default ones.
    pub(crate) fn named(wanted: &str, all: &'static [Column]) -> Self {
        let requested: Vec<&str> = wanted.split(',').map(str::trim).collect();
        let names: Vec<&'static str> = all.iter().map(|column| column.name).filter(|name| requested.contains(name)).collect();
        let usual = || all.iter().filter(|column| column.usual).map(|column| column.name).collect();
        Self { all, names: if names.is_empty() { usual() } else { names } }
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
                    @for column in self.all.iter().filter(|column| self.has(column.name)) {
                        @let (up, down) = (sort == column.name, sort.strip_prefix('-') == Some(column.name));
                        th scope="col" aria-sort=[if up { Some("ascending") } else if down { Some("descending") } else { None }] {
                            @if column.sortable {
                                @let other = if up { format!("-{}", column.name) } else { column.name.to_owned() };
                                a href=(page_context.with("sort", Some(&other))) {
                                    (column.label) @if up { span aria-hidden="true" { " ↑" } } @else if down { span aria-hidden="true" { " ↓" } }
                                }
                            } @else { (column.label) }
                        }
                    }
                }
            }
        }
    }

    /// The selection of columns, for the footer of a list.
    pub(crate) fn choice(&self, page_context: &PageContext) -> Markup {
        html! {
            details.more {
                summary { "Columns" }
                div.actions {
                    @for column in self.all {
                        @let shown = self.has(column.name);
                        @let others = self.all.iter().map(|other| other.name);
                        @let next: Vec<&str> = others.filter(|name| if *name == column.name { !shown } else { self.has(name) }).collect();
                        a.button.small href=(page_context.with("columns", Some(&next.join(",")))) {
                            (if shown { "Hide " } else { "Show " }) (within_sentence(column.label))
                        }
                    }
                }
            }
        }
    }
}

/// A column's label after another word: in lower case, unless it begins with an abbreviation such as `MAC`.
fn within_sentence(label: &str) -> String {
    let is_abbreviation = label.chars().nth(1).is_some_and(char::is_uppercase);
    if is_abbreviation { label.to_owned() } else { label.to_lowercase() }
}

/// One filter of a list: a select with values and their texts; `""` means all.
pub(crate) fn choose(page_context: &PageContext, name: &str, label: &str, options: &[(String, String)]) -> Markup {
    let value = page_context.parameter(name);
    html! {
        div.field {
            label for=(format!("filter-{name}")) { (label) }
            select id=(format!("filter-{name}")) name=(name) data-submit="" {
                option value="" selected[value.is_empty()] { "All" }
                @if !value.is_empty() && !options.iter().any(|(known, _)| known == value) { option value=(value) selected { (value) } }
                @for (known, words) in options { option value=(known) selected[known == value] { (words) } }
            }
        }
    }
}

/// The form of a list's filters. `placeholder` describes what is searched; `names` are the parameters that the form has fields
/// for, so that all other parameters are kept.
pub(crate) fn filters(page_context: &PageContext, path: &str, placeholder: &str, names: &[&str], fields: &Markup) -> Markup {
    let filtered = page_context.parameters().any(|(name, value)| !value.is_empty() && (name == "q" || names.contains(&name)));
    html! {
        form.filters method="get" action=(path) {
            div.field.grow {
                label for="filter-q" { "Search" }
                input type="search" id="filter-q" name="q" value=(page_context.parameter("q")) placeholder=(placeholder) maxlength="300";
            }
            (fields)
            @for (name, value) in page_context.parameters().filter(|(name, value)| *name != "q" && !names.contains(name) && !value.is_empty()) {
                input type="hidden" name=(name) value=(value);
            }
            button type="submit" { "Filter" }
            @if filtered { a.button href=(path) { "Show all" } }
        }
    }
}

/// Names as the options of a filter.
pub(crate) fn same(names: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
    names.into_iter().map(|name| (name.clone(), name)).collect()
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
    }

    #[test]
    fn abbreviations_stay_in_capitals_within_a_sentence() {
        assert_eq!(["Host name", "MACs", "IP address"].map(within_sentence), ["host name", "MACs", "IP address"]);
    }
}
