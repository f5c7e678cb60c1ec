//! The pages of a list: cursors in both directions, the size of a page, and how many rows there are in all.

use crate::http::error::Error;
use crate::pages::layout::PageContext;
use maud::{Markup, html};

/// The page sizes that users choose from.
const SIZES: [u32; 4] = [25, 50, 100, 250];
/// The number of rows up to which lists are counted. Counting more would take longer than reading the page.
const COUNTED: i64 = 5_000;
/// The limit of a count: one more than is counted, to notice that there are more.
pub(crate) const COUNT_LIMIT: i64 = COUNTED + 1;

/// Where a page of a list begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the beginning of the list.
    First,
    /// Behind the row with this cursor.
    After(String),
    /// Before the row with this cursor. The rows are read in the opposite order.
    Before(String),
}

impl Place {
    /// The place in a page's URL; `after` counts if there is also `before`.
    pub(crate) fn of(page_context: &PageContext) -> Self {
        match (page_context.parameter("after"), page_context.parameter("before")) {
            ("", "") => Self::First,
            ("", before) => Self::Before(before.to_owned()),
            (after, _) => Self::After(after.to_owned()),
        }
    }

    /// Whether the rows are read in the opposite order.
    pub(crate) fn is_backwards(&self) -> bool {
        matches!(self, Self::Before(_))
    }

    /// The cursor after which rows are read, in whichever order.
    pub(crate) fn cursor(&self) -> Option<&str> {
        match self {
            Self::First => None,
            Self::After(cursor) | Self::Before(cursor) => Some(cursor),
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice<T> {
    /// The rows, in the order of the list.
    pub(crate) rows: Vec<T>,
    /// The cursor that the page before this one ends at, if there is one.
    pub(crate) previous: Option<String>,
    /// The cursor that the next page begins after, if there is one.
    pub(crate) next: Option<String>,
}

impl<T> Slice<T> {
    /// A page of rows that were read with one more than `size`, in the opposite order if the place is one before a row.
    pub(crate) fn of(mut found: Vec<T>, size: usize, place: &Place, cursor: impl Fn(&T) -> String) -> Self {
        let more = found.len() > size;
        found.truncate(size);
        let backwards = place.is_backwards();
        if backwards {
            found.reverse();
        }
        let (has_previous, has_next) = if backwards { (more, true) } else { (*place != Place::First, more) };
        let previous = found.first().filter(|_| has_previous).map(&cursor);
        let next = found.last().filter(|_| has_next).map(&cursor);
        Self { rows: found, previous, next }
    }

    /// The page of a list whose rows are all in memory, sorted and with different cursors.
    pub(crate) fn of_all(all: Vec<T>, size: usize, place: &Place, cursor: impl Fn(&T) -> String) -> Self {
        let found = |at: &str| all.iter().position(|row| cursor(row) == at);
        let start = match place {
            Place::First => 0,
            // A row that is gone had an unknown place: the list begins anew.
            Place::After(at) => found(at).map_or(0, |index| index + 1),
            Place::Before(at) => found(at).map_or(0, |index| index.saturating_sub(size)),
        };
        let more = all.len() > start + size;
        let rows: Vec<T> = all.into_iter().skip(start).take(size).collect();
        let previous = rows.first().filter(|_| start > 0).map(&cursor);
        let next = rows.last().filter(|_| more).map(&cursor);
        Self { rows, previous, next }
    }

    /// The footer of the list: how many rows of how many, the previous and the next page, and the size of a page.
    pub(crate) fn footer(&self, page_context: &PageContext, total: i64, many: &str) -> Markup {
        let size = size(page_context).unwrap_or(DEFAULT);
        html! {
            nav.pager aria-label="Pages of the list" {
                span.quiet { (of_total(self.rows.len(), total)) " " (many) }
                div.actions {
                    @if self.previous.is_some() { a.button.small href=(page_context.with("", None)) rel="first" { "First page" } }
                    @if let Some(previous) = &self.previous { a.button.small href=(page_context.and("before", previous)) rel="prev" { "Previous page" } }
                    @if let Some(next) = &self.next { a.button.small href=(page_context.and("after", next)) rel="next" { "Next page" } }
                }
                div.sizes role="group" aria-label="Rows on a page" {
                    span.quiet { "Rows" }
                    @for choice in SIZES {
                        a href=(page_context.with("limit", Some(&choice.to_string()))) aria-current=[(choice == size).then_some("true")] { (choice) }
                    }
                }
            }
        }
    }
}

/// The usual size of a page.
pub(crate) const DEFAULT: u32 = 100;

/// The size of a page that the URL names, 1 to 1000; otherwise the usual one.
pub(crate) fn size(page_context: &PageContext) -> Result<u32, Error> {
    let wanted = match page_context.parameter("limit") {
        "" => DEFAULT,
        text => text.parse().unwrap_or(0),
    };
    crate::http::request::page::limit(Some(wanted))
}

/// How many rows are shown of how many: `56 of 240`, or `100 of 5,000+` where the list was not counted to its end.
pub(crate) fn of_total(shown: usize, total: i64) -> String {
    let plus = if total > COUNTED { "+" } else { "" };
    format!("{} of {}{plus}", grouped(i64::try_from(shown).unwrap_or(i64::MAX)), grouped(total.min(COUNTED)))
}

/// A number with a comma between thousands.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(found: &[u32], place: &Place) -> (Vec<u32>, Option<String>, Option<String>) {
        let slice = Slice::of(found.to_vec(), 3, place, ToString::to_string);
        (slice.rows, slice.previous, slice.next)
    }

    #[test]
    fn a_page_leads_to_both_of_its_neighbours() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(slice(&[1, 2, 3, 4], &Place::First), (vec![1, 2, 3], None, some("3")));
        assert_eq!(slice(&[4, 5, 6, 7], &Place::After("3".to_owned())), (vec![4, 5, 6], some("4"), some("6")));
        assert_eq!(slice(&[7], &Place::After("6".to_owned())), (vec![7], some("7"), None));
        assert_eq!(slice(&[6, 5, 4, 3], &Place::Before("7".to_owned())), (vec![4, 5, 6], some("4"), some("6")));
        assert_eq!(slice(&[3, 2, 1], &Place::Before("4".to_owned())), (vec![1, 2, 3], None, some("3")));
        assert_eq!(slice(&[], &Place::First), (vec![], None, None));
    }

    #[test]
    fn a_list_in_memory_has_the_same_pages() {
        let all = |place: Place| {
            let slice = Slice::of_all((1..=7).collect(), 3, &place, ToString::to_string);
            (slice.rows, slice.previous.is_some(), slice.next.is_some())
        };
        assert_eq!(all(Place::First), (vec![1, 2, 3], false, true));
        assert_eq!(all(Place::After("3".to_owned())), (vec![4, 5, 6], true, true));
        assert_eq!(all(Place::After("6".to_owned())), (vec![7], true, false));
        assert_eq!(all(Place::Before("7".to_owned())), (vec![4, 5, 6], true, true));
        assert_eq!(all(Place::Before("3".to_owned())), (vec![1, 2, 3], false, true));
        assert_eq!(all(Place::After("gone".to_owned())), (vec![1, 2, 3], false, true));
    }

    #[test]
    fn a_total_is_exact_until_counting_would_take_too_long() {
        assert_eq!(of_total(56, 240), "56 of 240");
        assert_eq!(of_total(100, COUNTED), "100 of 5,000");
        assert_eq!(of_total(1000, COUNT_LIMIT), "1,000 of 5,000+");
    }
}
