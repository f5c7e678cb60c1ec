//! Requests to a Redfish service: to its own origin only, whatever it answers, and bounded.
//!
//! Basic authentication is sent with each request and leaves nothing behind. Where a service does not offer it, a session
//! is opened, which is closed again: controllers have few.

use super::super::{Credentials, Trouble, pinned};
use super::messages;
use bootledger_aggregates::device::controller::{BasePath, Host};
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::device::management::Tls;
use flate2::read::GzDecoder;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderMap, IF_MATCH, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use reqwest::{Client, Method, StatusCode, redirect};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::sleep;
use url::Url;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);

/// An answer with more bytes is refused, compressed or not.
const LARGEST: usize = 1024 * 1024;

/// How many redirects one request follows.
const REDIRECTS: usize = 3;

/// How often a request is repeated that a starting or busy controller did not take, and how long before it at most.
const REPEATS: usize = 2;
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));

/// Where sessions are opened (DSP0266, the URIs of resources).
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// A service and who we are to it.
#[derive(Debug)]
pub(super) struct Http {
    host: Host,
    base: Url,
    prefix: String,
    credentials: Credentials,
    client: Client,
    session: Mutex<Option<Session>>,
}

/// A session that was opened here.
#[derive(Clone)]
struct Session {
    token: String,
    /// Where it is closed.
    at: Option<Url>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// What a service answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// The resource's version, as the header has it.
    pub(super) fn version(&self) -> Option<String> {
        self.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned)
    }

    /// Where what was begun can be watched.
    pub(super) fn location(&self) -> Option<&str> {
        self.headers.get(LOCATION).and_then(|location| location.to_str().ok())
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        // A byte order mark before it, or zeros behind it, are no part of the JSON.
        let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        let end = body.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        serde_json::from_slice(&body[..end])
    }
}

/// Why a request came to nothing, with the status where there was an answer.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: Option<StatusCode>,
    pub(super) trouble: Trouble,
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        refusal.trouble
    }
}

impl Refusal {
    fn without_answer(trouble: Trouble) -> Self {
        Self { status: None, trouble }
    }
}

impl Http {
    pub(super) fn new(management: &Management, credentials: Credentials) -> Result<Self, Trouble> {
        let unusable = |error: &dyn std::fmt::Display| Trouble::certain(format!("no HTTP client can be made: {error}"));
        let access = &management.access;
        let client = Client::builder()
            .timeout(LIMIT)
            // No proxy of the environment gets the password. Redirects are followed here, within the service's own origin.
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
        // A name leads to the addresses that were checked, and to no others.
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

    /// Somebody else's text without the password.
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

    /// One request, with what it takes to have it answered: redirects within the service, repeats where the controller is
    /// starting, a session where it does not take Basic authentication. Failures of what changes something are uncertain
    /// unless the controller was not reached or refused.
    pub(super) async fn send(
        &self,
        method: Method,
        link: &str,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let orders = method == Method::POST;
        let mut url = self.locate(link).map_err(Refusal::without_answer)?;
        let (mut redirects, mut repeats) = (0, 0);
        loop {
            let answer = self.once(&method, &url, body, version, orders).await.map_err(Refusal::without_answer)?;
            let Answer { status, headers, body: bytes } = &answer;
            if status.is_success() {
                let Some(words) = messages::refusal(bytes).filter(|_| method != Method::GET) else { return Ok(answer) };
                let words = self.redact(&words);
                let trouble = Trouble::certain(format!("the management controller {} did not do it: {words}", self.host));
                return Err(Refusal { status: Some(StatusCode::BAD_REQUEST), trouble });
            }
            if is_redirect(*status, &method) {
                let location = headers.get(LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default();
                let led = if redirects < REDIRECTS {
                    self.follow(&url, location)
                } else {
                    Err(format!("there are more than {REDIRECTS} in a row"))
                };
                match led {
                    Ok(next) => url = next,
                    Err(why) => return Err(Refusal { status: Some(*status), trouble: self.not_followed(*status, &why) }),
                }
                redirects += 1;
                continue;
            }
            // A controller that says so did nothing. An order is not given twice all the same.
            if repeats < REPEATS && !orders && is_busy(*status, bytes) {
                repeats += 1;
                sleep(pause(headers)).await;
                continue;
            }
            if *status == StatusCode::UNAUTHORIZED && !self.has_session() && !offers_basic(headers) && self.open_session().await?
            {
                continue;
            }
            // What a controller has not implemented it has not begun.
            let uncertain = orders && status.is_server_error() && *status != StatusCode::NOT_IMPLEMENTED;
            let trouble = Trouble { uncertain, ..self.refused(*status, url.path(), bytes) };
            return Err(Refusal { status: Some(*status), trouble });
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
        if let Some(version) = version {
            request = request.header(IF_MATCH, version);
        }
        self.exchange(request, orders).await
    }

    async fn exchange(&self, request: reqwest::RequestBuilder, orders: bool) -> Result<Answer, Trouble> {
        // iLO 5 compresses some resources whatever is accepted, and refuses to send them as they are.
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
                let reason = format!("what the management controller {} answered cannot be decompressed: {error}", self.host);
                Trouble { uncertain: orders, ..self.unanswered(reason) }
            })?;
            if plain.len() > LARGEST {
                return Err(large());
            }
            body = plain;
        }
        Ok(Answer { status: answer.status(), headers, body })
    }

    fn has_session(&self) -> bool {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Opens a session. `false` where the service refuses that as it refused Basic authentication.
    async fn open_session(&self) -> Result<bool, Refusal> {
        let mut url = self.locate(SESSIONS).map_err(Refusal::without_answer)?;
        let body = json!({ "UserName": self.credentials.user, "Password": self.credentials.password.expose() });
        for _ in 0..=REDIRECTS {
            let request = self.client.post(url.clone()).json(&body);
            let answer = self.exchange(request, false).await.map_err(Refusal::without_answer)?;
            let token = answer.headers.get("x-auth-token").and_then(|token| token.to_str().ok());
            if let (true, Some(token)) = (answer.status.is_success(), token) {
                let own = answer.json::<super::resources::Link>().ok().and_then(|link| link.id);
                let at = answer.location().map(str::to_owned).or(own).and_then(|link| self.locate(&link).ok());
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
            let words = self.redact(&messages::said(&answer.body));
            // iDRAC answers 503 and RAC0218, others 400 or 507 and SessionLimitExceeded.
            let full = answer.status == StatusCode::SERVICE_UNAVAILABLE || words.to_lowercase().contains("session");
            if full && answer.status != StatusCode::UNAUTHORIZED {
                let trouble = Trouble::certain(format!(
                    "the management controller {} takes no password without a session, and opens none ({}): {words}. Close \
                     sessions that are no longer used, in its own web pages, or wait until they expire",
                    self.host, answer.status
                ));
                return Err(Refusal { status: Some(answer.status), trouble });
            }
            return Ok(false);
        }
        Ok(false)
    }

    /// Closes the session, where one was opened.
    pub(super) async fn close(&self) {
        if let Some(closing) = self.closing() {
            closing.await;
        }
    }

    fn closing(&self) -> Option<impl Future<Output = ()> + use<>> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let client = self.client.clone();
        // One that is not closed expires.
        Some(async move {
            if let Some(at) = session.at {
                drop(client.delete(at).header("X-Auth-Token", session.token).send().await);
            }
        })
    }

    /// The URL of a link that the service gave. One that names another origin would lead the password there.
    fn locate(&self, link: &str) -> Result<Url, Trouble> {
        let foreign = || {
            let link = self.redact(link);
            self.unanswered(format!("the management controller {} refers to {link:?}, which is not its own", self.host))
        };
        let relative = link.starts_with('/') && !link.starts_with("//");
        if !relative && !link.starts_with("http://") && !link.starts_with("https://") {
            return Err(foreign());
        }
        let url = self.base.join(link).map_err(|_| foreign())?;
        self.own(url).ok_or_else(foreign)
    }

    /// A URL of this service, with its path: a gateway need not change the links of the controllers behind it.
    fn own(&self, mut url: Url) -> Option<Url> {
        let credentials = !url.username().is_empty() || url.password().is_some();
        if url.origin() != self.base.origin() || credentials {
            return None;
        }
        url.set_fragment(None);
        let below = url.path().strip_prefix(&self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if !below {
            if !url.path().starts_with("/redfish/") {
                return None;
            }
            url.set_path(&format!("{}{}", self.prefix, url.path()));
        }
        Some(url)
    }

    /// Where a redirect leads, where that is within the service.
    fn follow(&self, from: &Url, location: &str) -> Result<Url, String> {
        let Ok(url) = from.join(location) else { return Err("its Location is not a URL".to_owned()) };
        if location.is_empty() {
            return Err("it has no Location".to_owned());
        }
        let secure = self.base.scheme() == "http" && url.scheme() == "https" && url.host() == self.base.host();
        if secure {
            return Err(
                "it leads to TLS. Set management.tls to verify, or to sha256: and the fingerprint of its certificate".to_owned()
            );
        }
        let to = format!("it leads to {}, which is not this controller", url.origin().ascii_serialization());
        self.own(url).ok_or(to)
    }

    fn not_followed(&self, status: StatusCode, why: &str) -> Trouble {
        let why = self.redact(why);
        self.unanswered(format!(
            "the management controller {} answered with a redirect ({status}) that is not followed: {why}",
            self.host
        ))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Trouble {
        let host = &self.host;
        if error.is_timeout() {
            let reason = format!("the management controller {host} did not answer by Redfish within {} s", LIMIT.as_secs());
            return Trouble { slow: true, ..self.unanswered(reason) };
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let cause = self.redact(&cause.to_string());
        if cause.contains("certificate") {
            return self.unanswered(format!(
                "the management controller {host} is not trusted and was told no password: {cause}; if it is the right one, \
                 pin its certificate with management.tls, or have this machine trust the authority that signed it"
            ));
        }
        let base = self.base.as_str().trim_end_matches('/');
        if cause.contains("HandshakeFailure") || cause.contains("ProtocolVersion") {
            return self.unanswered(format!(
                "the management controller {host} has no TLS 1.2 or 1.3 in common with Bootledger ({cause}); update its firmware"
            ));
        }
        self.unanswered(format!("the management controller {host} cannot be reached by Redfish at {base}: {cause}"))
    }

    pub(super) fn unanswered(&self, reason: impl Into<String>) -> Trouble {
        Trouble::unanswered(&self.host, "Redfish", reason)
    }

    fn refused(&self, status: StatusCode, path: &str, body: &[u8]) -> Trouble {
        let (host, user) = (&self.host, &self.credentials.user);
        if status == StatusCode::UNAUTHORIZED {
            return Trouble::certain(format!("the management controller {host} refused user {user}: wrong name or password"));
        }
        if status.is_redirection() {
            return self.not_followed(status, "it is none that keeps the request as it is");
        }
        let words = self.redact(&messages::said(body));
        let said = if words.is_empty() { String::new() } else { format!(": {words}") };
        if status == StatusCode::FORBIDDEN && !words.is_empty() {
            return Trouble::certain(format!("the management controller {host} does not let user {user} do this{said}"));
        }
        let path = self.redact(path);
        let reason = format!("the management controller {host} answered {path} with {status}{said}");
        // Only what has the form of a Redfish error is an answer of a controller.
        if words.is_empty() { self.unanswered(reason) } else { Trouble::certain(reason) }
    }
}

impl Drop for Http {
    /// What was given up in the middle leaves no session behind either.
    fn drop(&mut self) {
        if let (Ok(runtime), Some(closing)) = (tokio::runtime::Handle::try_current(), self.closing()) {
            runtime.spawn(closing);
        }
    }
}

/// Whether an answer says where the same request goes. 303 asks for another one, which only a GET is.
fn is_redirect(status: StatusCode, method: &Method) -> bool {
    matches!(status.as_u16(), 301 | 302 | 307 | 308) || (status == StatusCode::SEE_OTHER && method == Method::GET)
}

/// Whether a controller says that it will answer in a moment.
fn is_busy(status: StatusCode, body: &[u8]) -> bool {
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
        || (status.is_client_error() && messages::is_starting(body))
}

/// How long to wait before the request is repeated: what the answer says, within bounds.
fn pause(headers: &HeaderMap) -> Duration {
    let said = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.trim().parse().ok());
    said.map_or(PAUSE.0, Duration::from_secs).clamp(PAUSE.0, PAUSE.1)
}

/// Whether a service that refused takes Basic authentication: then the password is wrong, and is not sent twice.
fn offers_basic(headers: &HeaderMap) -> bool {
    let offers =
        |value: &reqwest::header::HeaderValue| value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("basic"));
    headers.get_all(WWW_AUTHENTICATE).iter().any(offers)
}
