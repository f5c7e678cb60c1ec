//! Whether a user's browser uses TLS, to us or to one of our proxies.

use crate::http::application::Application;
use crate::http::client;
use actix_web::HttpRequest;

/// Whether the base URL or, for this request, a trusted proxy indicates TLS.
pub(crate) fn is_secure(request: &HttpRequest, application: &Application) -> bool {
    application.base_url.as_str().starts_with("https://")
        || client::is_from_proxy(request, &application.trusted_proxies)
            && request.headers().get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}
