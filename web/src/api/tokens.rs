//! Routes for access tokens. A token's secret is returned once, when the token is created, and never again.

use crate::api::catalogue::{CatalogueQuery, page};
use crate::http::application::Application;
use crate::http::auth::caller::{Administrator, Auditor};
use crate::http::auth::token::Secret;
use crate::http::error::Error;
use crate::http::request::answer::{Change, Shown};
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::page::Page;
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use crate::http::request::snapshot::{Snapshot, name_position};
use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{Command, TokenAction};
use bootledger_projections::rows::catalogue::{self, Item, TokenView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/tokens").get(index).post(create))
        .service(resource("/api/v1/tokens/{id}").get(show).delete(revoke));
}

/// A token, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenAnswer {
    /// The ID of the token.
    id: String,
    /// Whether the token is revoked.
    revoked: bool,
    #[serde(flatten)]
    token: TokenView,
}

impl TokenAnswer {
    fn of(item: Item) -> Result<Self, Error> {
        let token = serde_json::from_value(item.spec).map_err(bootledger_projections::Error::from)?;
        Ok(Self { id: item.key, revoked: item.retired, token })
    }
}

/// A token to create.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// The token's name. Events name the actor by it.
    name: Text,
    /// What the token allows: `viewer`, `operator`, `administrator`, `puppet_reports`, or `{"dhcp_server": "kea-1"}`.
    scope: TokenScope,
    /// When the token expires. If this is left out, it never expires.
    expires: Option<Timestamp>,
}

/// A new token with its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenMade {
    /// The ID of the token.
    id: TokenId,
    /// The value for `Authorization: Bearer`. It is shown only in this response.
    #[schema(example = "bl_0192f0c000007000800000000000000a_9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    bearer: String,
    /// The token's name.
    name: Text,
    /// What the token allows.
    scope: TokenScope,
    /// When the token expires; null if it never does.
    expires: Option<Timestamp>,
}

/// Lists tokens without their secrets, including revoked ones.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(CatalogueQuery),
    responses((status = 200, body = Page<TokenAnswer>)))]
pub(crate) async fn index(
    _: Auditor,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let Page { items, next } = page("token", &query, &mut snapshot).await?;
    let items = items.into_iter().map(TokenAnswer::of).collect::<Result<Vec<_>, _>>()?;
    Ok(snapshot.answer(&Page { items, next }))
}

async fn find(snapshot: &mut Snapshot<'_>, id: TokenId) -> Result<TokenAnswer, Error> {
    let at = snapshot.at;
    let item = catalogue::find(snapshot.connection(), "token", &id.to_string(), at).await?;
    TokenAnswer::of(item.ok_or_else(|| Error::NotFound(format!("there is no token {id}")))?)
}

/// Returns one token without its secret.
#[utoipa::path(get, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = TokenId, Path, description = "The token")),
    responses((status = 200, body = TokenAnswer)))]
pub(crate) async fn show(_: Auditor, Path(id): Path<TokenId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let body = find(&mut snapshot, id).await?;
    Ok(snapshot.answer(&body))
}

/// Creates a token. The response contains its secret, which is not stored and cannot be shown again.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = NewToken, responses((status = 201, body = TokenMade)))]
pub(crate) async fn create(
    caller: Administrator,
    application: Data<Application>,
    mut backend: Backend,
    Json(new): Json<NewToken>,
) -> Result<HttpResponse, Error> {
    if caller.idempotency_key().is_some() {
        let message = "a secret is shown only once, so this request cannot be repeated; remove the idempotency key. If the response was lost, revoke the token and create another";
        return Err(Error::rejected("Idempotency-Key", Rule::IdempotencyKeyNotTaken, message));
    }
    if new.expires.is_some_and(|end| end <= (application.now)()) {
        return Err(Error::rejected("expires", Rule::ExpiresInPast, "the token would already be expired; choose a later time"));
    }
    let secret = Secret::random();
    let command = Command::Token(TokenAction::CreateToken {
        name: new.name.clone(),
        scope: new.scope.clone(),
        expires: new.expires,
        secret_sha256: secret.sha256(),
    });
    let receipt = backend.execute(command, caller.context()).await?;
    let id: TokenId = receipt.id.parse().map_err(|error| Error::Internal(anyhow::Error::new(error)))?;
    let shown = backend.reach(receipt.position).await;
    let body = TokenMade { id, bearer: secret.bearer(id), name: new.name, scope: new.scope, expires: new.expires };
    let mut response = HttpResponse::Created().insert_header((LOCATION, format!("/api/v1/tokens/{id}"))).json(body);
    if shown {
        name_position(&mut response, receipt.position);
    }
    Ok(response)
}

/// Revokes a token immediately.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = TokenId, Path, description = "The token")),
    responses((status = 200, body = TokenAnswer)))]
pub(crate) async fn revoke(caller: Administrator, mut backend: Backend, Path(id): Path<TokenId>) -> Result<HttpResponse, Error> {
    let change = Change::make(&mut backend, &caller, Command::Token(TokenAction::RevokeToken(id))).await?;
    match change.shown(&mut backend).await {
        Shown::Now(mut snapshot) => {
            let body = find(&mut snapshot, id).await?;
            Ok(change.answer(snapshot, &body))
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}
