//! The guard that every request passes. It decides by the decoded path, which routing uses too, so that no spelling of a path
//! gets around it. Every path needs a sign-in unless `http::access` names it. A user with the role viewer cannot change anything, even
//! if a handler would allow it. A change with the session cookie, which a browser sends automatically, is accepted only from
//! one of our own pages.

use super::authentication::{application, bearer};
use super::kept_forms::{self, RESUME};
use super::principal::Principal;
use super::{cookie, csrf, recent_passwords::RecentPasswords, sessions, transport};
use crate::http::access::{Access, PASSWORD, SIGN_IN, SIGN_OUT, VERIFY, access, is_own};
use crate::http::edge::position;
use crate::http::error::{Challenge, Error};
use crate::http::part::Part;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use actix_web::http::uri::PathAndQuery;
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use bootledger_aggregates::user::Role;

/// The caller that the guard has admitted, and the cookie that the browser must store.
#[derive(Default)]
struct Admitted {
    principal: Option<Principal>,
    keep: Option<HeaderValue>,
}

async fn admit(request: &HttpRequest) -> Result<Option<HeaderValue>, Error> {
    let path = request.match_info().as_str();
    let safe = request.method().is_safe();
    let admitted = match access(path) {
        Access::Anybody => {
            // Otherwise another site could sign a user in to a different account, whose owner then sees what the user does.
            if !safe && path.starts_with(SIGN_IN) {
                csrf::check(request, application(request)?)?;
            }
            Admitted::default()
        }
        Access::Reporters => Admitted { principal: Some(Principal::Token(bearer(request, Challenge::Basic).await?)), keep: None },
        Access::SignedIn => {
            let admitted = signed_in(request, safe).await?;
            if let Some(principal) = &admitted.principal {
                let own = is_own(path);
                if principal.user().is_some_and(|user| user.one_time) && ![PASSWORD, SIGN_OUT].contains(&path) {
                    return Err(Error::PasswordDue);
                }
                principal.require(match path {
                    _ if safe || own => Role::Viewer,
                    VERIFY => Role::Auditor,
                    _ => Role::Operator,
                })?;
            }
            admitted
        }
    };
    if let Some(principal) = admitted.principal {
        request.extensions_mut().insert(principal);
    }
    position::wait(request).await?;
    Ok(admitted.keep)
}

async fn signed_in(request: &HttpRequest, safe: bool) -> Result<Admitted, Error> {
    if request.headers().contains_key(AUTHORIZATION) {
        return Ok(Admitted { principal: Some(Principal::Token(bearer(request, Challenge::Bearer).await?)), keep: None });
    }
    let application = application(request)?;
    let secure = transport::is_secure(request, application);
    let unauthorized = |message: &str| Error::Unauthorized { message: message.to_owned(), challenge: Challenge::Bearer };
    let Some(presented) = cookie::presented(request, secure) else {
        return Err(unauthorized(
            "authentication is required: programs send the header `Authorization: Bearer bl_…`, users sign in at /sign-in",
        ));
    };
    if !safe {
        csrf::check(request, application)?;
    }
    let session = presented.0;
    let known = request.app_data::<web::Data<RecentPasswords>>().map(|known| &***known);
    let opened = sessions::open(request, application, known, presented, is_navigation(request)).await?;
    let opened = opened.ok_or_else(|| unauthorized("the session has ended; sign in again at /sign-in"))?;
    let keep = opened.next.as_ref().and_then(|secret| cookie::keep(session, secret, secure));
    Ok(Admitted { principal: Some(Principal::User(opened.user)), keep })
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// Whether a browser requests a whole page, which it will show.
fn is_navigation(request: &HttpRequest) -> bool {
    let html = header(request, ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/html"));
    html && request.method() == Method::GET && header(request, "hx-request").is_none()
}

/// The answer to a caller who is not admitted. A browser is redirected to the sign-in page.
fn turned_away(request: &HttpRequest, error: Error) -> Result<HttpResponse, Error> {
    let (to, next) = match &error {
        Error::Unauthorized { challenge: Challenge::Bearer, .. } => (SIGN_IN, true),
        Error::PasswordDue => (PASSWORD, false),
        _ => return Err(error),
    };
    if header(request, "hx-request").is_some() {
        let page = header(request, "hx-current-url").and_then(path_of_url).filter(|_| next);
        let mut answer = actix_web::ResponseError::error_response(&error);
        if let Ok(value) = HeaderValue::from_str(&with_target(to, page)) {
            answer.headers_mut().insert(HeaderName::from_static("hx-redirect"), value);
        }
        return Ok(answer);
    }
    let html = header(request, ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/html"));
    if !html {
        return Err(error);
    }
    let requested = request.uri().path_and_query().map(PathAndQuery::as_str);
    let target = with_target(to, requested.filter(|_| next && is_navigation(request)));
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish())
}

/// The path of a page with the path to return to afterwards.
pub(crate) fn with_target(page: &str, target: Option<&str>) -> String {
    match target.and_then(local) {
        None | Some("/") => page.to_owned(),
        Some(target) => {
            let encoded: String = form_urlencoded::byte_serialize(target.as_bytes()).collect();
            format!("{page}?to={encoded}")
        }
    }
}

/// The path and query of one of our own URLs.
fn path_of_url(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    rest.find('/').and_then(|slash| rest.get(slash..))
}

/// The path to open after signing in, if it is one of our pages: a path that no browser interprets as another host.
pub fn local(target: &str) -> Option<&str> {
    let sound = target.starts_with('/')
        && !target.starts_with("//")
        && target.len() <= 2000
        && target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let loops = target.starts_with(SIGN_IN) || target.starts_with(SIGN_OUT);
    (sound && !loops).then_some(target)
}

/// Admits a request, or answers it.
pub(crate) async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let boot_only = request.app_data::<web::Data<Part>>().is_some_and(|part| ***part == Part::BootOnly);
    if boot_only && access(request.match_info().as_str()) == Access::SignedIn {
        return Ok(request.into_response(HttpResponse::NotFound()));
    }
    match admit(request.request()).await {
        Ok(keep) => {
            let mut response = next.call(request).await?.map_into_boxed_body();
            // A handler that sets or deletes the session itself knows better; its other cookies do not matter here.
            let name = |value: &HeaderValue| value.to_str().ok().and_then(|text| Some(text.split_once('=')?.0.to_owned()));
            let sets = |keep: &HeaderValue| response.headers().get_all(SET_COOKIE).any(|set| name(set) == name(keep));
            if let Some(keep) = keep.filter(|keep| !sets(keep)) {
                response.headers_mut().append(SET_COOKIE, keep);
            }
            Ok(response)
        }
        Err(error) => {
            let kept = match &error {
                Error::Unauthorized { challenge: Challenge::Bearer, .. } => kept_forms::keep(&mut request).await,
                _ => None,
            };
            match turned_away(request.request(), error) {
                Ok(mut answer) => {
                    if let Some(cookie) = kept {
                        let target = HeaderValue::from_str(&with_target(SIGN_IN, Some(RESUME)));
                        answer.headers_mut().append(SET_COOKIE, cookie);
                        if let Ok(target) = target {
                            answer.headers_mut().insert(LOCATION, target);
                        }
                    }
                    Ok(request.into_response(answer))
                }
                Err(error) => Ok(request.error_response(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_redirects_only_to_our_own_paths() {
        for target in ["/", "/devices?q=a%20b&after=1", "/deployments/0192#plugins"] {
            assert_eq!(local(target), Some(target));
        }
        let evil = [
            "//evil",
            "///evil",
            "/\\evil",
            "\\\\evil",
            "https://evil.example/",
            "javascript:alert(1)",
            "",
            "devices",
            "/\t/evil",
            "/a\nb",
            "/sign-in?to=/",
            "/sign-out",
            "/ä",
        ];
        for target in evil {
            assert_eq!(local(target), None, "{target:?}");
        }
        assert_eq!(with_target(SIGN_IN, Some("/devices?q=a&b=1")), "/sign-in?to=%2Fdevices%3Fq%3Da%26b%3D1");
        assert_eq!(with_target(SIGN_IN, Some("//evil")), "/sign-in");
        assert_eq!(path_of_url("http://10.0.0.1:8080/devices?q=1"), Some("/devices?q=1"));
        assert_eq!(path_of_url("http://10.0.0.1"), None);
    }
}
