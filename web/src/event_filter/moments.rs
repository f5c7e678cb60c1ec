//! The moments of a range of time, as people and browsers write them. All are in UTC unless they name an offset.

use super::unknown::Unknown;
use bootledger_aggregates::values::timestamp::Timestamp;
use time::Duration;

/// What a text lacks of RFC 3339, and the seconds of the smallest unit that it names.
const FORMS: [(&str, i64); 4] = [("", 1), ("Z", 1), (":00Z", 60), ("T00:00:00Z", 86_400)];

/// Parses RFC 3339, the value of a `datetime-local` field, a date, or a time before now such as `24h` or `7d`.
///
/// The end of a range includes the unit that it names: a day, a minute, or a second, because pages show times to the second. A
/// fraction of a second is exact.
pub(super) fn parse(field: &'static str, text: &str, now: Timestamp) -> Result<Timestamp, Unknown> {
    let before_now = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let number = number.parse::<u32>().ok()?;
        Some(now.plus_seconds(-i64::from(number).saturating_mul(seconds)))
    };
    let local = text.replacen(' ', "T", 1);
    let named = || {
        let (at, seconds) = FORMS.iter().find_map(|(rest, seconds)| {
            let at = format!("{local}{rest}").parse::<Timestamp>().ok()?;
            Some((at, *seconds))
        })?;
        let is_exact = field != "to" || local.contains('.');
        Some(if is_exact { at } else { Timestamp(at.plus_seconds(seconds).0 - Duration::microseconds(1)) })
    };
    let found = before_now().or_else(named);
    // No event is older, and the arithmetic on times has an end, which a long span would reach.
    if found.is_some_and(|at| at < Timestamp::default()) {
        let message = format!("{text:?} is before 1970. Enter a later time, or a shorter span such as 24h or 7d");
        return Err(Unknown { field, message, similar: vec![] });
    }
    found.ok_or_else(|| Unknown {
        field,
        message: format!(
            "{text:?} is not a time. Enter it in UTC such as 2026-01-31T14:03, or a span before now such as 24h or 7d"
        ),
        similar: vec![],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_browsers_and_people_write_them() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a time");
        for (text, expected) in [
            ("2026-01-30T14:03:07Z", "2026-01-30T14:03:07Z"),
            ("2026-01-30T14:03:07+02:00", "2026-01-30T12:03:07Z"),
            ("2026-01-30T14:03", "2026-01-30T14:03:00Z"),
            ("2026-01-30 14:03", "2026-01-30T14:03:00Z"),
            ("2026-01-30T14:03:07", "2026-01-30T14:03:07Z"),
            ("2026-01-30", "2026-01-30T00:00:00Z"),
            ("24h", "2026-01-30T12:00:00Z"),
            ("7d", "2026-01-24T12:00:00Z"),
            ("20000d", "1971-04-30T12:00:00Z"),
            ("1970-01-01", "1970-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(parse("from", text, now).map(|at| at.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for early in ["5000000d", "4294967295d", "4294967295h", "21000d", "1969-12-31", "0000-01-01T00:00:00Z"] {
            for field in ["from", "to"] {
                let refused = parse(field, early, now).expect_err(early);
                assert!(refused.message.contains("before 1970"), "{refused:?}");
            }
        }
    }

    #[test]
    fn the_end_of_a_range_includes_the_unit_that_it_names() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a time");
        for (text, expected) in [
            ("2026-01-30", "2026-01-30T23:59:59.999999Z"),
            ("2026-01-30T23:59:59", "2026-01-30T23:59:59.999999Z"),
            ("2026-01-30T14:03", "2026-01-30T14:03:59.999999Z"),
            ("2026-01-30 14:03:07", "2026-01-30T14:03:07.999999Z"),
            ("2026-01-30T14:03:07Z", "2026-01-30T14:03:07.999999Z"),
            ("2026-01-30T14:03:07+02:00", "2026-01-30T12:03:07.999999Z"),
            ("2026-01-30T14:03:07.4Z", "2026-01-30T14:03:07.4Z"),
            ("24h", "2026-01-30T12:00:00Z"),
        ] {
            assert_eq!(parse("to", text, now).map(|at| at.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for wrong in ["10000-01-01", "yesterday", "h", "24x", "2026-13-01", "é", "d"] {
            assert!(parse("to", wrong, now).is_err(), "{wrong}");
        }
    }
}
