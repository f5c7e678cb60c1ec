//! Lists in pages: `?limit=` and `?after=`, and the answer with the next cursor.

use crate::http::error::Error;
use bootledger_aggregates::rules::Rule;
use serde::Serialize;
use utoipa::ToSchema;

/// The default number of items on a page.
pub const USUAL: u32 = 100;
/// The maximum number of items on a page.
pub const MOST: u32 = 1000;

/// One page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// The `after` of the next page; null on the last page.
    pub next: Option<String>,
}

/// Checks that `?limit=` is in range.
///
/// # Errors
/// Returns [`Error::Rejected`] if the limit is 0 or larger than the maximum.
pub fn limit(wanted: Option<u32>) -> Result<u32, Error> {
    let wanted = wanted.unwrap_or(USUAL);
    if (1..=MOST).contains(&wanted) {
        Ok(wanted)
    } else {
        let message = format!("limit is {wanted}, but must be 1 to {MOST}; use after= for the next page");
        Err(Error::rejected("limit", Rule::LimitRange, message))
    }
}

impl<T> Page<T> {
    /// Builds a page from `items`, which were queried with one more than `limit`, to find out whether there is a next page.
    pub fn of(mut items: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> String) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }

    /// The same page with its items converted.
    pub fn map<U>(self, form: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(form).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_with_more_behind_it_names_the_next() {
        let page = |count: u32| Page::of((1..=count).collect(), 3, ToString::to_string);
        assert_eq!((page(4).items, page(4).next.as_deref()), (vec![1, 2, 3], Some("3")));
        assert_eq!((page(3).items.len(), page(3).next), (3, None));
        assert_eq!(page(0).next, None);
    }

    #[test]
    fn a_page_has_1_to_1000_items() {
        assert_eq!(limit(None).expect("usual"), USUAL);
        assert_eq!((limit(Some(1)).is_ok(), limit(Some(1000)).is_ok()), (true, true));
        for wrong in [0, 1001, u32::MAX] {
            assert_eq!(limit(Some(wrong)).expect_err("refused").problem().status, 422);
        }
    }
}
