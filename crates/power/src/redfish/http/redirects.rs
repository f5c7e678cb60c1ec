//! Which responses are redirects.

use reqwest::{Method, StatusCode};

/// Whether a response redirects the same request. 303 redirects to a GET, so it only counts for a GET.
pub(super) fn is_redirect(status: StatusCode, method: &Method) -> bool {
    matches!(status.as_u16(), 301 | 302 | 307 | 308) || (status == StatusCode::SEE_OTHER && method == Method::GET)
}
