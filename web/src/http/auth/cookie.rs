//! The session cookie: `bls_<session's UUID without hyphens>_<secret, 64 hexadecimal digits>`.
//!
//! Scripts cannot read it, and the browser does not send it with another site's form. Over TLS it has the prefix `__Host-`,
//! which prevents other hosts of the domain from setting it.

use super::token::{Secret, read};
use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HeaderValue};
use bootledger_aggregates::session::LONGEST_SECONDS;
use bootledger_aggregates::values::ids::SessionId;

const PREFIX: &str = "bls_";

/// The cookie's name.
pub fn name(secure: bool) -> &'static str {
    if secure { "__Host-bootledger" } else { "bootledger" }
}

/// The value of a request's cookie of this name, if the request contains it exactly once.
pub(crate) fn value<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let headers = request.headers().get_all(COOKIE).filter_map(|value| value.to_str().ok());
    let pairs = headers.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    let value = values.next()?;
    // A second cookie of this name is an attempt to act as another user.
    values.next().is_none().then_some(value)
}

/// The session that a request presents. Whether it is live is not checked yet.
pub(super) fn presented(request: &HttpRequest, secure: bool) -> Option<(SessionId, Secret)> {
    let (id, secret) = read(PREFIX, value(request, name(secure))?)?;
    Some((SessionId(id), secret))
}

/// The value of a session's cookie.
pub fn text(session: SessionId, secret: &Secret) -> String {
    secret.written(PREFIX, session.0)
}

/// The header that makes a browser store a session.
pub(super) fn keep(session: SessionId, secret: &Secret, secure: bool) -> Option<HeaderValue> {
    header(name(secure), &text(session, secret), LONGEST_SECONDS, secure)
}

/// The header that makes a browser delete its session.
pub(crate) fn forget(secure: bool) -> Option<HeaderValue> {
    header(name(secure), "", 0, secure)
}

/// The `Set-Cookie` header.
pub(crate) fn header(name: &str, value: &str, seconds: i64, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use uuid::Uuid;

    fn of(cookie: &str, secure: bool) -> Option<SessionId> {
        let request = TestRequest::default().insert_header(("cookie", cookie)).to_http_request();
        presented(&request, secure).map(|(id, _)| id)
    }

    #[test]
    fn a_session_is_read_back_from_its_cookie_and_over_tls_only_from_its_own() {
        let (id, secret) = (SessionId(Uuid::now_v7()), Secret::random());
        for secure in [false, true] {
            let kept = keep(id, &secret, secure).expect("a header");
            let text = kept.to_str().expect("text");
            assert!(text.contains("; Path=/; ") && text.contains("; HttpOnly; SameSite=Lax"), "{text}");
            assert_eq!((text.starts_with("__Host-"), text.ends_with("; Secure")), (secure, secure), "{text}");
            let pair = text.split(';').next().expect("a pair");
            assert_eq!(of(&format!("theme=dark; {pair}"), secure), Some(id));
            assert_eq!(of(pair, !secure), None);
            assert_eq!(of(&format!("{pair}; {pair}"), secure), None, "one of two is not ours");
        }
    }

    #[test]
    fn other_values_are_no_sessions() {
        for cookie in ["", "bootledger", "bootledger=", "bootledger=bls_1_2", "bootledger=bl_x", "other=1"] {
            assert_eq!(of(cookie, false), None, "{cookie}");
        }
    }
}
