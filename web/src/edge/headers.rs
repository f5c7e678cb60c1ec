//! The headers of every answer: position, correlation id, and what keeps browsers careful.

use super::correlation::{self, Correlation};
use super::position;
use crate::auth::guard::is_private;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};

/// Other sites are told nothing of where a person comes from, but our own pages are: without that, a browser would not say
/// that a form is ours either. Pages have scripts and styles of their own only, never inline, and no frame and no foreign content.
const CAREFUL: [(HeaderName, HeaderValue); 4] = [
    (
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
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
    // What is of the data centre is kept by nobody on the way: all but what machines and anybody may ask.
    let private = is_private(path);
    // What servers boot is read by no browser, which is told only not to guess.
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
