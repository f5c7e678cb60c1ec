//! `/metrics`, in the text format of Prometheus.

use crate::application::Application;
use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::web::Data;
use prometheus::{Encoder, TextEncoder};

/// Every measurement of the process.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn measured(application: Data<Application>) -> Result<HttpResponse, Error> {
    let mut text = vec![];
    TextEncoder::new().encode(&application.metrics.gather(), &mut text).map_err(|error| Error::Internal(error.into()))?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}
