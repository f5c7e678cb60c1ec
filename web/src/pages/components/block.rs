//! The larger components of pages.

use super::badge::Tone;
use super::icon::icon;
use maud::{Markup, html};

/// The page's only main heading, with actions beside it. `crumbs` are breadcrumbs: name and path.
pub(crate) fn heading(crumbs: &[(&str, &str)], title: &Markup, actions: &Markup) -> Markup {
    html! {
        div.heading {
            div {
                @if !crumbs.is_empty() {
                    nav.crumbs aria-label="Breadcrumb" {
                        @for (name, path) in crumbs { a href=(path) { (name) } " / " }
                    }
                }
                h1 tabindex="-1" { (title) }
            }
            div.actions { (actions) }
        }
    }
}

/// The menu of the rare and destructive actions in a page's head. Each of them leads to a page that names what happens.
pub(crate) fn more_actions(items: &Markup) -> Markup {
    html! {
        details.overflow {
            summary.button aria-label="More actions" { (icon("list")) span aria-hidden="true" { "…" } }
            div.overflow-items { (items) }
        }
    }
}

/// A part of a page with its own heading. Live updates replace the whole element with this `id`.
pub(crate) fn card(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section.card id=(id) aria-labelledby=(format!("{id}-title")) {
            h2 id=(format!("{id}-title")) { (title) }
            (content)
        }
    }
}

/// A table of names and values.
pub(crate) fn facts(rows: &[(&str, Markup)]) -> Markup {
    html! { dl.facts { @for (name, value) in rows { dt { (name) } dd { (value) } } } }
}

/// The text of a list without rows, which describes what to do first.
pub(crate) fn empty(words: &str, action: &Markup) -> Markup {
    html! { div.empty { p { (words) } (action) } }
}

/// The value of something that is known only of now, on a page of the past.
pub(crate) fn not_of_the_past() -> Markup {
    html! { span.quiet { "not available for the past" } }
}

/// A note that must not be overlooked.
pub(crate) fn note(tone: Tone, content: &Markup) -> Markup {
    html! { div class=(format!("note {}", tone.class())) { (content) } }
}

/// A number that links to the list that it counts.
pub(crate) fn tile(tone: Tone, count: i64, words: &str, path: &str) -> Markup {
    html! { a class=(format!("tile {}", tone.class())) href=(path) { strong { (count) } span { (words) } } }
}

/// Tabs, which are links: name, path, whether it is the current page.
pub(crate) fn tabs(label: &str, tabs: &[(&str, String, bool)]) -> Markup {
    html! {
        nav aria-label=(label) {
            ul.tabs { @for (name, path, current) in tabs { li { a href=(path) aria-current=[current.then_some("page")] { (name) } } } }
        }
    }
}

/// The footer of a list: how many rows are shown, and links to the first and the next page.
pub(crate) fn pager(shown: usize, first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        nav.pager aria-label="Pages of the list" {
            span.quiet { @if next.is_none() && first.is_none() { (shown) " of " (shown) } @else { (shown) " shown" @if next.is_none() { ", last page" } } }
            div.actions {
                @if let Some(first) = first { a.button href=(first) rel="first" { "First page" } }
                @if let Some(next) = next { a.button href=(next) rel="next" { "Next page" } }
            }
        }
    }
}

/// How much of something is used: a bar, and the same as text.
pub(crate) fn used(label: &str, used: i64, total: i64) -> Markup {
    let percent = if total > 0 { used * 100 / total } else { 0 };
    html! {
        div {
            meter aria-label=(label) min="0" max=(total.max(1)) value=(used) {}
            small.quiet { (used) " of " (total) " used (" (percent) " %)" }
        }
    }
}

/// A link with an icon, for headings.
pub(crate) fn link_button(path: &str, icon_name: &str, words: &str) -> Markup {
    html! { a.button href=(path) { (icon(icon_name)) (words) } }
}
