//! Sessions: opened if a service does not accept Basic authentication, opened again if one has expired, and closed after the
//! request.

use super::redirects::is_redirect;
use super::{Http, REDIRECTS, Refusal};
use crate::Trouble;
use crate::redfish::messages;
use crate::redfish::resources::Link;
use bootledger_aggregates::device::power_failure::PowerFailure;
use bootledger_aggregates::values::text::Text;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::sync::PoisonError;
use url::Url;

/// The path at which sessions are opened (DSP0266, resource URIs).
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// A session that was opened here.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) token: String,
    /// The URL at which the session is closed.
    at: Option<Url>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Http {
    /// Whether a session may be opened after a refusal: if there is none and the service does not accept Basic authentication,
    /// and again if the current one has expired or was closed (401: nothing was done).
    pub(super) fn may_open_session(&self, headers: &HeaderMap, renewed: &mut bool) -> bool {
        let expired = self.session.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
        if expired { !std::mem::replace(renewed, true) } else { !*renewed && !offers_basic(headers) }
    }

    /// Opens a session. Returns `false` if the service refuses that in the same way as Basic authentication.
    pub(super) async fn open_session(&self) -> Result<bool, Refusal> {
        let mut url = self.locate(SESSIONS).map_err(Refusal::without_answer)?;
        let body = json!({ "UserName": self.credentials.user, "Password": self.credentials.password.expose() });
        for _ in 0..=REDIRECTS {
            let request = self.client.post(url.clone()).json(&body);
            let answer = self.exchange(request, false).await.map_err(Refusal::without_answer)?;
            let token = answer.headers.get("x-auth-token").and_then(|token| token.to_str().ok());
            if let (true, Some(token)) = (answer.status.is_success(), token) {
                let own = answer.json::<Link>().ok().and_then(|link| link.id);
                // Some services use a different name for themselves in Location than the one at which they are reached.
                let at = answer.location().map(str::to_owned).into_iter().chain(own).find_map(|link| self.locate(&link).ok());
                let session = Session { token: token.to_owned(), at };
                *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
                return Ok(true);
            }
            if is_redirect(answer.status, &Method::POST) {
                let led = answer.location().and_then(|location| self.follow(&url, location).ok());
                let Some(next) = led else { return Ok(false) };
                url = next;
                continue;
            }
            let words = messages::short(&self.redact(&messages::said(&answer.body)));
            // iDRAC responds with 503 and RAC0218, others with 400 or 507 and SessionLimitExceeded.
            let full = answer.status == StatusCode::SERVICE_UNAVAILABLE || words.to_lowercase().contains("session");
            if full && answer.status != StatusCode::UNAUTHORIZED {
                let trouble = Trouble::certain(PowerFailure::NoSession {
                    controller: self.host.clone(),
                    status: Text::fitted(&answer.status.to_string()),
                    detail: Text::fitted(&words),
                });
                return Err(Refusal { status: Some(answer.status), trouble, other_form: false });
            }
            return Ok(false);
        }
        Ok(false)
    }

    /// Closes the session, if one was opened.
    pub(in crate::redfish) async fn close(&self) {
        if let Some(closing) = self.closing() {
            closing.await;
        }
    }

    fn closing(&self) -> Option<impl Future<Output = ()> + use<>> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let client = self.client.clone();
        // A session that is not closed expires.
        Some(async move {
            if let Some(at) = session.at {
                drop(client.delete(at).header("X-Auth-Token", session.token).send().await);
            }
        })
    }
}

impl Drop for Http {
    /// A request that is cancelled leaves no session behind either.
    fn drop(&mut self) {
        if let (Ok(runtime), Some(closing)) = (tokio::runtime::Handle::try_current(), self.closing()) {
            runtime.spawn(closing);
        }
    }
}

/// Whether a service that refused the request accepts Basic authentication: then the password is wrong, and is not sent again.
pub(super) fn offers_basic(headers: &HeaderMap) -> bool {
    let offers = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("basic"));
    headers.get_all(WWW_AUTHENTICATE).iter().any(offers)
}
