//! What tests of views read: the texts and attributes of the elements that a selector matches.

use maud::Markup;
use scraper::{Html, Selector};

fn selected<T>(html: &Markup, selector: &str, what: impl Fn(scraper::ElementRef<'_>) -> T) -> Vec<T> {
    let page = Html::parse_fragment(&html.clone().into_string());
    page.select(&Selector::parse(selector).expect("a selector")).map(what).collect()
}

/// The text of every element that a selector matches.
pub(crate) fn texts(html: &Markup, selector: &str) -> Vec<String> {
    selected(html, selector, |found| found.text().collect())
}

/// An attribute of every element that a selector matches.
pub(crate) fn attributes(html: &Markup, selector: &str, name: &str) -> Vec<String> {
    selected(html, selector, |found| found.attr(name).unwrap_or_default().to_owned())
}
