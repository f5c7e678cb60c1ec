//! Extractor for the query of a URL. An unknown parameter is refused: a misspelt filter must not return everything.

use super::messages::{listed, near, plain, quoted, with_value};
use crate::http::error::Error;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::shortened;
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// The parameters of a request, parsed as a type that should deny unknown fields. `at` is read elsewhere.
#[derive(Clone, Debug)]
pub struct Parameters<T>(pub T);

/// The parameter that every request for a snapshot accepts.
pub(crate) const AT: &str = "at";

/// The parameter that makes a request a dry run: the change is only checked.
pub(crate) const DRY_RUN: &str = "dry_run";

/// The decoded names and values of a query. None contains the character NUL, which PostgreSQL cannot store in a text.
pub(crate) fn pairs(query: &str) -> Result<Vec<(String, String)>, Error> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
        .map_err(|error| Error::bad_request("", Rule::QueryMalformed, format!("the query cannot be read: {error}")))?;
    if let Some((name, _)) = pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
        let message = format!("{}: the character NUL is not allowed", name.replace('\0', ""));
        return Err(Error::bad_request("", Rule::ParameterMalformed, message));
    }
    for once in [AT, DRY_RUN] {
        if pairs.iter().filter(|(name, _)| name == once).count() > 1 {
            return Err(Error::bad_request(once, Rule::ParameterMalformed, format!("{once}: it was sent twice; send it once")));
        }
    }
    Ok(pairs)
}

/// Parses parameters as a type. Parameters without a value come from forms with empty fields, and are left out.
pub(crate) fn read_filled<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T, Error> {
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty());
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(filled).finish();
    read(&text)
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, Error> {
    let mut kept = pairs(query)?;
    kept.retain(|(name, _)| name != AT);
    let text = serde_urlencoded::to_string(&kept).map_err(|error| Error::Internal(error.into()))?;
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    T::deserialize(serde_path_to_error::Deserializer::new(deserializer, &mut track)).map_err(|error| {
        let place = track.path().to_string();
        refused(if place == "." { "" } else { &place }, &error.to_string(), &kept)
    })
}

/// The error for an unknown parameter.
pub(crate) fn unknown(name: &str, known: &[&str]) -> Error {
    let message = match known {
        [] => format!("{name}: unknown parameter; this path has no parameters"),
        known => {
            format!("{name}: unknown parameter; the parameters are {}{}", listed(known, "and"), near(name, known.iter().copied()))
        }
    };
    Error::bad_request(name, Rule::ParameterUnknown, shortened(message))
}

/// Turns serde's error about a parameter into an error with the parameter's name, the expected value, and the actual value
/// unless the message contains it already.
fn refused(name: &str, error: &str, pairs: &[(String, String)]) -> Error {
    let names = quoted(error);
    let (name, message) = match names[..] {
        [other, ref known @ ..] if error.starts_with("unknown field") => return unknown(other, known),
        [missing, ..] if error.starts_with("missing field") => (missing, "it is missing".to_owned()),
        [repeated, ..] if error.starts_with("duplicate field") => (repeated, "it was sent twice; send it once".to_owned()),
        [wrong, ref known @ ..] if error.starts_with("unknown variant") => {
            (name, format!("{wrong:?} is not one of {}{}", listed(known, "and"), near(wrong, known.iter().copied())))
        }
        _ => (name, with_value(&plain(error), pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()))),
    };
    let message = if name.is_empty() { message } else { format!("{name}: {message}") };
    Error::bad_request(name, Rule::ParameterMalformed, shortened(message))
}

impl<T: DeserializeOwned> FromRequest for Parameters<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request.query_string()).map(Self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::values::mac_address::MacAddress;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Filter {
        mac: Option<MacAddress>,
        verified: Option<bool>,
        q: Option<String>,
        limit: Option<u32>,
    }

    #[test]
    fn parameters_are_read_as_their_types() {
        let filter: Filter = read("mac=525400123456&verified=true&q=a%20%26b&limit=7&at=12").expect("parameters");
        assert_eq!(filter.mac.map(|mac| mac.to_string()).as_deref(), Some("52:54:00:12:34:56"));
        assert_eq!((filter.verified, filter.q.as_deref(), filter.limit), (Some(true), Some("a &b"), Some(7)));
        assert_eq!(read::<Filter>("").expect("none"), Filter::default());
    }

    #[test]
    fn characters_that_the_database_cannot_store_are_refused() {
        let problem = read::<Filter>("q=a%00b").expect_err("a NUL").problem();
        assert_eq!((problem.status, problem.errors[0].rule.as_str()), (400, "parameter_malformed"), "{}", problem.detail);
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        for (query, field) in
            [("mac=x", "mac"), ("limit=many", "limit"), ("verified=perhaps", "verified"), ("stauts=open", "stauts")]
        {
            let problem = read::<Filter>(query).expect_err(query).problem();
            assert_eq!((problem.status, problem.errors[0].field.as_str()), (400, field), "{}", problem.detail);
            assert!(problem.detail.contains(field), "{}", problem.detail);
        }
    }

    #[test]
    fn a_refusal_has_the_value_once_and_no_words_of_rust() {
        let detail = |query: &str| read::<Filter>(query).expect_err(query).problem().detail;
        let queries =
            ["limit=many", "limit=99999999999", "verified=perhaps", "limti=1", "q=a&q=b", "at=1&at=2", "mac=x", "q=a%00b"];
        insta::assert_snapshot!("refused_parameters", queries.map(detail).join("\n"));
        let long = detail(&format!("mac={}", "x".repeat(5000)));
        assert!(long.len() < 300 && long.matches("xxx\u{2026}").count() == 1, "{long}");
    }
}
