//! A file and its revision: the SHA-256 of its bytes, which is also its entity tag (RFC 9110, 8.8.3).

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderValue, IF_NONE_MATCH};
use bootledger_aggregates::values::sha256::Sha256;
use bytes::Bytes;
use sha2::Digest;

/// Bytes that never change, with their hash.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    /// The bytes of the file.
    pub(crate) bytes: Bytes,
    /// The hash of the bytes.
    pub(crate) sha256: Sha256,
    /// The hash in quotes, for the header `ETag`.
    pub(crate) tag: HeaderValue,
}

impl Revision {
    /// The revision of a text.
    pub(crate) fn of(text: String) -> Self {
        let sha256 = Sha256::new(sha2::Sha256::digest(text.as_bytes()).into());
        // Hexadecimal digits in quotes are always a valid header value.
        let tag = HeaderValue::from_str(&format!("\"{sha256}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Self { bytes: Bytes::from(text), sha256, tag }
    }

    /// Whether the request states that the client has these bytes (RFC 9110, 13.1.2).
    pub(crate) fn is_held_by(&self, request: &HttpRequest) -> bool {
        let held = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
        let mut tags = held.flat_map(|value| value.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == self.tag.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_client_names_what_it_holds_in_any_way_that_http_allows() {
        let revision = Revision::of("good".to_owned());
        let hash = "770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c";
        let tag = format!("\"{hash}\"");
        let held =
            |value: &str| revision.is_held_by(&TestRequest::default().insert_header(("if-none-match", value)).to_http_request());
        assert!(held(&tag) && held(&format!("W/{tag}")) && held(&format!("\"x\", {tag}")) && held("*"));
        assert!(!held("\"x\"") && !held(hash) && !held(""));
        assert!(!revision.is_held_by(&TestRequest::default().to_http_request()));
    }
}
