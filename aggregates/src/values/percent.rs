//! Progress in percent.

use super::ParseError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Progress as a whole number from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "u8", into = "u8")]
#[schema(value_type = u8, minimum = 0, maximum = 100)]
pub struct Percent(u8);

impl Percent {
    /// 100 percent: complete.
    pub const ALL: Self = Self(100);

    /// The percentage as a number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Percent {
    type Error = ParseError;

    fn try_from(number: u8) -> Result<Self, ParseError> {
        if number <= 100 { Ok(Self(number)) } else { Err(ParseError::new(format!("{number} is more than 100 percent"))) }
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl FromStr for Percent {
    type Err = ParseError;

    /// Reads a number. A fraction is dropped: installers calculate percentages and report fractions.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let text = text.trim();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let number = Some(whole).filter(|whole| digits(whole) && digits(fraction)).and_then(|whole| whole.parse::<u8>().ok());
        let number = number.filter(|number| *number <= 100);
        number.map(Self).ok_or_else(|| ParseError::new(format!("{text:?} is not a number from 0 to 100")))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_percentage_is_at_most_100() {
        assert_eq!(Percent::try_from(100), Ok(Percent::ALL));
        assert!(Percent::try_from(101).is_err());
    }

    #[test]
    fn a_percentage_is_a_number_from_0_to_100_with_or_without_a_fraction() {
        for (text, number) in [("0", 0), ("42", 42), (" 7 ", 7), ("99.99", 99), ("100", 100), ("100.0", 100), ("007", 7)] {
            assert_eq!(text.parse::<Percent>().expect(text).get(), number, "{text}");
        }
        for text in ["", "-1", "101", "256", "1e1", "4 2", "42%", "0x1", ".5", "5.", "5.5.5", "١", "NaN"] {
            assert!(text.parse::<Percent>().is_err(), "{text:?} was accepted");
        }
    }
}
