//! Extractors for the body of a request. A body is read whole, up to a size limit and within a time limit, so that neither a
//! large nor a slow client can hold on to memory.

mod shape;
mod strict;
mod values;

use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::fingerprint;
use crate::http::request::backend::memory;
use crate::http::request::invisible_characters;
use crate::http::request::messages::plain;
use crate::http::share::Memory;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::shortened;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::{FutureExt, LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;
use strict::Malformed;
use utoipa::ToSchema;

/// Maximum size of a JSON body, in bytes.
pub const JSON_LIMIT: u64 = 1024 * 1024;
/// Maximum size of a CSV file, in bytes.
pub const CSV_LIMIT: u64 = 128 * 1024 * 1024;
/// Maximum size of a YAML body, in bytes: enough for a Puppet report about several thousand resources.
pub const YAML_LIMIT: u64 = 8 * 1024 * 1024;
/// Maximum nesting of lists and objects in JSON and YAML. The API's own types have fewer than ten levels.
pub const JSON_DEPTH: usize = 32;
/// Time limit for a JSON body, or for the next part of a file.
const PATIENCE: Duration = Duration::from_secs(30);

/// A JSON body, parsed as a type. The answer is 400 if the body is not JSON, 415 if its content type is not JSON, and 422 if a
/// value is refused.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

/// A JSON body, or the type's default if the body is empty.
#[derive(Clone, Debug)]
pub struct OptionalJson<T>(pub T);

/// The bytes of a YAML body.
#[derive(Clone, Debug)]
pub struct Yaml(pub Bytes);

/// The bytes of a CSV file, and the part of its caller's memory that they fill.
#[derive(Debug)]
pub struct Csv(pub Bytes, pub(crate) Memory);

/// The charset of a content type, in lower case.
fn charset(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    })
}

async fn read(request: &HttpRequest, mut payload: Payload, limit: u64) -> Result<(Bytes, Memory), Error> {
    let encoding = request.headers().get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Error::Encoded);
    }
    let length = request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(Error::TooLarge(limit));
    }
    let mut body = BytesMut::with_capacity(usize::try_from(length.unwrap_or(0)).unwrap_or(0).min(64 * 1024));
    let (mut hasher, mut memory) = (Sha256::new(), memory(request));
    while let Some(part) = tokio::time::timeout(PATIENCE, payload.next()).await.map_err(|_| Error::TooSlow(PATIENCE.as_secs()))? {
        let part = part.map_err(|error| Error::bad_request("", Rule::BodyBroken, format!("the body ended early: {error}")))?;
        if (body.len() + part.len()) as u64 > limit {
            return Err(Error::TooLarge(limit));
        }
        memory.grow(body.len() + part.len()).await?;
        hasher.update(&part);
        body.extend_from_slice(&part);
    }
    fingerprint::leave(request, hasher);
    Ok((body.freeze(), memory))
}

async fn read_json(request: &HttpRequest, payload: Payload) -> Result<Bytes, Error> {
    read_in_time(request, payload, JSON_LIMIT).await
}

/// Reads the body of a form, up to the size limit of JSON.
pub(crate) async fn read_form(request: &HttpRequest, payload: Payload) -> Result<Bytes, Error> {
    read_in_time(request, payload, JSON_LIMIT).await
}

async fn read_in_time(request: &HttpRequest, payload: Payload, limit: u64) -> Result<Bytes, Error> {
    let all = read(request, payload, limit);
    let read = tokio::time::timeout(PATIENCE, all).await.map_err(|_| Error::TooSlow(PATIENCE.as_secs()))?;
    read.map(|(body, _)| body)
}

fn parse<T: DeserializeOwned + ToSchema + 'static>(request: &HttpRequest, body: &[u8]) -> Result<T, Error> {
    let kind = request.content_type().to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
        return Err(Error::UnsupportedMediaType("application/json"));
    }
    let charset = request.headers().get(CONTENT_TYPE).and_then(|value| charset(value.to_str().ok()?));
    if charset.is_some_and(|charset| !["utf-8", "utf8", "us-ascii"].contains(&charset.as_str())) {
        return Err(Error::UnsupportedMediaType("application/json in UTF-8"));
    }
    let value = value_of(body)?;
    let parsed = typed(&value)?;
    // Reports of agents quote other programs, and are kept with any characters that they contain.
    if request.path().starts_with("/api/")
        && let Some((field, message)) = invisible_characters::found(&value)
    {
        let message = if field.is_empty() { message } else { format!("{field}: {message}") };
        return Err(Error::rejected(&field, Rule::InvisibleCharacter, message));
    }
    Ok(parsed)
}

/// Refuses JSON that is nested too deeply. This runs before any recursive parser reads it.
pub(crate) fn check_depth(body: &[u8]) -> Result<(), Error> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > JSON_DEPTH {
                    let message = format!(
                        "lists and objects in the body are nested more than {JSON_DEPTH} levels deep; send a flatter body"
                    );
                    return Err(Error::bad_request("", Rule::JsonTooDeep, message));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Parses a body in two steps: as JSON, and then as a type, according to the type's description ([`shape`]).
#[cfg(test)]
pub(crate) fn parse_json<T: DeserializeOwned + ToSchema + 'static>(body: &[u8]) -> Result<T, Error> {
    typed(&value_of(body)?)
}

/// Describes why a text is not JSON, and where the error is.
pub(crate) fn malformed(body: &[u8], error: &serde_json::Error) -> String {
    strict::in_words(body, error)
}

/// Parses a body as JSON.
fn value_of(body: &[u8]) -> Result<Value, Error> {
    check_depth(body)?;
    strict::read(body).map_err(|error| match error {
        Malformed::Repeated(field) => {
            let message = format!("{field}: the field was sent twice; send it once");
            Error::bad_request(&field, Rule::FieldRepeated, message)
        }
        Malformed::Syntax(error) => Error::bad_request("", Rule::JsonMalformed, strict::in_words(body, &error)),
    })
}

/// Converts JSON to a type.
fn typed<T: DeserializeOwned + ToSchema + 'static>(value: &Value) -> Result<T, Error> {
    let shape = shape::of::<T>();
    match serde_path_to_error::deserialize(value) {
        Ok(parsed) => match shape.unknown(value) {
            unknown if unknown.is_empty() => Ok(parsed),
            unknown => Err(rejected(unknown)),
        },
        Err(error) => {
            let mut reasons = shape.errors(value);
            if reasons.is_empty() {
                let path = error.path().to_string();
                let field = if path == "." { "" } else { path.as_str() };
                let place = if field.is_empty() { String::new() } else { format!("{field}: ") };
                let message = format!("{place}{}", shortened(plain(&error.inner().to_string())));
                reasons.push(ProblemError::new(field, Rule::Malformed, message));
            }
            Err(rejected(reasons))
        }
    }
}

fn rejected(reasons: Vec<ProblemError>) -> Error {
    let total = reasons.len();
    Error::Rejected { reasons, total }
}

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move { parse(&request, &read_json(&request, payload).await?).map(Self) }.boxed_local()
    }
}

impl<T: DeserializeOwned + ToSchema + Default + 'static> FromRequest for OptionalJson<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            let body = read_json(&request, payload).await?;
            if body.is_empty() { Ok(Self(T::default())) } else { parse(&request, &body).map(Self) }
        }
        .boxed_local()
    }
}

impl FromRequest for Yaml {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            let kind = request.content_type().to_ascii_lowercase();
            // `application/yaml` is from RFC 9512; the others are older.
            if !["application/x-yaml", "application/yaml", "text/x-yaml", "text/yaml"].contains(&kind.as_str()) {
                return Err(Error::UnsupportedMediaType("application/x-yaml"));
            }
            read_in_time(&request, payload, YAML_LIMIT).await.map(Self)
        }
        .boxed_local()
    }
}

impl FromRequest for Csv {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            if !request.content_type().eq_ignore_ascii_case("text/csv") {
                return Err(Error::UnsupportedMediaType("text/csv"));
            }
            read(&request, payload, CSV_LIMIT).await.map(|(body, memory)| Self(body, memory))
        }
        .boxed_local()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use bootledger_port::NewDeployment;

    fn refusal(body: &str) -> (u16, String, String, String) {
        let problem = parse_json::<NewDeployment>(body.as_bytes()).expect_err(body).problem();
        let error = &problem.errors[0];
        (problem.status, error.rule.clone(), error.field.clone(), problem.detail)
    }

    #[test]
    fn a_value_that_breaks_a_rule_is_reported_with_its_field() {
        let (status, rule, field, detail) = refusal(r#"{"device": "0192f0c0-0000-7000-8000-000000000001", "mac": "5254"}"#);
        assert_eq!((status, rule.as_str(), field.as_str()), (422, "malformed", "mac"), "{detail}");
        let (status, rule, field, detail) = refusal(r#"{"device": "0192f0c0-0000-7000-8000-000000000001", "mca": "5254"}"#);
        assert_eq!((status, rule.as_str(), field.as_str()), (422, "unknown_field", "mca"));
        assert!(detail.contains("\"mac\""), "{detail}");
    }

    #[test]
    fn a_body_that_is_not_json_is_refused_with_the_line_of_the_error() {
        for body in ["", "\u{feff}{}", "{", "mac=1", "{} {}"] {
            let (status, rule, _, detail) = refusal(body);
            assert_eq!((status, rule.as_str()), (400, "json_malformed"), "{body:?}");
            assert!(detail.contains("line 1") || !body.is_ascii() || body.is_empty(), "{detail}");
        }
    }

    #[test]
    fn json_that_nests_too_deep_is_refused_with_the_limit_before_it_is_parsed() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(check_depth(nested(JSON_DEPTH).as_bytes()).is_ok());
        for (body, field) in [(nested(JSON_DEPTH + 1), 400), ("{\"a\":".repeat(100_000), 400)] {
            let problem = parse_json::<NewDeployment>(body.as_bytes()).expect_err("too deep").problem();
            assert_eq!((problem.status, problem.errors[0].rule.as_str()), (field, "json_too_deep"));
            assert!(problem.detail.contains("32 levels"), "{}", problem.detail);
        }
        let flat = format!("[{}]", vec!["{}"; 1000].join(","));
        assert!(check_depth(flat.as_bytes()).is_ok(), "what is beside each other is not inside each other");
        let text = format!(r#"{{"a": "{}\"{}"}}"#, "[".repeat(50), "{".repeat(50));
        assert!(check_depth(text.as_bytes()).is_ok(), "brackets of a text do not nest");
    }

    #[actix_web::test]
    async fn a_body_over_the_limit_is_refused_before_it_is_all_read() {
        let (request, payload) = TestRequest::default().set_payload(vec![b' '; 2048]).to_http_parts();
        let error = read(&request, payload, 1024).await.expect_err("too large");
        assert_eq!(error.problem().status, 413);
    }
}
