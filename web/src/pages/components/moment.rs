//! The form that chooses a moment, and how the text of a moment is read.

use crate::english::complete_sentence;
use crate::http::error::problem::ProblemError;
use bootledger_aggregates::values::timestamp::Timestamp;
use maud::{Markup, html};

/// The page that finds the position of a moment.
pub(crate) const PATH: &str = "/moment";

/// What was entered in the form.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entered<'a> {
    /// The field for a date and a time.
    pub(crate) time: &'a str,
    /// The field for an event number or a time as text.
    pub(crate) event: &'a str,
    /// The errors of the fields.
    pub(crate) problems: &'a [ProblemError],
}

/// A moment that was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// After the event with this number.
    Event(i64),
    /// From the beginning to the end of the smallest unit that was entered, such as a second.
    Time(Timestamp, Timestamp),
}

/// Reads a moment: an event number, an RFC 3339 time, or a date with or without a time, which are in UTC. `None` if the text is
/// none of them.
pub(crate) fn read(text: &str) -> Option<Moment> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return Some(Moment::Event(number));
    }
    let plain = text.strip_suffix("UTC").map_or(text, str::trim_end).replacen(' ', "T", 1);
    // To the second, as the pages show times: the events of that second are included.
    let unit = match plain.len() {
        10 => Some(("T00:00:00Z", "T23:59:59.999999Z")),
        16 => Some((":00Z", ":59.999999Z")),
        19 => Some(("Z", ".999999Z")),
        _ => None,
    };
    if let Some((first, last)) = unit
        && let (Ok(first), Ok(last)) = (format!("{plain}{first}").parse(), format!("{plain}{last}").parse())
    {
        return Some(Moment::Time(first, last));
    }
    if let Some(seconds) = plain.strip_suffix(['Z', 'z']).filter(|seconds| seconds.len() == 19) {
        return read(seconds);
    }
    let exact = plain.parse().or_else(|_| format!("{plain}Z").parse()).ok()?;
    Some(Moment::Time(exact, exact))
}

/// The form that chooses the moment of the page at the path `to`. `id` begins the IDs of its fields.
pub(crate) fn form(id: &str, to: &str, entered: &Entered<'_>, now: Timestamp) -> Markup {
    let (time, event, hint) = (format!("{id}-time"), format!("{id}-event"), format!("{id}-hint"));
    let latest = now.to_string();
    let error =
        |name: &str| entered.problems.iter().find(|problem| problem.field == name).map(|problem| problem.message.as_str());
    let invalid = |name: &str| error(name).map(|_| "true");
    html! {
        form.clock-form method="get" action=(PATH) data-now="" {
            input type="hidden" name="to" value=(to);
            div.field {
                label for=(time) { "Date and time (UTC)" }
                input type="datetime-local" step="1" id=(time) name="time" value=(entered.time) max=[latest.get(..19)] placeholder="2026-01-31T14:03:07" aria-invalid=[invalid("time")];
                @if let Some(message) = error("time") { span.error { (complete_sentence(message)) } }
            }
            div.field {
                label for=(event) { "Or an event number, or a time" }
                input type="text" id=(event) name="event" value=(entered.event) maxlength="40" autocomplete="off" aria-describedby=(hint) aria-invalid=[invalid("event")];
                @if let Some(message) = error("event") { span.error { (complete_sentence(message)) } }
                span.hint id=(hint) { "Such as 1402 or 2026-01-31T14:03:07Z" }
            }
            button type="submit" { "Show" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn moments_are_read_as_people_and_browsers_write_them() {
        assert_eq!(read(" 1402 "), Some(Moment::Event(1402)));
        let second = Some(Moment::Time(time("2026-01-31T14:03:07Z"), time("2026-01-31T14:03:07.999999Z")));
        for text in ["2026-01-31T14:03:07", "2026-01-31 14:03:07 UTC", "2026-01-31T14:03:07Z", "2026-01-31 14:03:07"] {
            assert_eq!(read(text), second, "{text}");
        }
        let minute = Some(Moment::Time(time("2026-01-31T14:03:00Z"), time("2026-01-31T14:03:59.999999Z")));
        assert_eq!(read("2026-01-31T14:03"), minute);
        assert_eq!(read("2026-01-31"), Some(Moment::Time(time("2026-01-31T00:00:00Z"), time("2026-01-31T23:59:59.999999Z"))));
        let exact = time("2026-01-31T13:03:07.5Z");
        assert_eq!(read("2026-01-31T14:03:07.5+01:00"), Some(Moment::Time(exact, exact)));
        for nonsense in ["", "yesterday", "2026-02-31", "14:03", "1e9", "2026-13-01T00:00:00Z", "ä2026-01-3"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
