//! Requests to a Redfish service. They are sent only to its own origin, regardless of its responses, and are limited.
//!
//! Basic authentication is sent with each request and leaves nothing behind. If a service does not offer it, a session is
//! opened and closed again, because controllers allow only a few.

mod errors;
mod links;
mod redirects;
mod session;

use super::super::{Credentials, Trouble, pinned};
use super::messages::{self, Verdict};
use bootledger_aggregates::device::controller::{BasePath, Host};
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::device::management::Tls;
use bootledger_aggregates::device::power_failure::PowerFailure;
use bootledger_aggregates::values::text::Text;
use flate2::read::GzDecoder;
use redirects::is_redirect;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderMap, HeaderValue, IF_MATCH, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;
use session::Session;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::sleep;
use url::Url;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The maximum size of a response, in bytes, both compressed and uncompressed. Larger responses are refused.
const LARGEST: usize = 1024 * 1024;

/// How many redirects of one request are followed.
const REDIRECTS: usize = 3;

/// How often a request is repeated that a starting or busy controller did not accept, and the maximum wait before each
/// repetition.
const REPEATS: usize = 2;
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));

/// A connection to a service, with our credentials.
#[derive(Debug)]
pub(super) struct Http {
    host: Host,
    base: Url,
    prefix: String,
    credentials: Credentials,
    client: Client,
    session: Mutex<Option<Session>>,
}

/// The response of a service.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    /// A warning in a successful response, which may mean that the change was not made.
    pub(super) doubt: Option<String>,
}

impl Answer {
    /// The resource's version, from the ETag header.
    pub(super) fn version(&self) -> Option<String> {
        self.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned)
    }

    /// The URL at which the operation can be monitored.
    pub(super) fn location(&self) -> Option<&str> {
        self.headers.get(LOCATION).and_then(|location| location.to_str().ok())
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        // A byte order mark before the JSON, or zeros after it, are ignored.
        let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        let end = body.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        serde_json::from_slice(&body[..end])
    }
}

/// Why a request failed, with the status if there was a response.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: Option<StatusCode>,
    pub(super) trouble: Trouble,
    /// Whether nothing was done, and a different form of the same request may be tried.
    pub(super) other_form: bool,
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        refusal.trouble
    }
}

impl Refusal {
    fn without_answer(trouble: Trouble) -> Self {
        Self { status: None, trouble, other_form: false }
    }
}

impl Http {
    pub(super) fn new(management: &Management, credentials: Credentials) -> Result<Self, Trouble> {
        let unusable = |error: &dyn std::fmt::Display| {
            let detail = Text::fitted(&format!("cannot create an HTTP client: {error}"));
            Trouble::certain(PowerFailure::Internal { detail })
        };
        let access = &management.access;
        let client = Client::builder()
            .timeout(LIMIT)
            // Proxies of the environment are not used, so that none gets the password. Redirects are followed here, within the
            // service's own origin.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("bootledger/", env!("CARGO_PKG_VERSION")));
        let client = match access.tls {
            Tls::Verify => client.https_only(true),
            Tls::Pinned(fingerprint) => client
                .https_only(true)
                .tls_backend_preconfigured(pinned::configuration(fingerprint).map_err(|error| unusable(&error))?),
            Tls::Off => client,
        };
        // A name is resolved only to the addresses that were checked.
        let client = match &management.address {
            Host::Name(name) => {
                let addresses: Vec<SocketAddr> =
                    credentials.addresses.iter().map(|address| SocketAddr::new(*address, management.port())).collect();
                client.resolve_to_addrs(name, &addresses)
            }
            Host::Address(_) => client,
        };
        let scheme = if access.tls == Tls::Off { "http" } else { "https" };
        let base = format!("{scheme}://{}:{}/", management.address.in_url(), management.port());
        Ok(Self {
            host: management.address.clone(),
            base: Url::parse(&base).map_err(|error| unusable(&error))?,
            prefix: access.path.as_ref().map(BasePath::as_str).unwrap_or_default().to_owned(),
            credentials,
            client: client.build().map_err(|error| unusable(&error))?,
            session: Mutex::default(),
        })
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// A text of the service, without the password.
    pub(super) fn redact(&self, text: &str) -> String {
        let text = self.credentials.redact(text);
        match &*self.session.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(session) => text.replace(&session.token, "…"),
            None => text,
        }
    }

    pub(super) async fn get(&self, link: &str) -> Result<Answer, Refusal> {
        self.send(Method::GET, link, None, None).await
    }

    /// Sends one request, and does what is needed to get a response: follows redirects within the service, repeats the request
    /// while the controller is starting, and opens a session if the controller does not accept Basic authentication. The
    /// failure of a request that changes something is uncertain, unless the controller was not reached or refused the request.
    pub(super) async fn send(
        &self,
        method: Method,
        link: &str,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let orders = method == Method::POST;
        let mut url = self.locate(link).map_err(Refusal::without_answer)?;
        let (mut redirects, mut repeats, mut renewed) = (0, 0, false);
        loop {
            let mut answer = self.once(&method, &url, body, version, orders).await.map_err(Refusal::without_answer)?;
            if answer.status.is_success() {
                if method != Method::GET {
                    self.judge(&mut answer, orders)?;
                }
                return Ok(answer);
            }
            let Answer { status, headers, body: bytes, .. } = &answer;
            if is_redirect(*status, &method) {
                let location = headers.get(LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default();
                let led = if redirects < REDIRECTS {
                    self.follow(&url, location)
                } else {
                    Err(format!("there are more than {REDIRECTS} in a row"))
                };
                match led {
                    Ok(next) => url = next,
                    Err(why) => {
                        let trouble = self.not_followed(*status, &why);
                        return Err(Refusal { status: Some(*status), trouble, other_form: false });
                    }
                }
                redirects += 1;
                continue;
            }
            // A controller with this response has done nothing. Still, a power order is not sent twice.
            if repeats < REPEATS && !orders && is_busy(*status, bytes) {
                repeats += 1;
                sleep(pause(headers)).await;
                continue;
            }
            if *status == StatusCode::UNAUTHORIZED && self.may_open_session(headers, &mut renewed) && self.open_session().await? {
                continue;
            }
            // A request that the controller does not implement was not begun. A 303 response belongs to a request that was
            // accepted.
            let taken = status.is_server_error() && *status != StatusCode::NOT_IMPLEMENTED || *status == StatusCode::SEE_OTHER;
            let trouble = Trouble { uncertain: orders && taken, ..self.refused(*status, url.path(), bytes) };
            let other_form = is_about_form(*status, &method) && !is_busy(*status, bytes) && !messages::is_resetting(bytes);
            return Err(Refusal { status: Some(*status), trouble, other_form });
        }
    }

    /// Evaluates the messages in a successful response to a change.
    fn judge(&self, answer: &mut Answer, orders: bool) -> Result<(), Refusal> {
        match messages::verdict(&answer.body) {
            Verdict::Done => Ok(()),
            Verdict::Doubtful(words) => {
                answer.doubt = Some(messages::short(&self.redact(&words)));
                Ok(())
            }
            Verdict::Refused(words) => {
                let detail = Text::fitted(&messages::short(&self.redact(&words)));
                let trouble = Trouble::certain(PowerFailure::NotDone { controller: self.host.clone(), detail });
                // After a success, no second power request is sent, regardless of the messages.
                Err(Refusal { status: Some(StatusCode::BAD_REQUEST), trouble, other_form: !orders })
            }
        }
    }

    async fn once(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&Value>,
        version: Option<&str>,
        orders: bool,
    ) -> Result<Answer, Trouble> {
        let mut request = self.client.request(method.clone(), url.clone());
        let token = self.session.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|session| session.token.clone());
        request = match token {
            Some(token) => request.header("X-Auth-Token", token),
            None => request.basic_auth(&self.credentials.user, Some(self.credentials.password.expose())),
        };
        if let Some(body) = body {
            request = request.json(body);
        }
        // A version that is not valid in a header, and which the resource itself states, is not sent.
        if let Some(version) = version.and_then(|version| HeaderValue::from_str(version).ok()) {
            request = request.header(IF_MATCH, version);
        }
        self.exchange(request, orders).await
    }

    async fn exchange(&self, request: reqwest::RequestBuilder, orders: bool) -> Result<Answer, Trouble> {
        // iLO 5 compresses some resources regardless of the accepted encodings, and refuses to send them uncompressed.
        let request = request.header("OData-Version", "4.0").header(ACCEPT, "application/json").header(ACCEPT_ENCODING, "gzip");
        let lost = |error: reqwest::Error| {
            let trouble = self.unreachable(&error);
            Trouble { uncertain: orders && !error.is_connect(), ..trouble }
        };
        let large = || {
            let reason = format!("the management controller {} answered with more than {LARGEST} bytes", self.host);
            Trouble { uncertain: orders, ..self.unanswered(reason) }
        };
        let mut answer = request.send().await.map_err(lost)?;
        let mut body = vec![];
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(large());
            }
            body.extend_from_slice(&chunk);
        }
        let headers = answer.headers().clone();
        let compressed = headers.get(CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip"));
        if compressed && body.starts_with(&[0x1f, 0x8b]) {
            let mut plain = vec![];
            let most = u64::try_from(LARGEST).unwrap_or(u64::MAX);
            GzDecoder::new(&body[..]).take(most + 1).read_to_end(&mut plain).map_err(|error| {
                let reason = format!("the response of the management controller {} cannot be decompressed: {error}", self.host);
                Trouble { uncertain: orders, ..self.unanswered(reason) }
            })?;
            if plain.len() > LARGEST {
                return Err(large());
            }
            body = plain;
        }
        Ok(Answer { status: answer.status(), headers, body, doubt: None })
    }
}

/// Whether a controller reports that it will be ready in a moment.
fn is_busy(status: StatusCode, body: &[u8]) -> bool {
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
        || (status.is_client_error() && messages::is_starting(body))
}

/// How long to wait before the request is repeated: the time in the response, within limits.
fn pause(headers: &HeaderMap) -> Duration {
    let said = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.trim().parse().ok());
    said.map_or(PAUSE.0, Duration::from_secs).clamp(PAUSE.0, PAUSE.1)
}

/// Whether a refusal may be about the form of the request, so that a different form may be accepted. A power request that
/// conflicts with something (409) or is forbidden (403) is not tried in a different form.
fn is_about_form(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        400 | 405 | 415 | 422 | 501 => true,
        403 | 409 | 412 | 428 => *method != Method::POST,
        _ => false,
    }
}
