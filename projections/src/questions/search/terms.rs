//! The text of a search, and the values that it may be.

use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::text::Text;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// The maximum length of a search in characters; the rest is ignored.
const MOST: usize = 300;
/// Parts of words are found from this length on: an index of groups of three characters finds them.
const LEAST_PART: usize = 3;
/// Parts of MAC addresses without separators, and of ids, are recognized from this number of hexadecimal digits on.
const LEAST_MAC_DIGITS: usize = 6;
const LEAST_ID_DIGITS: usize = 8;

/// The text of a search, and the values that it may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The text as entered, without surrounding blanks.
    pub text: String,
    /// The text, if it is a whole address.
    pub ip: Option<Ipv4Addr>,
    /// The text, if it is a range of addresses such as `10.20.0.0/24`; host bits are cleared.
    pub range: Option<Ipv4Net>,
    /// The text, if it is a whole MAC address in any notation.
    pub mac: Option<MacAddress>,
    /// The text, if it is a host name with a domain.
    pub hostname: Option<Hostname>,
    /// The text, if it may be an event's number, with or without `#`.
    pub number: Option<i64>,
    /// The text in lower case, as host names are stored.
    pub(super) lower: String,
    /// The text as serial and asset numbers are stored: without regard to case, character width and blanks.
    pub(super) folded: String,
    /// The text with colons, if it may be a part of a MAC address.
    pub(super) mac_part: Option<String>,
    /// The lowest and highest id that begin with the text.
    pub(super) ids: Option<(Uuid, Uuid)>,
    /// Patterns of SQL's LIKE for texts that contain this one; none if it is too short.
    pub(super) patterns: Vec<String>,
}

impl Terms {
    /// Reads what a user has entered; every text is valid.
    pub fn of(entered: &str) -> Self {
        let text: String = entered.trim().chars().filter(|c| !c.is_control()).take(MOST).collect();
        let lower = text.to_lowercase();
        let folded = text.parse::<Text>().map_or_else(|_| lower.clone(), |text| text.folded());
        let mac_part = mac_part(&lower);
        let mut parts = vec![lower.clone(), folded.clone()];
        parts.extend(mac_part.clone());
        parts.dedup();
        let parts = parts.into_iter().filter(|part| part.chars().count() >= LEAST_PART);
        Self {
            ip: text.parse().ok(),
            range: text.parse::<Ipv4Net>().ok().map(|net| net.trunc()),
            mac: text.parse().ok(),
            hostname: lower.strip_suffix('.').unwrap_or(&lower).parse().ok(),
            number: text.strip_prefix('#').unwrap_or(&text).parse().ok().filter(|number| *number > 0),
            mac_part,
            ids: ids(&lower),
            patterns: parts.map(|part| format!("%{}%", escaped(&part))).collect(),
            text,
            lower,
            folded,
        }
    }

    /// Whether there is nothing to search for.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether the text is too short to be found within words; it is only found at the beginning of values.
    pub fn is_short(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether the text is a whole address, MAC address or host name.
    pub(super) fn is_whole(&self) -> bool {
        self.ip.is_some() || self.mac.is_some() || self.hostname.is_some()
    }

    /// The text with a MAC address, or a part of one, in the notation that the views contain.
    pub fn normalized(&self) -> String {
        let part = || self.mac_part.clone().filter(|_| self.lower.contains(['.', '-', ':']));
        self.mac.map(|mac| mac.to_string()).or_else(part).unwrap_or_else(|| self.text.clone())
    }

    /// The values that are claimed under exactly this text.
    pub(super) fn exact(&self) -> Vec<String> {
        let mut all = vec![self.lower.clone(), self.folded.clone()];
        all.extend(self.mac.map(|mac| mac.to_string()));
        all.extend(self.hostname.as_ref().map(ToString::to_string));
        all.dedup();
        all
    }

    /// The addresses that the text names: one, or a range.
    pub(super) fn addresses(&self) -> Option<Ipv4Net> {
        self.ip.map(Ipv4Net::from).or(self.range)
    }

    /// Whether the text is the beginning of an address, such as `10.20.`.
    pub(super) fn begins_address(&self) -> bool {
        self.addresses().is_none() && self.text.contains('.') && self.text.chars().all(|c| c.is_ascii_digit() || c == '.')
    }
}

/// The beginning of MAC addresses that the text may be, otherwise a text that no value begins with.
pub(super) fn mac_beginning(terms: &Terms) -> String {
    terms.mac_part.clone().unwrap_or_else(|| "\u{10ffff}".to_owned())
}

/// The end of the range of texts that begin with this one, in the order of their characters.
pub(super) fn end_of(beginning: &str) -> String {
    format!("{beginning}\u{10ffff}")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// A MAC address or a part of one with colons, as the views contain it: `5254.0012` is `52:54:00:12`.
fn mac_part(lower: &str) -> Option<String> {
    let digits: Vec<char> = lower.chars().filter(char::is_ascii_hexdigit).collect();
    let separator = lower.chars().find(|c| !c.is_ascii_hexdigit());
    let regular = match separator {
        None => digits.len() >= LEAST_MAC_DIGITS,
        Some(separator) => {
            let lengths: Vec<usize> = lower.split(separator).map(str::len).collect();
            let (last, whole) = lengths.split_last()?;
            let size = *whole.first()?;
            let sizes: &[usize] = match separator {
                ':' => &[2],
                '.' => &[4],
                '-' => &[2, 4],
                _ => &[],
            };
            sizes.contains(&size) && whole.iter().all(|length| *length == size) && *last <= size
        }
    };
    let only = lower.chars().all(|c| c.is_ascii_hexdigit() || Some(c) == separator);
    let pairs = || digits.chunks(2).map(|pair| pair.iter().collect::<String>()).collect::<Vec<_>>().join(":");
    (regular && only && digits.len() <= 12).then(pairs)
}

/// The ids that begin with a text of hexadecimal digits.
fn ids(lower: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = lower.chars().filter(|c| *c != '-').collect();
    let regular = (LEAST_ID_DIGITS..=32).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit());
    let padded = |with: char| Uuid::parse_str(&format!("{digits}{}", with.to_string().repeat(32 - digits.len()))).ok();
    if regular { Some((padded('0')?, padded('f')?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_recognized_in_every_notation() {
        for text in
            ["52:54:00:12:34:ab", "52-54-00-12-34-AB", "5254.0012.34ab", "5254-0012-34AB", "5254001234ab", " 5254.0012.34AB "]
        {
            let terms = Terms::of(text);
            assert_eq!(terms.normalized().to_lowercase().replace('-', ""), terms.normalized().replace('-', ""), "{text}");
            assert!(terms.patterns.contains(&"%52:54:00:12:34:ab%".to_owned()), "{text}: {terms:?}");
        }
        assert_eq!(Terms::of("5254.0012.34AB").mac.map(|mac| mac.to_string()).as_deref(), Some("52:54:00:12:34:ab"));
    }

    #[test]
    fn a_part_of_a_mac_is_recognized_unless_it_may_be_something_else() {
        for (text, part) in [
            ("5254.0012", Some("52:54:00:12")),
            ("5254.00", Some("52:54:00")),
            ("52-54-0", Some("52:54:0")),
            ("525400", Some("52:54:00")),
            ("10.20.0.11", None),
            ("rack-1", None),
            ("abc", None),
            ("52:5", Some("52:5")),
            ("5254:0012", None),
            ("52:54.00", None),
            ("5254001234abcd", None),
        ] {
            assert_eq!(mac_part(text).as_deref(), part, "{text}");
        }
    }

    #[test]
    fn addresses_ranges_names_numbers_and_ids_are_recognized() {
        assert_eq!(Terms::of(" 10.20.0.11 ").ip, Some(Ipv4Addr::new(10, 20, 0, 11)));
        assert_eq!(Terms::of("10.20.0.11/24").range.map(|net| net.to_string()).as_deref(), Some("10.20.0.0/24"));
        assert!(Terms::of("10.20.").begins_address() && !Terms::of("10.20.0.11").begins_address());
        assert_eq!(Terms::of("H200.DC1.example.").hostname.map(|name| name.to_string()).as_deref(), Some("h200.dc1.example"));
        assert_eq!([Terms::of("#1402").number, Terms::of("1402").number, Terms::of("-1").number], [Some(1402), Some(1402), None]);
        let (low, high) = Terms::of("0192aBcd-01").ids.expect("ids");
        assert_eq!(low.to_string(), "0192abcd-0100-0000-0000-000000000000");
        assert_eq!(high.to_string(), "0192abcd-01ff-ffff-ffff-ffffffffffff");
        assert_eq!(Terms::of("0192abc").ids, None);
    }

    #[test]
    fn a_whole_value_is_more_than_a_part() {
        for (text, is_whole) in
            [("10.0.0.1", true), ("10.0.0.", false), ("5254.0012.34ab", true), ("h1.dc1.example", true), ("h1", false)]
        {
            assert_eq!(Terms::of(text).is_whole(), is_whole, "{text}");
        }
    }

    #[test]
    fn wildcards_are_literal_and_short_texts_are_no_parts() {
        assert_eq!(Terms::of("a_%\\").patterns, ["%a\\_\\%\\\\%"]);
        assert!(Terms::of("h2").is_short() && Terms::of(" ").is_empty());
        assert_eq!(Terms::of("\u{ff33}\u{ff2e}-1").folded, "sn-1");
    }
}
