//! The query of a URL. An unknown parameter is refused: a misspelt filter must not answer with everything.

use crate::error::Error;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// The parameters of a request as a type that should deny unknown fields. `at` is read elsewhere.
#[derive(Clone, Debug)]
pub struct Parameters<T>(pub T);

/// The parameter that every reading takes.
pub(crate) const AT: &str = "at";

/// The parameter that has a change only weighed.
pub(crate) const DRY_RUN: &str = "dry_run";

/// The names and values of a query, decoded. None has the character NUL, which no text of the database can have.
pub(crate) fn pairs(query: &str) -> Result<Vec<(String, String)>, Error> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
        .map_err(|error| Error::bad_request("", "query_malformed", format!("the query cannot be read: {error}")))?;
    if let Some((name, _)) = pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
        let message = format!("{}: the character NUL is part of no text here", name.replace('\0', ""));
        return Err(Error::bad_request("", "parameter_malformed", message));
    }
    Ok(pairs)
}

/// Parameters as a type; those without a value are those of a form that was sent with empty fields, and left out.
pub(crate) fn read_filled<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T, Error> {
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty());
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(filled).finish();
    read(&text)
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, Error> {
    let mut kept = pairs(query)?;
    kept.retain(|(name, _)| name != AT);
    let text = serde_urlencoded::to_string(&kept).map_err(|error| Error::Internal(error.into()))?;
    let malformed = |name: &str, error: String| {
        let message = if name.is_empty() || error.contains(&format!("`{name}`")) { error } else { format!("{name}: {error}") };
        Error::bad_request(name, "parameter_malformed", message)
    };
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    T::deserialize(serde_path_to_error::Deserializer::new(deserializer, &mut track)).map_err(|error| {
        let place = track.path().to_string();
        malformed(if place == "." { "" } else { &place }, error.to_string())
    })
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
    fn what_no_text_of_the_database_can_have_is_refused() {
        let problem = read::<Filter>("q=a%00b").expect_err("a NUL").problem();
        assert_eq!((problem.status, problem.detail.contains("q: the character NUL")), (400, true), "{}", problem.detail);
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
}
