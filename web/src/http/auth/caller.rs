//! Extractors with which a handler declares the role that it needs. Each provides the [`Context`] for commands.

use super::principal::Principal;
use crate::http::edge::correlation;
use crate::http::error::Error;
use crate::http::fingerprint;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::setting::SettingValue;
use bootledger_port::Context;
use bootledger_port::fingerprint::IdempotencyKey;
use futures::future::{FutureExt, LocalBoxFuture};

/// A caller with the role that the handler requires.
#[derive(Clone)]
pub struct Caller {
    /// The authenticated user or token.
    pub principal: Principal,
    correlation_id: String,
    idempotency_key: Option<String>,
    /// The request. It is kept because its body is hashed while it is read, which may be after the caller is known.
    request: HttpRequest,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the request, whose headers contain the caller's secret.
        f.debug_struct("Caller").field("principal", &self.principal).finish_non_exhaustive()
    }
}

impl Caller {
    /// The context for a command of this caller.
    pub fn context(&self) -> Context {
        Context {
            actor: self.principal.actor(),
            correlation_id: self.correlation_id.clone(),
            causation_id: None,
            idempotency_key: self.idempotency_key.clone().map(|key| self.named(key)),
            level: self.principal.level().unwrap_or(Role::Viewer),
        }
    }

    /// The same context with the idempotency key of the request's form.
    pub(crate) fn context_of_form(&self, key: &str) -> Context {
        Context { idempotency_key: Some(self.named(format!("form:{key}"))), ..self.context() }
    }

    fn named(&self, key: String) -> IdempotencyKey {
        IdempotencyKey { key, request: fingerprint::of_request(&self.request) }
    }

    /// The request's `Idempotency-Key`.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    /// Checks whether the caller may set these values. Only an administrator decides where a secret is sent: an operator who
    /// could name any secret on a device could read it in that device's installer.
    ///
    /// # Errors
    /// Returns an error if a value refers to a secret and the caller is not an administrator.
    pub fn require_for<'a>(&self, mut values: impl Iterator<Item = &'a SettingValue>) -> Result<(), Error> {
        if values.any(|value| value.secret().is_some()) { self.principal.require(Role::Administrator) } else { Ok(()) }
    }

    async fn of(request: HttpRequest, needed: Role) -> Result<Self, Error> {
        let principal = Principal::extract(&request).await?;
        principal.require(needed)?;
        let (correlation_id, idempotency_key) = (correlation::of(&request), idempotency_key(&request)?);
        Ok(Self { principal, correlation_id, idempotency_key, request })
    }
}

/// The maximum length of an idempotency key, in characters.
const KEY_LENGTH: usize = 200;

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Error> {
    const NAME: &str = "Idempotency-Key";
    let Some(value) = request.headers().get(NAME) else {
        return Ok(None);
    };
    if request.headers().get_all(NAME).count() > 1 {
        let message = format!("{NAME}: the header was sent twice; send it once");
        return Err(Error::bad_request(NAME, Rule::IdempotencyKeyMalformed, message));
    }
    let visible = |text: &&str| (1..=KEY_LENGTH).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    let key = value.to_str().ok().filter(visible).ok_or_else(|| {
        let message = format!("an idempotency key must have 1 to {KEY_LENGTH} visible ASCII characters without spaces");
        Error::bad_request(NAME, Rule::IdempotencyKeyMalformed, message)
    })?;
    Ok(Some(key.to_owned()))
}

macro_rules! role {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(pub Caller);

        impl FromRequest for $name {
            type Error = Error;
            type Future = LocalBoxFuture<'static, Result<Self, Error>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                Caller::of(request.clone(), Role::$name).map(|caller| caller.map(Self)).boxed_local()
            }
        }

        impl std::ops::Deref for $name {
            type Target = Caller;
            fn deref(&self) -> &Caller {
                &self.0
            }
        }
    };
}

role!(
    /// A caller who may read.
    Viewer
);
role!(
    /// A caller who may also read users, tokens and sessions.
    Auditor
);
role!(
    /// A caller who may register, verify, deploy and cancel.
    Operator
);
role!(
    /// A caller who may change the catalogue, tokens and users.
    Administrator
);

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn key(value: &str) -> Result<Option<String>, Error> {
        idempotency_key(&TestRequest::default().insert_header(("idempotency-key", value)).to_http_request())
    }

    #[test]
    fn an_idempotency_key_is_short_visible_text() {
        assert_eq!(key("order-7/2026:A").expect("a key").as_deref(), Some("order-7/2026:A"));
        assert_eq!(idempotency_key(&TestRequest::default().to_http_request()).expect("none"), None);
        for wrong in ["", "two words", "a\tb", "ä", "x".repeat(201).as_str()] {
            assert!(key(wrong).is_err(), "{wrong:?}");
        }
        let twice = TestRequest::default().append_header(("idempotency-key", "a")).append_header(("idempotency-key", "b"));
        assert!(idempotency_key(&twice.to_http_request()).is_err(), "two keys");
    }
}
