//! Error answers for booting servers, and for users who try the routes manually: a sentence, or a problem (RFC 9457) for a
//! client that accepts JSON.

use super::render::RenderError;
use crate::images::store::StoreError;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CACHE_CONTROL, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_projections::database::cause::Cause;

/// The number of seconds after which a server should retry.
const SECONDS: &str = "2";

/// Whether the client names JSON in its `Accept` header; iPXE and installers do not.
pub(super) fn wants_json(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accepted.contains("application/json") || accepted.contains("application/problem+json")
}

/// An error answer: a status and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    sentence: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, sentence: String) -> Self {
        Self { status, sentence }
    }

    /// The sentence, for a protocol without HTTP statuses.
    pub(super) fn sentence(self) -> String {
        self.sentence
    }

    pub(super) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        refuse(request, self.status, &self.sentence)
    }
}

/// The answer with this status and sentence, the latter without a final line break.
pub(super) fn refuse(request: &HttpRequest, status: StatusCode, sentence: &str) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CACHE_CONTROL, "no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.insert_header((RETRY_AFTER, SECONDS));
    }
    if wants_json(request) {
        let title = status.canonical_reason().unwrap_or_default();
        let problem = serde_json::json!({ "title": title, "status": status.as_u16(), "detail": sentence });
        return answer.content_type("application/problem+json").body(problem.to_string());
    }
    answer.content_type("text/plain; charset=utf-8").body(format!("{sentence}\n"))
}

/// The answer for a file that cannot be served. The error is logged here, because it is not passed on.
pub(super) fn failed(request: &HttpRequest, error: &RenderError) -> HttpResponse {
    let status = match error {
        RenderError::NoScript { .. } => StatusCode::NOT_FOUND,
        RenderError::Template { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        RenderError::Secret { file, .. } => {
            tracing::error!("a booting server is not served: {error}");
            let sentence = format!("{file} needs a secret that cannot be read; an operator finds the reason in the log");
            return refuse(request, StatusCode::SERVICE_UNAVAILABLE, &sentence);
        }
        RenderError::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        RenderError::Store { source, .. } => return store_failed(request, source),
    };
    tracing::error!("a booting server is not served: {error}");
    refuse(request, status, &error.to_string())
}

/// The answer for a failure of the store of files. The store's error is only logged.
pub(super) fn store_failed(request: &HttpRequest, error: &StoreError) -> HttpResponse {
    tracing::error!("a boot file is not served: {:#}", anyhow::anyhow!("{error:?}"));
    if let StoreError::Missing(_) = error {
        let sentence = "the file's content is missing; an operator must upload it again";
        return refuse(request, StatusCode::INTERNAL_SERVER_ERROR, sentence);
    }
    let sentence = error.cause().map_or("the store of boot files does not answer; try again", Cause::sentence);
    refuse(request, StatusCode::SERVICE_UNAVAILABLE, sentence)
}
