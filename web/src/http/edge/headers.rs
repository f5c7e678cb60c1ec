//! The headers of every answer: position, correlation ID, and the security headers for browsers.

use super::correlation::{self, Correlation};
use super::position;
use crate::http::access::is_private;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};

/// Other sites do not learn which page a user comes from, but our own pages do: without that, a browser would not report that a
/// form is ours either. Pages use only scripts and styles of their own, never inline ones, and no frames or foreign content.
const CAREFUL: [(HeaderName, HeaderValue); 4] = [
    (
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY")),
    (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

pub(super) fn add(response: &mut ServiceResponse, correlation: &Correlation) {
    let position = super::current_position(response);
    let path = response.request().match_info().as_str();
    // Caches must not store data about the data centre: everything except what machines and anyone may read.
    let private = is_private(path);
    // Browsers do not read what servers boot. Of the browser headers, these answers have only the one against guessing types.
    let booting = path.starts_with("/pxe/");
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    if !booting {
        for (name, value) in CAREFUL {
            headers.insert(name, value);
        }
    }
    if let Ok(value) = HeaderValue::from_str(&correlation.0) {
        headers.insert(correlation::HEADER, value);
    }
    if let (Some(position), false) = (position, headers.contains_key(position::HEADER)) {
        headers.insert(position::HEADER, HeaderValue::from(position));
    }
    if private && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
