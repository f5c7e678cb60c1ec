//! Templates for numbered host names, such as `h<200,299>.dc1.example|h<400,499>.dc1.example`.

use super::ParseError;
use super::hostname::Hostname;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// A template for host names: alternatives in order of preference, each a text with one range of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "h<200,299>.dc1.example|h<400,499>.dc1.example")]
pub struct HostnameTemplate(Vec<Alternative>);

/// The names of one length that an alternative of a template produces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    /// The text before the number.
    pub prefix: &'a str,
    /// The number of digits.
    pub digits: u32,
    /// The text after the number.
    pub suffix: &'a str,
    /// The name with the lowest number.
    pub lowest: String,
    /// The name with the highest number.
    pub highest: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Alternative {
    prefix: String,
    first: u32,
    last: u32,
    suffix: String,
}

impl Alternative {
    fn hostname(&self, number: u32) -> String {
        format!("{}{number}{}", self.prefix, self.suffix)
    }

    /// The number that produces `hostname` in this alternative; `None` if none does.
    fn number(&self, hostname: &str) -> Option<u32> {
        let digits = hostname.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        let canonical = digits == "0" || !digits.starts_with('0');
        let number = if canonical && digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok()? } else { return None };
        (self.first..=self.last).contains(&number).then_some(number)
    }
}

impl HostnameTemplate {
    /// The names that may be assigned next, best first: in each alternative the numbers after the highest one in use; then,
    /// when all alternatives are used up that way, the gaps. Numbers are compared as numbers. `taken` lists the host names in
    /// use in any order, including those of other templates.
    ///
    /// With nothing in use, the next name is h200; after h203, h204; after h299, h400. No name is listed twice, even where
    /// alternatives overlap: a bulk import takes one name after the other.
    pub fn free<'a>(&'a self, taken: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = Hostname> + 'a {
        let used = self.used(taken);
        let behind = self.behind_those(&used);
        let gaps = self.0.iter().zip(used).enumerate().flat_map(|(i, (a, numbers))| {
            let highest = numbers.last().copied().unwrap_or(a.first);
            (a.first..highest).filter(move |n| !numbers.contains(n)).map(move |n| (i, a.hostname(n)))
        });
        self.names(behind.chain(gaps))
    }

    /// The names after the highest ones in use, best first: the beginning of [`free`](Self::free). Of the names in use, the
    /// highest of each alternative is enough.
    pub fn behind<'a>(&'a self, taken: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = Hostname> + 'a {
        let used = self.used(taken);
        self.names(self.behind_those(&used))
    }

    /// The numbers in use, for each alternative.
    fn used<'a>(&self, taken: impl IntoIterator<Item = &'a str>) -> Vec<BTreeSet<u32>> {
        let mut used = vec![BTreeSet::new(); self.0.len()];
        for name in taken {
            for (alternative, numbers) in self.0.iter().zip(&mut used) {
                numbers.extend(alternative.number(name));
            }
        }
        used
    }

    /// The names after the highest numbers in use, each with the index of its alternative.
    fn behind_those<'a>(&'a self, used: &[BTreeSet<u32>]) -> impl Iterator<Item = (usize, String)> + use<'a> {
        let next =
            |(a, numbers): (&Alternative, &BTreeSet<u32>)| numbers.last().map_or(Some(a.first), |highest| highest.checked_add(1));
        let behind: Vec<(usize, &Alternative, u32)> =
            self.0.iter().zip(used).enumerate().filter_map(|(i, pair)| next(pair).map(|n| (i, pair.0, n))).collect();
        behind.into_iter().flat_map(|(i, a, from)| (from..=a.last).map(move |n| (i, a.hostname(n))))
    }

    /// Each name once: a name that an earlier alternative also produces is listed there only.
    fn names<'a>(&'a self, made: impl Iterator<Item = (usize, String)> + 'a) -> impl Iterator<Item = Hostname> + 'a {
        made.filter(|(i, name)| !self.0[..*i].iter().any(|earlier| earlier.number(name).is_some()))
            .filter_map(|(_, name)| name.parse().ok())
    }

    /// The names of each alternative, in spans of one length, longest first. Within a span, the order of the names, byte by
    /// byte, is the order of their numbers.
    pub fn spans(&self) -> impl Iterator<Item = Vec<Span<'_>>> {
        self.0.iter().map(|a| {
            let digits = |number: u32| number.checked_ilog10().unwrap_or(0) + 1;
            let span = |count: u32| {
                let least = if count == 1 { 0 } else { 10_u32.pow(count - 1) };
                let most = u32::try_from(10_u64.pow(count) - 1).unwrap_or(u32::MAX);
                Span {
                    prefix: &a.prefix,
                    digits: count,
                    suffix: &a.suffix,
                    lowest: a.hostname(a.first.max(least)),
                    highest: a.hostname(a.last.min(most)),
                }
            };
            (digits(a.first)..=digits(a.last)).rev().map(span).collect()
        })
    }

    /// The first name of each alternative, as an example of what the template produces.
    pub fn examples(&self) -> impl Iterator<Item = Hostname> + '_ {
        self.0.iter().filter_map(|a| a.hostname(a.first).parse().ok())
    }
}

impl FromStr for HostnameTemplate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let alternatives = text.trim().to_ascii_lowercase().split('|').map(alternative).collect::<Result<_, _>>()?;
        Ok(Self(alternatives))
    }
}

fn alternative(text: &str) -> Result<Alternative, ParseError> {
    let wrong = |why: &str| ParseError::new(format!("{text:?}: {why}, as in h<200,299>.dc1.example"));
    let text = text.trim();
    let (prefix, rest) = text.split_once('<').ok_or_else(|| wrong("a range <first,last> is needed"))?;
    let (range, suffix) = rest.split_once('>').ok_or_else(|| wrong("the range ends with '>'"))?;
    let (first, last) = range.split_once(',').ok_or_else(|| wrong("a range has a first and a last number"))?;
    let number = |digits: &str| {
        let digits = digits.trim();
        let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u32>().ok()).flatten();
        number.ok_or_else(|| wrong("a range has whole numbers"))
    };
    // In the form of host names, because the result is compared with the names in use.
    let (prefix, suffix) = (prefix.to_ascii_lowercase(), suffix.strip_suffix('.').unwrap_or(suffix).to_ascii_lowercase());
    let alternative = Alternative { prefix, first: number(first)?, last: number(last)?, suffix };
    if alternative.first > alternative.last {
        return Err(wrong("the range's first number is not above its last"));
    }
    // The longest number gives the longest name, so all names are valid if those at both ends are.
    for number in [alternative.first, alternative.last] {
        alternative.hostname(number).parse::<Hostname>()?;
    }
    Ok(alternative)
}

impl fmt::Display for HostnameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, a) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "|" };
            write!(f, "{separator}{}<{},{}>{}", a.prefix, a.first, a.last, a.suffix)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for HostnameTemplate {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HostnameTemplate> for String {
    fn from(template: HostnameTemplate) -> Self {
        template.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(taken: &[&str]) -> Option<String> {
        let template: HostnameTemplate = "h<200,299>.dc1.example|h<400,499>.dc1.example".parse().expect("a template");
        template.free(taken.iter().copied()).next().map(|name| name.to_string())
    }

    #[test]
    fn a_span_has_names_of_one_length_in_order() {
        let template: HostnameTemplate = "a<8,1200>.example|b<0,4294967295>.ab".parse().expect("a template");
        let spans: Vec<Vec<(String, String)>> =
            template.spans().map(|spans| spans.into_iter().map(|span| (span.lowest, span.highest)).collect()).collect();
        let pair = |lowest: &str, highest: &str| (lowest.to_owned(), highest.to_owned());
        assert_eq!(
            spans[0],
            [
                pair("a1000.example", "a1200.example"),
                pair("a100.example", "a999.example"),
                pair("a10.example", "a99.example"),
                pair("a8.example", "a9.example"),
            ]
        );
        assert_eq!((spans[1].len(), &spans[1][0]), (10, &pair("b1000000000.ab", "b4294967295.ab")));
        assert_eq!(spans[1][9], pair("b0.ab", "b9.ab"));
    }

    #[test]
    fn the_next_names_depend_only_on_the_highest_name_in_use() {
        let template: HostnameTemplate = "h<200,204>.ab|h<203,210>.ab".parse().expect("a template");
        let all: Vec<_> = template.free(["h200.ab", "h202.ab", "h206.ab"]).take(6).collect();
        let behind: Vec<_> = template.behind(["h202.ab", "h206.ab"]).collect();
        assert_eq!((&all[..behind.len()], behind.len()), (&behind[..], 6));
    }

    #[test]
    fn the_first_name_is_h200() {
        assert_eq!(next(&[]).as_deref(), Some("h200.dc1.example"));
    }

    #[test]
    fn a_template_in_capital_letters_or_with_a_final_dot_finds_the_names_in_use() {
        for text in ["H<200,299>.DC1.Example", "h<200,299>.dc1.example.", " h<200,299>.dc1.EXAMPLE. "] {
            let template: HostnameTemplate = text.parse().expect(text);
            assert_eq!(template.to_string(), "h<200,299>.dc1.example");
            let next = template.free(["h203.dc1.example"]).next().map(|name| name.to_string());
            assert_eq!(next.as_deref(), Some("h204.dc1.example"), "{text}");
        }
    }

    #[test]
    fn the_name_after_h203_is_h204_despite_gaps() {
        assert_eq!(next(&["h203.dc1.example", "h201.dc1.example"]).as_deref(), Some("h204.dc1.example"));
    }

    #[test]
    fn when_the_first_range_ends_the_second_begins() {
        assert_eq!(next(&["h299.dc1.example"]).as_deref(), Some("h400.dc1.example"));
    }

    #[test]
    fn gaps_are_used_when_every_range_has_ended() {
        assert_eq!(next(&["h200.dc1.example", "h299.dc1.example", "h499.dc1.example"]).as_deref(), Some("h201.dc1.example"));
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let template: HostnameTemplate = "h<8,120>.dc1.example".parse().expect("a template");
        let taken = ["h9.dc1.example", "h100.dc1.example", "h0101.dc1.example", "h1000.dc1.example"];
        assert_eq!(template.free(taken).next().map(|name| name.to_string()).as_deref(), Some("h101.dc1.example"));
    }

    #[test]
    fn a_full_template_offers_nothing() {
        let template: HostnameTemplate = "h<1,2>.dc1.example".parse().expect("a template");
        assert_eq!(template.free(["h1.dc1.example", "h2.dc1.example"]).next(), None);
    }

    #[test]
    fn templates_that_make_no_host_names_are_refused() {
        for text in [
            "",
            "h200.dc1.example",
            "h<200>.dc1",
            "h<3,2>.dc1.example",
            "h<1,2>",
            "h;<1,2>.dc1.example",
            "h<1,x>.dc1.example",
            "h<1,2>.dc1.example|",
        ] {
            assert!(text.parse::<HostnameTemplate>().is_err(), "{text:?} was accepted");
        }
    }
}
