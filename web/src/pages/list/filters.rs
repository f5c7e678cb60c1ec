//! The filters of a list: a bar that is always visible, and a chip for each filter that is active, also for those that have no
//! field in the bar.

use crate::pages::layout::PageContext;
use maud::{Markup, html};

/// One filter of a list.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// The parameter's name.
    pub(crate) name: &'static str,
    /// The label, such as `Site`.
    pub(crate) label: &'static str,
    /// The values that the bar offers, with their texts. Without any, the filter is only a chip: links lead to it.
    pub(crate) options: Vec<(String, String)>,
}

impl Choice {
    /// A filter with values to choose from.
    pub(crate) fn new(name: &'static str, label: &'static str, options: impl Into<Vec<(String, String)>>) -> Self {
        Self { name, label, options: options.into() }
    }

    /// A filter that only links set.
    pub(crate) fn hidden(name: &'static str, label: &'static str) -> Self {
        Self { name, label, options: vec![] }
    }

    fn words<'a>(&'a self, value: &'a str) -> &'a str {
        self.options.iter().find(|(known, _)| known == value).map_or(value, |(_, words)| words)
    }

    fn select(&self, page_context: &PageContext) -> Markup {
        let (name, label, value) = (self.name, self.label, page_context.parameter(self.name));
        html! {
            div.field {
                label.visually-hidden for=(format!("filter-{name}")) { (label) }
                select id=(format!("filter-{name}")) name=(name) data-submit="" {
                    option value="" selected[value.is_empty()] { (label) ": any" }
                    @if !value.is_empty() && !self.options.iter().any(|(known, _)| known == value) { option value=(value) selected { (value) } }
                    @for (known, words) in &self.options { option value=(known) selected[known == value] { (words) } }
                }
            }
        }
    }
}

/// Names as the options of a filter.
pub(crate) fn same(names: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
    names.into_iter().map(|name| (name.clone(), name)).collect()
}

/// Whether any filter or the search is active.
pub(crate) fn is_filtered(page_context: &PageContext, choices: &[Choice]) -> bool {
    let active = |name: &str| !page_context.parameter(name).is_empty();
    active("q") || choices.iter().any(|choice| active(choice.name))
}

/// The bar with the search and the filters. A selection applies at once with the script, and with the button without it. Other
/// parameters, such as the order, are kept. `placeholder` describes what is searched.
pub(crate) fn bar(page_context: &PageContext, path: &str, placeholder: &str, choices: &[Choice]) -> Markup {
    let fields = || choices.iter().filter(|choice| !choice.options.is_empty());
    let in_bar = |name: &str| name == "q" || fields().any(|choice| choice.name == name);
    html! {
        form.filters.bar method="get" action=(path) role="search" aria-label="Filters" {
            div.field.grow {
                label.visually-hidden for="filter-q" { "Search" }
                input type="search" id="filter-q" name="q" value=(page_context.parameter("q")) placeholder=(placeholder) maxlength="300";
            }
            @for choice in fields() { (choice.select(page_context)) }
            @for (name, value) in page_context.parameters().filter(|(name, value)| !in_bar(name) && !value.is_empty()) {
                input type="hidden" name=(name) value=(value);
            }
            button type="submit" { "Filter" }
        }
    }
}

/// The active filters, each as a link that removes it, and a link that removes all.
pub(crate) fn chips(page_context: &PageContext, choices: &[Choice]) -> Markup {
    let search = Choice::hidden("q", "Search");
    let active: Vec<(&Choice, &str)> = std::iter::once(&search)
        .chain(choices)
        .map(|choice| (choice, page_context.parameter(choice.name)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let names: Vec<&str> = active.iter().map(|(choice, _)| choice.name).collect();
    html! {
        @if !active.is_empty() {
            ul.chips aria-label="Active filters" {
                @for (choice, value) in &active {
                    @let words = format!("{}: {}", choice.label, choice.words(value));
                    li { a.chip href=(page_context.with(choice.name, None)) title="Remove this filter" {
                        span.visually-hidden { "Remove the filter " } span.chip-text { (words) } span aria-hidden="true" { " ×" }
                    } }
                }
                li { a href=(page_context.without(&names)) { "Clear all" } }
            }
        }
    }
}
