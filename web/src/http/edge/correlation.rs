//! The correlation ID, which links a request to everything that results from it. It is the caller's ID or a new one, and it
//! appears in the answer, the log, the problem and the events.

use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{HttpMessage, HttpRequest};
use uuid::Uuid;

/// The header that every answer contains.
pub const HEADER: HeaderName = HeaderName::from_static("bootledger-correlation-id");
/// The header in which proxies and other programs send a correlation ID.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The correlation ID of a request.
#[derive(Clone, Debug)]
pub(crate) struct Correlation(pub(crate) String);

impl Correlation {
    /// Reads the caller's ID from `Bootledger-Correlation-Id` or `X-Request-Id`, if it is short and harmless;
    /// otherwise generates one.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let sane = |text: &&str| {
            (1..=100).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
        };
        let given = [HEADER, REQUEST_ID].iter().find_map(|name| headers.get(name)?.to_str().ok().filter(sane));
        Self(given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned))
    }
}

/// The request's correlation ID, for the context of a command.
pub fn of(request: &HttpRequest) -> String {
    let known = request.extensions().get::<Correlation>().map(|correlation| correlation.0.clone());
    known.unwrap_or_else(|| Correlation::read(request.headers()).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn read(value: &str) -> String {
        of(&TestRequest::default().insert_header(("x-request-id", value)).to_http_request())
    }

    #[test]
    fn a_callers_word_is_kept_and_anything_else_replaced() {
        assert_eq!(read("deploy-7.a:b_C"), "deploy-7.a:b_C");
        for wrong in ["", "a b", "a\"b", "a{b}", "x".repeat(101).as_str()] {
            assert!(Uuid::try_parse(&read(wrong)).is_ok(), "{wrong:?} was kept");
        }
    }
}
