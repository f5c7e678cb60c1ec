//! One request of one caller: how far it gets.

use super::callers::Caller;
use crate::support::{Scripted, TestSite};
use actix_http::Request;
use actix_web::App;
use actix_web::body::BoxBody;
use actix_web::dev::{Payload, Service, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service, try_read_body};
use bootledger_web::server::Part;
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use futures::stream;
use std::cell::Cell as Flag;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// How long an answer may take: far longer than it needs.
const DEADLINE: Duration = Duration::from_secs(10);
/// The scripted domain's error when it has no answer prepared; see `support.rs`.
const SCRIPTED: &str = "the test has no";
/// The error when no route matched; see `error/problem.rs`.
const NO_ROUTE: &str = "there is nothing at this path";

/// How far a caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Past all checks, to the handler.
    Passes,
    /// 401: the caller is not authenticated.
    Unknown,
    /// 403: the caller may not do this.
    Forbidden,
    /// The answer is 404 from the listener itself: it has no such route.
    NoRoute,
    /// 405: the route does not have this method.
    NoMethod,
}

impl Class {
    /// The word in the snapshot.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Passes => "ok",
            Self::Unknown => "401",
            Self::Forbidden => "403",
            Self::NoRoute => "404",
            Self::NoMethod => "405",
        }
    }
}

/// The result of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) class: Class,
    /// Whether the request's body was read.
    pub(super) read_body: bool,
    /// Whether the domain received a command.
    pub(super) commanded: bool,
    /// Whether the handler found nothing at the path.
    pub(super) absent: bool,
}

impl Cell {
    /// Whether the caller was refused.
    pub(super) fn is_refused(self) -> bool {
        matches!(self.class, Class::Unknown | Class::Forbidden)
    }
}

type Answered = Result<ServiceResponse<BoxBody>, actix_web::Error>;

/// A listener under test.
pub(super) struct Probe {
    call: Box<dyn Fn(Request) -> LocalBoxFuture<'static, Answered>>,
    domain: Arc<Scripted>,
}

impl Probe {
    pub(super) async fn start(site: &TestSite, part: Part) -> Self {
        let service = Rc::new(init_service(App::new().configure(site.site.configure(part))).await);
        let call = move |request| {
            let service = Rc::clone(&service);
            Box::pin(async move { service.call(request).await }) as LocalBoxFuture<'static, Answered>
        };
        Self { call: Box::new(call), domain: Arc::clone(&site.domain) }
    }

    pub(super) async fn request(&self, method: &Method, path: &str, caller: &Caller) -> Cell {
        let mut request = TestRequest::with_uri(path).method(method.clone());
        request = request.peer_addr(([10, 0, 0, 20], 50_000).into());
        for (name, value) in &caller.headers {
            request = request.insert_header((*name, value.as_str()));
        }
        let read = Rc::new(Flag::new(false));
        let mut request = request.to_request();
        if !method.is_safe() {
            let media_type = if path.starts_with("/api/") || path.starts_with("/dhcp/") { JSON } else { FORM };
            let headers = request.headers_mut();
            headers.insert("content-type".parse().expect("a name"), media_type.parse().expect("a value"));
            request = request.replace_payload(broken_off(Rc::clone(&read))).0;
        }
        let before = self.commands();
        let answered = tokio::time::timeout(DEADLINE, (self.call)(request)).await;
        let answer = answered.unwrap_or_else(|_| panic!("{method} {path} has no answer for {:?}", caller.kind));
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path} for {:?}: {error}", caller.kind));
        let status = answer.status().as_u16();
        let said = if status == 404 { try_read_body(answer).await.unwrap_or_default() } else { Bytes::new() };
        let said = String::from_utf8_lossy(&said);
        let commanded = self.commands() > before;
        let class = match status {
            _ if commanded => Class::Passes,
            401 => Class::Unknown,
            403 => Class::Forbidden,
            // `/pxe/` has error messages of its own for a path that does not exist.
            404 if said.contains(NO_ROUTE) || path.starts_with("/pxe") => Class::NoRoute,
            405 => Class::NoMethod,
            _ => Class::Passes,
        };
        let absent = status == 404 && class == Class::Passes && !commanded && !said.contains(SCRIPTED);
        Cell { class, read_body: read.get(), commanded, absent }
    }

    fn commands(&self) -> usize {
        self.domain.requested.lock().expect("no panic").len()
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A body that breaks off when it is first read, and records that.
fn broken_off(read: Rc<Flag<bool>>) -> Payload {
    let body = stream::poll_fn(move |_| {
        read.set(true);
        Poll::Ready(Some(Err::<Bytes, _>(PayloadError::Incomplete(None))))
    });
    Payload::Stream { payload: Box::pin(body) }
}
