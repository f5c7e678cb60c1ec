//! One extractor after another. actix polls all extractors of a handler together, so that a body is read while the database
//! is still asked about the caller: the order of a handler's arguments alone does not put a check before a body.

use crate::error::Error;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures::future::{FutureExt, LocalBoxFuture};

/// What `First` gives, then what `Second` gives; the body is `Second`'s alone, and not touched where `First` fails.
#[derive(Clone, Debug)]
pub(crate) struct After<First, Second>(pub(crate) First, pub(crate) Second);

impl<First, Second> FromRequest for After<First, Second>
where
    First: FromRequest<Error = Error>,
    Second: FromRequest<Error = Error>,
{
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        async move {
            let first = First::from_request(&request, &mut Payload::None).await?;
            let second = Second::from_request(&request, &mut payload).await?;
            Ok(Self(first, second))
        }
        .boxed_local()
    }
}
