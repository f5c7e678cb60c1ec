//! Times and durations for people. The exact time is in `datetime`; a script keeps durations current and offers local time.

use bootledger_aggregates::values::timestamp::Timestamp;
use maud::{Markup, html};

/// A time in UTC, to the second: `2026-01-31 14:03:07 UTC`.
pub(crate) fn words(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).map_or(text.clone(), |text| format!("{} UTC", text.replace('T', " ")))
}

/// A point in time.
pub(crate) fn moment(at: Timestamp) -> Markup {
    html! { time.moment datetime=(at) { (words(at)) } }
}

/// The time since a moment, kept current by the script.
pub(crate) fn since(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(at) data-since="" { (span(seconds_between(at, now))) } }
}

/// The time since a moment, in a row of a list: the exact time is shown while the pointer is on it, and while the focus is in its
/// row.
pub(crate) fn passed(at: Timestamp, now: Timestamp) -> Markup {
    html! { time.exact datetime=(at) data-since="" data-exact=(words(at)) { (span(seconds_between(at, now))) } }
}

/// The time until a moment; "now" if it has passed.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> Markup {
    let seconds = seconds_between(now, at);
    html! { time datetime=(at) data-until="" { @if seconds > 0 { "in " (span(seconds)) } @else { "now" } } }
}

/// The seconds from one moment to a later one; 0 if it is not later.
pub(crate) fn seconds_between(earlier: Timestamp, later: Timestamp) -> i64 {
    (later.0 - earlier.0).whole_seconds().max(0)
}

/// A duration in its two largest units: `3 d 4 h`, `12 min 5 s`.
pub(crate) fn span(seconds: i64) -> String {
    let mut rest = seconds.max(0);
    let mut parts = vec![];
    for (size, name) in [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")] {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{} {name}", rest / size));
            rest %= size;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_shown_in_its_two_largest_units() {
        let message = [0, 59, 60, 61, 3_600, 3_725, 90_000, 200_000].map(span);
        assert_eq!(message, ["0 s", "59 s", "1 min", "1 min 1 s", "1 h", "1 h 2 min", "1 d 1 h", "2 d 7 h"]);
    }

    #[test]
    fn a_moment_is_shown_to_the_second() {
        assert_eq!(words(Timestamp::default()), "1970-01-01 00:00:00 UTC");
        assert_eq!(until(Timestamp::default(), Timestamp::default()).into_string().matches("now").count(), 1);
    }
}
