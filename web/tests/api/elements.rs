//! What a test reads from a page: the texts of its elements, and the rules in the answer to a form.

use crate::support::Answer;
use scraper::{Html, Selector};

/// The text of every element that a selector matches, without the space around it.
pub(crate) fn texts(answer: &Answer, selector: &str) -> Vec<String> {
    let page = Html::parse_document(&answer.text);
    let selector = Selector::parse(selector).expect("a selector");
    page.select(&selector).map(|found| found.text().collect::<String>().trim().to_owned()).collect()
}

impl Answer {
    /// The codes of the rules that a form on this page violates, in the order of its summary.
    pub(crate) fn rules(&self) -> Vec<String> {
        texts(self, "#refused small code")
    }
}
