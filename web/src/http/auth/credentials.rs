//! Reads the header `Authorization`.

use super::token;
use crate::http::error::{Challenge, Error};
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bootledger_aggregates::values::ids::TokenId;

/// The credentials that a request presents. Whether they are valid is not checked yet.
pub(super) struct Presented {
    pub(super) token: TokenId,
    pub(super) secret: token::Secret,
}

/// The token of `Authorization: Bearer` or, for Puppet, of `Basic` with the token as the password.
pub(super) fn read(headers: &HeaderMap, challenge: Challenge) -> Result<Presented, Error> {
    let refuse = |message: &str| Error::Unauthorized { message: message.to_owned(), challenge };
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else {
        return Err(refuse(match challenge {
            Challenge::Bearer => "a token is required: send the header `Authorization: Bearer bl_…`",
            Challenge::Basic => "a token is required: send it as the password of `Basic`, with any name",
        }));
    };
    if values.next().is_some() {
        return Err(refuse("the header Authorization was sent twice; send it once"));
    }
    let text = value.to_str().ok().and_then(|value| value.trim().split_once(' '));
    let text = match text {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => Some(rest.trim().to_owned()),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("basic") && challenge == Challenge::Basic => password(rest.trim()),
        _ => None,
    };
    let parsed = text.as_deref().and_then(token::parse);
    let (token, secret) = parsed.ok_or_else(|| refuse("this is not a token; a token looks like bl_0192…_9f86…"))?;
    Ok(Presented { token, secret })
}

fn password(encoded: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use uuid::Uuid;

    fn read_value(value: &str, challenge: Challenge) -> Result<TokenId, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).expect("a value"));
        read(&headers, challenge).map(|presented| presented.token)
    }

    #[test]
    fn a_bearer_is_read_everywhere_and_a_password_only_for_puppet() {
        let id = TokenId(Uuid::now_v7());
        let text = token::Secret::random().bearer(id);
        let basic = format!("Basic {}", STANDARD.encode(format!("anybody:{text}")));
        assert_eq!(read_value(&format!("bearer  {text}"), Challenge::Bearer).expect("a token"), id);
        assert_eq!(read_value(&format!("Bearer {text}"), Challenge::Basic).expect("a token"), id);
        assert_eq!(read_value(&basic, Challenge::Basic).expect("a token"), id);
        assert!(read_value(&basic, Challenge::Bearer).is_err(), "a browser's password opens the API");
    }

    #[test]
    fn anything_else_is_refused() {
        for value in ["", "Bearer", "Bearer ", "Bearer x", "Basic %%", "Basic Og==", "Digest x", "Token bl_"] {
            assert!(read_value(value, Challenge::Basic).is_err(), "{value:?}");
        }
        assert!(read(&HeaderMap::new(), Challenge::Bearer).is_err());
    }
}
