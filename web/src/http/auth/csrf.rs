//! Prevents other sites' pages from acting with a user's cookie (cross-site request forgery).
//!
//! A browser reports where a request comes from: with `Sec-Fetch-Site` or, if it does not send that (over plain HTTP to another
//! machine, or an old browser), with `Origin`, or at least `Referer`. A change that comes from another site, or without any of
//! these headers, is refused. The check is in the guard, so that no form can forget it.

use crate::http::application::Application;
use crate::http::error::Error;
use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, ORIGIN, REFERER};

/// Refuses a change that does not come from our own pages.
pub(super) fn check(request: &HttpRequest, application: &Application) -> Result<(), Error> {
    let host = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let host = host.or_else(|| text(request.headers(), HOST.as_str()).map(str::to_owned));
    if comes_from_here(request.headers(), host.as_deref(), application.base_url.as_str()) {
        return Ok(());
    }
    Err(Error::CrossSite(
        "this change was requested by a page of another site, so it was refused; open the page on this site and repeat the change. Programs must send an access token instead of a cookie"
            .to_owned(),
    ))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

fn comes_from_here(headers: &HeaderMap, host: Option<&str>, base_url: &str) -> bool {
    if let Some(site) = text(headers, "sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(from) = text(headers, ORIGIN.as_str()).or_else(|| text(headers, REFERER.as_str())) else { return false };
    let Some(from) = authority(from) else { return false };
    let own = [host.map(str::to_owned), authority(base_url)];
    own.into_iter().flatten().any(|own| without_default_port(&own) == without_default_port(&from))
}

/// The host and port of a URL; `None` for anything else, such as `null`.
fn authority(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    (!authority.is_empty() && !authority.contains('@')).then(|| authority.to_ascii_lowercase())
}

/// The authority without a default port: behind a proxy the two sides may use different schemes.
fn without_default_port(authority: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    let short = authority.strip_suffix(":80").or_else(|| authority.strip_suffix(":443"));
    short.map_or(authority.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn only_our_own_pages_may_send_a_change() {
        // (header, value, whether the request comes from our own pages)
        let table = [
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "none", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "", false),
            ("origin", "http://10.0.0.1:8080", true),
            ("origin", "http://10.0.0.1:8081", false),
            ("origin", "http://10.0.0.1", false),
            ("origin", "https://deploy.example", true),
            ("origin", "https://deploy.example:443", true),
            ("origin", "https://deploy.example.evil.example", false),
            ("origin", "https://evil.example", false),
            ("origin", "null", false),
            ("origin", "http://10.0.0.1:8080@evil.example", false),
            ("referer", "http://10.0.0.1:8080/devices?q=1", true),
            ("referer", "http://evil.example/http://10.0.0.1:8080", false),
            ("x-requested-with", "htmx", false),
        ];
        for (name, value, expected) in table {
            let request = TestRequest::post().insert_header((name, value)).to_http_request();
            let from_here = comes_from_here(request.headers(), Some("10.0.0.1:8080"), "https://deploy.example");
            assert_eq!(from_here, expected, "{name}: {value}");
        }
    }

    #[test]
    fn the_browsers_sec_fetch_site_takes_precedence_over_a_matching_origin() {
        let request = TestRequest::post()
            .insert_header(("sec-fetch-site", "cross-site"))
            .insert_header(("origin", "http://10.0.0.1:8080"))
            .to_http_request();
        assert!(!comes_from_here(request.headers(), Some("10.0.0.1:8080"), "http://10.0.0.1:8080"));
    }
}
