//! Serves a content, whole or in part, with its hash as entity tag. A stored content is never held in memory as a whole.

use crate::http::range::{self, RequestedRange};
use crate::images::store::{Contents, StoreError};
use actix_web::body::SizedStream;
use actix_web::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::values::sha256::Sha256;
use bytes::Bytes;
use futures::stream;

/// A content to serve.
#[derive(Clone, Debug)]
pub struct Content {
    /// The hash of the whole content.
    pub sha256: Sha256,
    /// The size of the content in bytes.
    pub size: u64,
    /// Where the content is.
    pub source: Source,
}

/// The place of a content.
#[derive(Clone, Debug)]
pub enum Source {
    /// These bytes in memory.
    Memory(Bytes),
    /// In the store, under its hash.
    Stored(Contents),
}

/// The media type of a file: scripts and installers' answer files are text, even if a browser would guess otherwise.
pub fn media_type(kind: FileKind) -> &'static str {
    match kind {
        FileKind::BootIpxe | FileKind::Grub | FileKind::Kickstart => "text/plain; charset=utf-8",
        FileKind::Kernel | FileKind::Initrd | FileKind::Other => "application/octet-stream",
    }
}

/// The answer to a GET or HEAD for a content: 200, 206, 304 or 416.
///
/// # Errors
/// Returns an error if the store lacks the content or fails.
pub async fn serve(request: &HttpRequest, content: Content, media_type: &'static str) -> Result<HttpResponse, StoreError> {
    let etag = format!("\"{}\"", content.sha256);
    if range::has_already(request.headers(), &etag) {
        return Ok(builder(StatusCode::NOT_MODIFIED, &etag, media_type).finish());
    }
    let (status, part) = match range::requested(request.headers(), content.size, &etag) {
        RequestedRange::Whole => (StatusCode::OK, 0..content.size),
        RequestedRange::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        RequestedRange::Unsatisfiable => {
            return Ok(builder(StatusCode::RANGE_NOT_SATISFIABLE, &etag, "text/plain; charset=utf-8")
                .insert_header((CONTENT_RANGE, format!("bytes */{}", content.size)))
                .body(format!("the file has {} bytes, and the range begins after its end\n", content.size)));
        }
    };
    let mut answer = builder(status, &etag, media_type);
    if status == StatusCode::PARTIAL_CONTENT {
        answer.insert_header((CONTENT_RANGE, format!("bytes {}-{}/{}", part.start, part.end - 1, content.size)));
    }
    let size = part.end - part.start;
    if request.method() == Method::HEAD {
        return Ok(answer.body(SizedStream::new(size, stream::empty::<Result<Bytes, object_store::Error>>())));
    }
    Ok(match content.source {
        Source::Memory(bytes) => {
            let index = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
            answer.body(bytes.slice(index(part.start)..index(part.end)))
        }
        Source::Stored(contents) => answer.body(SizedStream::new(size, contents.read(content.sha256, part).await?)),
    })
}

fn builder(status: StatusCode, etag: &str, media_type: &'static str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((ETAG, etag))
        .insert_header((CONTENT_TYPE, HeaderValue::from_static(media_type)))
        .insert_header((ACCEPT_RANGES, HeaderValue::from_static("bytes")))
        // A cache must never send this answer to another server, or to this one after its deployment.
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    answer
}
