//! The fingerprint of a request that arrived: the extractors of bodies hash the bytes while they read them.

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use bootledger_port::fingerprint::Fingerprint;
use sha2::{Digest, Sha256};

/// The fingerprint of a request whose body an extractor has read. A request without a body has the hash of no bytes.
pub(crate) fn of_request(request: &HttpRequest) -> Fingerprint {
    let mut content_type = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    // A browser generates another boundary each time. The parts themselves are hashed.
    if content_type.starts_with(b"multipart/form-data") {
        content_type = b"multipart/form-data";
    }
    let body = request.extensions().get::<BodyHash>().map_or_else(|| Sha256::digest(b"").into(), |hash| hash.0);
    Fingerprint::with_hash(request.method().as_str(), request.path(), request.query_string(), content_type, body)
}

/// The SHA-256 of a request's body. The extractors of bodies store it in the request.
struct BodyHash([u8; 32]);

/// Stores the hash of a body in its request.
pub(crate) fn leave(request: &HttpRequest, hasher: Sha256) {
    request.extensions_mut().insert(BodyHash(hasher.finalize().into()));
}

/// Hashes a part of a multipart form: its name and its bytes.
pub(crate) fn hash_part(hasher: &mut Sha256, name: &str, content: &[u8]) {
    for part in [name.as_bytes(), content] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_request_is_hashed_as_it_arrived_but_for_a_browsers_boundary() {
        let post = |content_type: &str, body: &[u8]| {
            let request = TestRequest::post().uri("/a?b=%20c").insert_header(("content-type", content_type)).to_http_request();
            leave(&request, Sha256::new_with_prefix(body));
            of_request(&request)
        };
        assert_eq!(post("text/csv", b"x"), Fingerprint::of("POST", "/a", "b=%20c", b"text/csv", b"x"));
        assert_eq!(post("multipart/form-data; boundary=1", b"x"), post("multipart/form-data; boundary=2", b"x"));
        assert_ne!(post("text/csv", b"x"), post("text/csv", b"y"));
        assert_ne!(post("text/csv", b"x").and(&[1; 32]), post("text/csv", b"x").and(&[2; 32]));
    }
}
