//! The one gate before everything that needs a login. It decides by the decoded path, which is
//! also what routing decides by, so that no spelling of a path gets around it; and it refuses
//! changes to whoever only reads, whatever the handler behind it says.

use super::level::Level;
use super::principal::authenticate;
use crate::edge::position;
use crate::error::{Challenge, Error};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest};

/// What of `/api` anybody may read: it says nothing about the data centre.
pub const PUBLIC: [&str; 2] = ["/api/openapi.json", "/api/docs"];

/// Where Puppet's reports go. Its report processor knows `Basic` only, and has a token that may do nothing else.
pub const PUPPET_REPORTS: &str = "/puppet/reports";

/// What of the pages anybody may have.
const OPEN: [&str; 2] = ["/assets/", "/theme"];

/// The routes of machines, which have credentials of their own or need none.
const MACHINES: [&str; 9] =
    ["/pxe", "/boot/loaders/", "/dhcp/", "/dns/", "/puppet/nodes/", "/healthz", "/readyz", "/metrics", "/favicon.ico"];

/// What logging in at a path looks like; `None` where no login is needed. What is named nowhere needs one.
fn login(path: &str) -> Option<Challenge> {
    let below = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    match path {
        _ if PUBLIC.contains(&path) || below(&OPEN) || below(&MACHINES) => None,
        _ if path == "/api" || path.starts_with("/api/") => Some(Challenge::Bearer),
        _ => Some(Challenge::Basic),
    }
}

async fn admit(request: &HttpRequest) -> Result<(), Error> {
    if let Some(challenge) = login(request.match_info().as_str()) {
        let principal = authenticate(request, challenge).await?;
        // The token for reports has no role; their handler asks for it.
        if request.match_info().as_str() != PUPPET_REPORTS {
            principal.require(if request.method().is_safe() { Level::Viewer } else { Level::Operator })?;
        }
        request.extensions_mut().insert(principal);
    }
    position::wait(request).await
}

/// Lets a request in, or answers it.
pub(crate) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match admit(request.request()).await {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Err(error) => Ok(request.error_response(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_under_api_needs_a_token_but_its_own_description() {
        for path in ["/api", "/api/", "/api/v1/devices", "/api/openapi.json/", "/api/docs/x", "/api/v2"] {
            assert_eq!(login(path), Some(Challenge::Bearer), "{path}");
        }
        assert_eq!((login("/"), login("/puppet/reports")), (Some(Challenge::Basic), Some(Challenge::Basic)));
        for path in ["/api/openapi.json", "/api/docs", "/pxe/", "/healthz", "/puppet/nodes/h200.dc1.example"] {
            assert_eq!(login(path), None, "{path}");
        }
    }
}
