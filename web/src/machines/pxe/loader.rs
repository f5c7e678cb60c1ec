//! The route `GET /boot/loaders/{name}`, from which UEFI firmware boots over HTTP. Every answer has a Content-Length and is
//! neither compressed nor chunked: firmware allocates memory for the whole file before it reads it.

use super::boot_client::BootClient;
use super::refusal::refuse;
use super::service::BootService;
use super::{grub, record};
use crate::http::client;
use crate::http::range::{self, RequestedRange};
use actix_web::body::SizedStream;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH, LAST_MODIFIED,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bootledger_boot_loaders::{Loader, LoaderError, Loaders};
use bytes::Bytes;
use futures::{Stream, stream};
use percent_encoding::percent_decode_str;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::io::{AsyncReadExt, Take};

/// How much of a file is held in memory for one client.
const PART: usize = 64 * 1024;

/// The prefix of every boot loader's path.
const PATH: &str = "/boot/loaders/";

/// Answers a GET or HEAD for a boot loader.
pub(super) async fn loader(request: HttpRequest, service: Data<BootService>) -> HttpResponse {
    let Some(loaders) = service.application.loaders.clone() else {
        return refuse(
            &request,
            StatusCode::NOT_FOUND,
            "this service has no folder of boot loaders; set --loaders or --tftp-folder",
        );
    };
    let name = name_of(&request);
    let plain = Loaders::plain(&name).unwrap_or_default();
    if grub::is_configuration(&plain) {
        return grub_configuration(request, service).await;
    }
    let media_type = media_type(&name);
    let requested = name.clone();
    let opened = match tokio::task::spawn_blocking(move || loaders.open_over_http(&name)).await {
        Ok(opened) => opened,
        Err(error) => Err(LoaderError::Unreadable(io::Error::other(error))),
    };
    match opened {
        Ok(loader) => {
            if request.method() == Method::GET
                && let (Ok(file), Ok(client)) =
                    (loader.file.try_clone(), client::address(&request, &service.application.trusted_proxies))
            {
                record::loader_given(&service, client, &plain, &Arc::new(file)).await;
            }
            answer(&request, loader, &media_type)
        }
        Err(error @ LoaderError::Refused(_)) => {
            if service.application.loaders.as_ref().is_some_and(Loaders::may_log) {
                tracing::warn!(client = ?request.peer_addr(), "{error}");
            }
            refuse(&request, StatusCode::NOT_FOUND, &error.to_string())
        }
        Err(LoaderError::Missing) => {
            let name = shown(&requested);
            if let Some(loaders) = service.application.loaders.as_ref().filter(|loaders| loaders.may_log()) {
                let folders = loaders.places();
                tracing::warn!(client = ?request.peer_addr(), name, "a boot loader was requested over HTTP that is not in {folders}");
            }
            let sentence = format!(
                "there is no boot loader {name:?}; put it into the folder of --loaders, or install Debian's package ipxe"
            );
            refuse(&request, StatusCode::NOT_FOUND, &sentence)
        }
        Err(error @ LoaderError::Outside) => refuse(&request, StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => {
            tracing::error!("a boot loader is not served: {:#}", anyhow::anyhow!("{error:?}"));
            refuse(&request, StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
        }
    }
}

/// Handles `GET /grub/grub.cfg`, where Debian's GRUB looks for its configuration. The answer is always the service's own
/// configuration: an operator's file would also be served to installed servers, which start their disks with it, and an
/// unpacked installer contains such a file.
pub(super) async fn grub_configuration(request: HttpRequest, service: Data<BootService>) -> HttpResponse {
    match BootClient::of(&request, &service.application) {
        Ok(asker) => grub_answer(&request, &service, asker).await,
        Err(refusal) => refusal.answer(&request),
    }
}

/// The configuration for a GRUB that was loaded over HTTP, and has HTTP.
async fn grub_answer(request: &HttpRequest, service: &BootService, asker: BootClient) -> HttpResponse {
    let grub::Configuration { bytes, record } = grub::configuration(service, asker).await;
    if let Some(served) = record.filter(|_| request.method() == Method::GET) {
        record::given(service, served).await;
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(bytes)
}

/// The bytes of the name, each `%XX` decoded once.
fn name_of(request: &HttpRequest) -> Vec<u8> {
    let path = request.uri().path();
    match path.split_once(PATH) {
        Some((_, name)) => percent_decode_str(name).collect(),
        // The path itself is written in another way; the result of routing is used.
        None => request.match_info().get("name").unwrap_or_default().as_bytes().to_vec(),
    }
}

/// Formats a name of any bytes and any length for messages.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(100).collect()
}

/// The media type. UEFI decides by it, or by the name's extension, how to process the file (UEFI specification, 24.7.1).
fn media_type(name: &[u8]) -> HeaderValue {
    let name = String::from_utf8_lossy(name);
    let name = name.split('?').next().unwrap_or_default().trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let efi = Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("efi"));
    HeaderValue::from_static(if efi { "application/efi" } else { "application/octet-stream" })
}

/// The file, or the part of it that was requested. A client that resumes a broken download names the file that it began with
/// (`If-Match`, `If-Range`); the answer shows whether the file has changed since.
fn answer(request: &HttpRequest, loader: Loader, media_type: &HeaderValue) -> HttpResponse {
    let etag = etag(&loader);
    let begin = |status: StatusCode| -> HttpResponseBuilder {
        let mut answer = HttpResponse::build(status);
        answer.insert_header((ETAG, etag.clone())).insert_header((CACHE_CONTROL, "no-cache"));
        answer
            .insert_header((ACCEPT_RANGES, HeaderValue::from_static("bytes")))
            .insert_header((CONTENT_TYPE, media_type.clone()));
        if let Some(modified) = loader.modified {
            answer.insert_header((LAST_MODIFIED, actix_web::http::header::HttpDate::from(modified)));
        }
        answer
    };
    let expected = request.headers().get(IF_MATCH).and_then(|tags| tags.to_str().ok());
    if expected.is_some_and(|tags| !tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == etag)) {
        return refuse(request, StatusCode::PRECONDITION_FAILED, "the boot loader has changed; restart the download");
    }
    if range::has_already(request.headers(), &etag) {
        return begin(StatusCode::NOT_MODIFIED).finish();
    }
    let (status, part) = match range::requested(request.headers(), loader.size, &etag) {
        RequestedRange::Whole => (StatusCode::OK, 0..loader.size),
        RequestedRange::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        RequestedRange::Unsatisfiable => {
            return begin(StatusCode::RANGE_NOT_SATISFIABLE)
                .insert_header((CONTENT_RANGE, format!("bytes */{}", loader.size)))
                .content_type("text/plain; charset=utf-8")
                .body(format!("the file has {} bytes, and the range begins after its end\n", loader.size));
        }
    };
    let mut answer = begin(status);
    if status == StatusCode::PARTIAL_CONTENT {
        answer.insert_header((CONTENT_RANGE, format!("bytes {}-{}/{}", part.start, part.end - 1, loader.size)));
    }
    let size = part.end - part.start;
    // Firmware requests the size first, with a HEAD.
    if request.method() == Method::HEAD {
        return answer.body(SizedStream::new(size, stream::empty::<io::Result<Bytes>>()));
    }
    let mut file = loader.file;
    if part.start > 0
        && let Err(error) = file.seek(SeekFrom::Start(part.start))
    {
        tracing::error!("a part of a boot loader is not served: {error}");
        return refuse(request, StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read; the service's log says why");
    }
    answer.body(SizedStream::new(size, parts(file, size)))
}

/// The entity tag, which distinguishes this content from another one of the same name.
fn etag(loader: &Loader) -> String {
    let modified = loader.modified.and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok());
    format!("\"{:x}-{:x}\"", loader.size, modified.unwrap_or_default().as_nanos())
}

/// Streams as many of the file's bytes as were announced, from its current offset.
fn parts(file: std::fs::File, size: u64) -> impl Stream<Item = io::Result<Bytes>> {
    let file = tokio::fs::File::from_std(file).take(size);
    stream::try_unfold(file, |mut file: Take<tokio::fs::File>| async move {
        let mut part = Vec::with_capacity(PART);
        let read = file.read_buf(&mut part).await?;
        match (read, file.limit()) {
            (0, 0) => Ok(None),
            // The connection breaks, so that the client notices that the file is incomplete.
            (0, _) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => Ok(Some((Bytes::from(part), file))),
        }
    })
}
