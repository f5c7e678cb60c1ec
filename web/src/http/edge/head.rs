//! `HEAD` for everything that a `GET` returns, except where the handler of a machine's path answers it itself: the request is
//! routed as a `GET`, and its answer loses the body and keeps the headers (RFC 9110, 9.3.2).

use crate::http::access::is_for_machines;
use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody, SizedStream};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::web::Bytes;
use futures::stream;

/// Browsers request this path without a sign-in.
const ICON: &str = "/favicon.ico";

/// Whether the request is a `HEAD` that is routed as a `GET` from now on.
pub(super) fn rerouted(request: &mut ServiceRequest) -> bool {
    let head = request.method() == Method::HEAD
        && (request.path() == ICON || !is_for_machines(request.path()))
        && !request.path().starts_with("/api/v1/boot-images/");
    if head {
        request.head_mut().method = Method::GET;
    }
    head
}

/// The answer without its body. A known length stays in the header.
pub(super) fn without_body(response: ServiceResponse) -> ServiceResponse {
    response.map_body(|_, body| match body.size() {
        BodySize::Sized(length) if length > 0 => {
            BoxBody::new(SizedStream::new(length, stream::empty::<Result<Bytes, std::io::Error>>()))
        }
        // A stream, such as that of a live page, would have no end.
        _ => HttpResponse::Ok().finish().into_body(),
    })
}
