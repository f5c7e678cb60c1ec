//! A multipart form with a file (RFC 7578), read whole into memory, up to the limit of CSV files and within a time limit.

use crate::http::error::Error;
use crate::http::fingerprint;
use crate::http::request::backend::memory;
use crate::http::request::body::CSV_LIMIT;
use crate::http::request::messages::of_form;
use crate::http::share::Memory;
use actix_multipart::Multipart;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use bootledger_aggregates::rules::Rule;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::{FutureExt, LocalBoxFuture};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Time limit for the next part of a file.
const PATIENCE: Duration = Duration::from_secs(30);
/// Maximum number of fields beside the file; a form has only a few.
const FIELDS: usize = 50;

/// The parts of a form: names and contents; the content of a file is its bytes.
#[derive(Debug, Default)]
pub(super) struct Upload {
    parts: Vec<(String, Bytes)>,
    /// The part of the caller's memory that the form fills.
    _memory: Option<Memory>,
}

impl Upload {
    /// A field as text, if it is UTF-8.
    pub(super) fn text(&self, name: &str) -> &str {
        std::str::from_utf8(&self.bytes(name)[..]).unwrap_or_default()
    }

    /// A part's bytes; empty if it was not sent.
    pub(super) fn bytes(&self, name: &str) -> &Bytes {
        static NOTHING: Bytes = Bytes::new();
        self.parts.iter().find(|(known, _)| known == name).map_or(&NOTHING, |(_, bytes)| bytes)
    }

    /// A form with these parts.
    #[cfg(test)]
    pub(super) fn new(parts: Vec<(String, Bytes)>) -> Self {
        Self { parts, _memory: None }
    }
}

impl FromRequest for Upload {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            if !request.content_type().eq_ignore_ascii_case("multipart/form-data") {
                return Err(Error::UnsupportedMediaType("multipart/form-data"));
            }
            let length = request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
            if length.is_some_and(|length| length > CSV_LIMIT) {
                return Err(Error::TooLarge(CSV_LIMIT));
            }
            let upload = read(Multipart::new(request.headers(), payload), memory(&request)).await?;
            let mut hasher = Sha256::new();
            for (name, content) in &upload.parts {
                fingerprint::hash_part(&mut hasher, name, content);
            }
            fingerprint::leave(&request, hasher);
            Ok(upload)
        }
        .boxed_local()
    }
}

async fn read(mut form: Multipart, mut memory: Memory) -> Result<Upload, Error> {
    let broken = |message: String| Error::bad_request("", Rule::FormMalformed, message);
    let slow = |_| Error::TooSlow(PATIENCE.as_secs());
    let (mut parts, mut total) = (vec![], 0_u64);
    while let Some(field) = tokio::time::timeout(PATIENCE, form.next()).await.map_err(slow)? {
        let mut field = field.map_err(|error| broken(of_form(&error)))?;
        let name = field.name().unwrap_or_default().to_owned();
        let mut content = BytesMut::new();
        while let Some(part) = tokio::time::timeout(PATIENCE, field.next()).await.map_err(slow)? {
            let part = part.map_err(|error| broken(of_form(&error)))?;
            total += part.len() as u64;
            if total > CSV_LIMIT {
                return Err(Error::TooLarge(CSV_LIMIT));
            }
            memory.grow(usize::try_from(total).unwrap_or(usize::MAX)).await?;
            content.extend_from_slice(&part);
        }
        if parts.len() == FIELDS {
            return Err(broken(format!("the form has more than {FIELDS} fields")));
        }
        parts.push((name, content.freeze()));
    }
    Ok(Upload { parts, _memory: Some(memory) })
}
