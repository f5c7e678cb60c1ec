//! Extractor for the variables of a path.

use super::messages::{plain, with_value};
use crate::http::error::Error;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::shortened;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// The variables of the path, parsed as a type. The answer is 400 if they do not parse.
#[derive(Clone, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Path<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = web::Path::<T>::from_request(request, payload).into_inner();
        ready(read.map(|path| Self(path.into_inner())).map_err(|error| refused(request, &error.to_string())))
    }
}

/// The error for a path variable, with its value and what was expected.
fn refused(request: &HttpRequest, error: &str) -> Error {
    let variables: Vec<(&str, &str)> = request.match_info().iter().collect();
    let decoded = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
    // Errors contain the value, unless it is empty or too long.
    let named = variables.iter().find(|(_, value)| error.contains(&format!("{:?}", decoded(value))));
    // Errors about IDs and addresses do not contain it.
    let is_of = |name: &str| (name == "id" && error.starts_with("UUID")) || (name == "ip" && error.contains("IPv4"));
    let named = named.or_else(|| variables.iter().find(|(name, _)| is_of(name)));
    let named = named.or_else(|| variables.iter().max_by_key(|(_, value)| value.len()));
    let (name, value) = named.map_or(("path", String::new()), |(name, value)| (*name, decoded(value)));
    let message = with_value(&plain(error), Some(&value));
    Error::bad_request(name, Rule::PathMalformed, shortened(format!("{name}: {message}")))
}
