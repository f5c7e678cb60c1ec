//! The one stylesheet, at a URL that changes with its content, so that a browser may keep it for ever.

use crate::error::Error;
use crate::request::path::Path;
use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use sha2::Digest;
use std::sync::LazyLock;

const STYLE: &str = include_str!("style.css");

static HASH: LazyLock<String> = LazyLock::new(|| hex::encode(&sha2::Sha256::digest(STYLE)[..8]));

/// Where the stylesheet is.
pub(super) fn url() -> String {
    format!("/style/{}.css", *HASH)
}

pub(super) async fn show(Path(hash): Path<String>) -> Result<HttpResponse, Error> {
    if hash != *HASH {
        return Err(Error::NotFound("the stylesheet has changed; load the page again".to_owned()));
    }
    Ok(HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(STYLE))
}
