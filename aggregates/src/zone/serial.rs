//! The serial number of a zone: a pure function of the zone's changes, which only increases (RFC 1982).

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// How a zone's serial numbers are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SerialPolicy {
    /// The event number of the last change.
    #[default]
    Position,
    /// The time of the last change, in seconds since 1970.
    Unixtime,
    /// The day of the last change in UTC and a two-digit counter: 2026113001.
    Date,
}

impl SerialPolicy {
    /// All policies, each with its name in JSON.
    pub const ALL: [(Self, &str); 3] = [(Self::Position, "position"), (Self::Unixtime, "unixtime"), (Self::Date, "date")];

    /// The policy's name in JSON.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(policy, _)| *policy == self).map_or("position", |(_, name)| name)
    }
}

/// A change that may affect a zone's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The event number of the change.
    pub position: i64,
    /// When the change was recorded.
    pub at: OffsetDateTime,
    /// The policy from this change on.
    pub policy: SerialPolicy,
    /// The serial number that all further ones must exceed.
    pub floor: Option<u32>,
}

/// The number that a policy gives to a change on its own.
pub fn natural(policy: SerialPolicy, position: i64, at: OffsetDateTime) -> u32 {
    let number = match policy {
        SerialPolicy::Position => position,
        SerialPolicy::Unixtime => at.unix_timestamp(),
        SerialPolicy::Date => {
            let date = at.to_offset(time::UtcOffset::UTC).date();
            ((i64::from(date.year()) * 100 + i64::from(u8::from(date.month()))) * 100 + i64::from(date.day())) * 100 + 1
        }
    };
    // After the highest number, numbering continues from 0.
    u32::try_from(number.rem_euclid(1 << 32)).unwrap_or_default()
}

/// Whether a server that has `old` considers `new` newer (RFC 1982, 3.2).
pub fn newer(new: u32, old: u32) -> bool {
    let distance = new.wrapping_sub(old);
    distance != 0 && distance < 1 << 31
}

/// The next number. It is never 0, because some servers treat 0 as "none".
fn above(number: u32) -> u32 {
    number.checked_add(1).unwrap_or(1)
}

/// The serial number after these changes, oldest first; `None` if there are none.
///
/// Each change gives the policy's own number if that is newer than the last one, otherwise the last one plus one. So neither
/// another policy, nor more than 99 changes on a day, nor a clock that was set back lowers it. A floor that is set or changed
/// is exceeded at once, and the policy's own number counts only above it.
pub fn serial(changes: impl IntoIterator<Item = Change>) -> Option<u32> {
    let mut last: Option<(u32, Option<u32>)> = None;
    for change in changes {
        let own = natural(change.policy, change.position, change.at);
        let passes = change.floor.is_none_or(|floor| own > floor);
        let next = match last {
            None => own,
            Some((last, _)) if passes && newer(own, last) => own,
            Some((last, _)) => above(last),
        };
        let stated = change.floor.filter(|_| last.is_none_or(|(_, before)| before != change.floor));
        let next = stated.filter(|floor| *floor >= next).map_or(next, above);
        last = Some((next, change.floor));
    }
    last.map(|(serial, _)| serial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    fn change(position: i64, at: OffsetDateTime, policy: SerialPolicy, floor: Option<u32>) -> Change {
        Change { position, at, policy, floor }
    }

    const NOON: OffsetDateTime = datetime!(2026-11-30 12:00 UTC);

    #[test]
    fn each_policy_has_its_own_number() {
        assert_eq!(serial([change(96, NOON, SerialPolicy::Position, None)]), Some(96));
        assert_eq!(serial([change(96, NOON, SerialPolicy::Unixtime, None)]), Some(1_796_040_000));
        assert_eq!(serial([change(96, NOON, SerialPolicy::Date, None)]), Some(2_026_113_001));
        assert_eq!(serial([]), None);
    }

    #[test]
    fn positions_alone_are_the_serial_as_ever() {
        for position in [1, 96, 4_294_967_295, 4_294_967_296 + 77] {
            let changes = (position - 1..=position).map(|position| change(position, NOON, SerialPolicy::Position, None));
            assert_eq!(serial(changes.clone()), Some(natural(SerialPolicy::Position, position, NOON)));
        }
    }

    #[test]
    fn a_day_with_more_than_99_changes_continues_into_the_next_numbers() {
        let day = |changes: i64| (0..changes).map(|n| change(n, NOON, SerialPolicy::Date, None));
        assert_eq!((serial(day(99)), serial(day(100))), (Some(2_026_113_099), Some(2_026_113_100)));
        let next_day = change(200, NOON + time::Duration::DAY, SerialPolicy::Date, None);
        assert_eq!(serial(day(150).chain([next_day])), Some(2_026_120_101), "the next month is above all of it");
        let back = change(200, NOON - time::Duration::DAY, SerialPolicy::Date, None);
        assert_eq!(serial(day(3).chain([back])), Some(2_026_113_004), "the clock was set back");
    }

    #[test]
    fn another_policy_continues_from_the_last_number() {
        let then = |before, policy| serial([change(96, NOON, before, None), change(97, NOON, policy, None)]);
        assert_eq!(then(SerialPolicy::Date, SerialPolicy::Position), Some(2_026_113_002));
        assert_eq!(then(SerialPolicy::Date, SerialPolicy::Unixtime), Some(2_026_113_002));
        assert_eq!(then(SerialPolicy::Unixtime, SerialPolicy::Date), Some(2_026_113_001));
        assert_eq!(then(SerialPolicy::Position, SerialPolicy::Unixtime), Some(1_796_040_000));
    }

    #[test]
    fn a_floor_is_passed_at_once_and_again_where_it_is_raised() {
        let with = |floor| change(96, NOON, SerialPolicy::Position, Some(floor));
        assert_eq!(serial([with(2_026_010_100)]), Some(2_026_010_101));
        assert_eq!(serial([with(2_026_010_100), with(2_026_010_100)]), Some(2_026_010_102));
        assert_eq!(serial([with(10)]), Some(96), "the policy is above it by itself");
        assert_eq!(serial([with(3_000_000_000)]), Some(3_000_000_001));
        let before = change(95, NOON, SerialPolicy::Position, None);
        assert_eq!(serial([before, with(3_000_000_000)]), Some(3_000_000_001), "what is stated counts");
        assert_eq!(serial([with(1_000), with(500)]), Some(1_002), "lowering it changes nothing");
        assert_eq!(serial([with(u32::MAX)]), Some(1), "0 is passed over");
    }

    #[test]
    fn a_number_is_newer_by_less_than_half_of_all_numbers() {
        for (new, old, expected) in [
            (1, 0, true),
            (0, 0, false),
            (0, 1, false),
            (0, u32::MAX, true),
            ((1 << 31) - 1, 0, true),
            (1 << 31, 0, false),
            ((1 << 31) + 1, 0, false),
        ] {
            assert_eq!(newer(new, old), expected, "{new} and {old}");
        }
    }

    #[test]
    fn a_floor_that_is_the_next_number_is_passed_too() {
        let at = |position, floor| change(position, NOON, SerialPolicy::Position, floor);
        assert_eq!(serial([at(96, Some(96))]), Some(97), "its own number is not above the floor");
        assert_eq!(serial([at(100, None), at(50, Some(101))]), Some(102));
        assert_eq!(serial([at(100, None), at(50, Some(100))]), Some(101));
    }

    #[test]
    fn a_policy_has_its_own_number_again_above_the_floor_and_not_below() {
        let twice = |floor| serial([100, 200].map(|position| change(position, NOON, SerialPolicy::Position, Some(floor))));
        assert_eq!(twice(10), Some(200));
        assert_eq!(twice(3_000_000_000), Some(3_000_000_002), "200 would be newer, counted past the highest number");
    }

    proptest! {
        #[test]
        fn no_sequence_of_changes_lowers_the_serial(
            steps in proptest::collection::vec((1..1_000_i64, -100_000..200_000_i64, 0..3_usize, proptest::option::of(0..1_500_000_000_u32)), 1..60)
        ) {
            let (mut position, mut at, mut changes, mut last): (i64, OffsetDateTime, Vec<Change>, Option<u32>) =
                (0, NOON, vec![], None);
            for (further, seconds, policy, floor) in steps {
                position += further;
                at += time::Duration::seconds(seconds);
                changes.push(change(position, at, SerialPolicy::ALL[policy].0, floor));
                let next = serial(changes.iter().copied()).expect("a serial");
                if let Some(last) = last {
                    prop_assert!(newer(next, last), "{last} then {next}");
                }
                last = Some(next);
            }
        }
    }
}
