//! Routes for monitoring: `/healthz`, `/readyz`, `/metrics`. They need no sign-in, and of the data centre they
//! report only problems.

pub(crate) mod counts;
pub mod metrics;
pub mod readiness;
mod space;

use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};

pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/healthz").get(alive).head(alive))
        .service(resource("/readyz").get(readiness::ready).head(readiness::ready))
        .service(resource("/metrics").get(metrics::measured));
}

/// Whether the process is alive. This checks nothing else, so that a lost database does not cause a restart of the service.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}
