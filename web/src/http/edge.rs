//! Middleware for every request and answer: a correlation ID, a span, a measurement, the security headers, and the one form of
//! errors. The chain of an internal error is logged here, once.

pub mod correlation;
mod head;
mod headers;
mod measurements;
pub mod position;

use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::error::problem::Problem;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use correlation::Correlation;
pub(crate) use measurements::Measurements;
use std::time::{Duration, Instant};
use tracing::{Instrument, field};

/// Requests that take longer than this are logged.
const SLOW: Duration = Duration::from_secs(1);

/// Shows a problem as a page, for browsers.
#[derive(Clone, Copy)]
pub(crate) struct ErrorPage(pub(crate) fn(&Problem, &HttpRequest) -> HttpResponse);

/// Surrounds all other middleware and handlers.
pub(crate) async fn edge(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let started = Instant::now();
    let correlation = Correlation::read(request.headers());
    request.extensions_mut().insert(correlation.clone());
    let method = measurements::method(request.method());
    let head = head::rerouted(&mut request);
    // Neither path nor query: a path may contain a deployment's token, a query anything.
    let span = tracing::info_span!(
        "request",
        http.method = method,
        http.route = field::Empty,
        http.status = field::Empty,
        correlation_id = %correlation.0,
    );
    async {
        let mut response = finish(next.call(request).await?.map_into_boxed_body(), &correlation);
        let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
        let status = response.status();
        let span = tracing::Span::current();
        span.record("http.route", route.as_str());
        span.record("http.status", status.as_u16());
        let elapsed = started.elapsed();
        if let Some(measurements) = response.request().app_data::<Data<Measurements>>() {
            measurements.observe(method, &route, status, elapsed);
        }
        headers::add(&mut response, &correlation);
        if head {
            response = head::without_body(response);
        }
        let milliseconds = elapsed.as_millis();
        // Thousands of servers may boot at once, so only requests that change something, fail or are slow are logged.
        if !response.request().method().is_safe() || status.is_server_error() || elapsed > SLOW {
            tracing::info!(milliseconds, "{method} {route}: responded with {}", status.as_u16());
        } else {
            tracing::debug!(milliseconds, "{method} {route}: responded with {}", status.as_u16());
        }
        Ok(response)
    }
    .instrument(span)
    .await
}

/// Turns every error into a problem that names the request, and logs its cause.
fn finish(response: ServiceResponse, correlation: &Correlation) -> ServiceResponse {
    let known = response.response().error().and_then(|error| error.as_error::<Error>());
    let status = response.status();
    let problem = match known {
        Some(error) => {
            log(error);
            Some((error.problem(), error.error_response()))
        }
        None if (status.is_client_error() || status.is_server_error()) && silent(&response) => {
            if let Some(error) = response.response().error() {
                tracing::debug!("refused by the server: {error}");
            }
            let problem = Problem::of_status(status);
            let answer = problem.response();
            Some((problem, answer))
        }
        None => None,
    };
    let Some((mut problem, answer)) = problem else {
        return response;
    };
    // A path under /pxe/ may contain a deployment's token, which must not get into texts that people copy.
    let path = response.request().path();
    problem.instance = (!path.starts_with("/pxe/")).then(|| path.to_owned());
    problem.correlation_id = Some(correlation.0.clone());
    let (request, old) = response.into_parts();
    let mut new = match request.app_data::<Data<ErrorPage>>() {
        Some(page) if wants_page(&request) => (page.0)(&problem, &request),
        _ => problem.response(),
    };
    for (name, value) in old.headers().iter().chain(answer.headers()) {
        // The headers that describe the old body do not apply to the new one.
        if ![CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING].contains(name) {
            new.headers_mut().insert(name.clone(), value.clone());
        }
    }
    ServiceResponse::new(request, new)
}

/// Whether the answer is for a browser that shows pages.
fn wants_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // These paths never return a page: the API and machines always get JSON or text, regardless of their Accept header.
    let path = request.path();
    let machine = ["/api/v1", "/pxe", "/grub/", "/dhcp/", "/dns/", "/puppet/", "/boot/loaders"]
        .iter()
        .any(|prefix| path.starts_with(prefix));
    !machine && accept.contains("text/html")
}

/// Whether an answer has no content of its own: it is empty, or the server's plain text about an error.
fn silent(response: &ServiceResponse) -> bool {
    let plain = |value: Option<&HeaderValue>| value.is_none_or(|value| value.as_bytes().starts_with(b"text/plain"));
    let body = response.response().body().size();
    matches!(body, BodySize::None | BodySize::Sized(0))
        || response.response().error().is_some() && plain(response.headers().get(CONTENT_TYPE))
}

fn log(error: &Error) {
    let chain = |source: &anyhow::Error| format!("{source:#}");
    match error {
        Error::Internal(source) => tracing::error!("a request failed with an internal error: {}", chain(source)),
        Error::Unavailable { message, source, .. } => {
            tracing::warn!("a request could not be served: {message}: {}", source.as_ref().map(chain).unwrap_or_default());
        }
        Error::StorageFull { message, source, .. } => {
            tracing::warn!("a request could not be served: {message}: {}", chain(source));
        }
        _ => tracing::debug!("a request was refused: {error}"),
    }
}

/// The position to name in an answer that does not come from a reading.
fn current_position(response: &ServiceResponse) -> Option<i64> {
    response.request().app_data::<Data<Application>>().map(|application| *application.position.borrow())
}
