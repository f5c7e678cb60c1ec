//! Range requests: which bytes of a file a request is for (RFC 9110, 14).

use actix_web::http::header::{HeaderMap, IF_NONE_MATCH, IF_RANGE, RANGE};
use std::ops::Range;

/// The requested part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestedRange {
    /// The whole file: 200.
    Whole,
    /// These bytes, at least one: 206.
    Part(Range<u64>),
    /// Only bytes after the end of the file: 416.
    Unsatisfiable,
}

/// The requested part of a file with `size` bytes and this entity tag. Several ranges at once, other units and
/// malformed headers are answered with the whole file, as the RFC allows.
pub(crate) fn requested(headers: &HeaderMap, size: u64, etag: &str) -> RequestedRange {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if text(IF_RANGE).is_some_and(|condition| condition.trim() != etag) {
        return RequestedRange::Whole;
    }
    text(RANGE).and_then(|range| parse(range, size)).unwrap_or(RequestedRange::Whole)
}

/// Whether the client already has this content.
pub(crate) fn has_already(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn parse(range: &str, size: u64) -> Option<RequestedRange> {
    let (unit, range) = range.trim().split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.eq_ignore_ascii_case("bytes") || !(first.bytes().chain(last.bytes())).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A number too large for 64 bits is after the end of any file.
    let number = |digits: &str| digits.parse().unwrap_or(u64::MAX);
    let part = match (first, last) {
        ("", "") => return None,
        ("", suffix) => size.saturating_sub(number(suffix))..size,
        (first, "") => number(first)..size,
        (first, last) if number(first) > number(last) => return None,
        (first, last) => number(first)..number(last).saturating_add(1).min(size),
    };
    Some(if part.start < part.end { RequestedRange::Part(part) } else { RequestedRange::Unsatisfiable })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn of_ten(range: &'static str) -> RequestedRange {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static(range));
        requested(&headers, 10, "\"a\"")
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (range, first, end) in [
            ("bytes=0-0", 0, 1),
            ("bytes=2-4", 2, 5),
            ("bytes=2-", 2, 10),
            ("bytes=-3", 7, 10),
            ("bytes=-99", 0, 10),
            ("bytes=9-99", 9, 10),
            ("BYTES=0-18446744073709551615", 0, 10),
            ("bytes=0-99999999999999999999999", 0, 10),
        ] {
            assert_eq!(of_ten(range), RequestedRange::Part(first..end), "{range}");
        }
        for range in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of_ten(range), RequestedRange::Unsatisfiable, "{range}");
        }
        for range in ["bytes=0-1,3-4", "bytes=4-2", "bytes=-", "bytes=a-b", "bytes", "lines=0-1", "bytes=--1", "bytes=+1-2", ""] {
            assert_eq!(of_ten(range), RequestedRange::Whole, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_version_is_answered_with_the_whole() {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=2-4"));
        headers.insert(IF_RANGE, HeaderValue::from_static("\"b\""));
        assert_eq!(requested(&headers, 10, "\"a\""), RequestedRange::Whole);
        assert_eq!(requested(&headers, 10, "\"b\""), RequestedRange::Part(2..5));
    }

    #[test]
    fn a_client_that_has_the_content_is_known_by_its_tag() {
        let mut headers = HeaderMap::new();
        assert!(!has_already(&headers, "\"a\""));
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("\"b\", W/\"a\""));
        assert!(has_already(&headers, "\"a\""));
        assert!(!has_already(&headers, "\"c\""));
    }
}
