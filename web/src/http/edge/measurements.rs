//! Measures the number and duration of requests, by method, route and status. Labels are route patterns, never paths, so that
//! their number is bounded and no token gets into them.

use actix_web::http::{Method, StatusCode};
use prometheus::{HistogramOpts, HistogramVec, Registry};
use std::time::Duration;

/// The histogram `bootledger_http_request_seconds`.
#[derive(Clone, Debug)]
pub(crate) struct Measurements(HistogramVec);

impl Measurements {
    /// Creates the histogram and registers it.
    ///
    /// # Errors
    /// Returns an error if a histogram of this name is already registered.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let options =
            HistogramOpts::new("bootledger_http_request_seconds", "Time from the request headers to the response headers.")
                .buckets(vec![0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
        let histogram = HistogramVec::new(options, &["method", "route", "status"])?;
        registry.register(Box::new(histogram.clone()))?;
        Ok(Self(histogram))
    }

    pub(super) fn observe(&self, method: &str, route: &str, status: StatusCode, elapsed: Duration) {
        self.0.with_label_values(&[method, route, status.as_str()]).observe(elapsed.as_secs_f64());
    }
}

/// The method as a label; methods that no route uses share one.
pub(super) fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
