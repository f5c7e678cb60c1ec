//! The headers of every answer: position, correlation id, and what keeps browsers careful.

use super::correlation::{self, Correlation};
use super::position;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};

/// Pages have no script, no frame and no foreign content.
const CAREFUL: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

pub(super) fn add(response: &mut ServiceResponse, correlation: &Correlation) {
    let position = super::current_position(response);
    let path = response.request().match_info().as_str();
    let private = path == "/" || path.starts_with("/api/v1");
    let headers = response.headers_mut();
    for (name, value) in CAREFUL {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&correlation.0) {
        headers.insert(HeaderName::from_static(correlation::HEADER), value);
    }
    let name = HeaderName::from_static(position::HEADER);
    if let (Some(position), false) = (position, headers.contains_key(&name)) {
        headers.insert(name, HeaderValue::from(position));
    }
    if private && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
