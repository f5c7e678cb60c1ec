//! Access tokens over the API.

use crate::support::{TestSite, sending};
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use bootledger_port::{Command, Receipt, TokenAction};
use bootledger_web::http::auth::token;
use serde_json::json;
use uuid::Uuid;

#[actix_web::test]
async fn a_new_token_is_shown_once_and_only_its_hash_is_passed_on() {
    let site = TestSite::create().await;
    let administrator = site.bearer(TokenScope::Administrator).await;
    let id = Uuid::now_v7();
    site.answer(Ok(Receipt { position: 1, id: id.to_string(), repeated: false }));
    let body = json!({"name": "kea-1's agent", "scope": {"dhcp_server": "kea-1"}});
    let answer = site.request_as(&administrator, sending(TestRequest::post().uri("/api/v1/tokens"), &body)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let (read, secret) = token::parse(answer.json()["bearer"].as_str().expect("a text")).expect("a token");
    assert_eq!(read.0, id);
    let requested = site.domain.requested.lock().expect("no panic");
    let [(Command::Token(TokenAction::CreateToken { secret_sha256, scope, .. }), _)] = requested.as_slice() else {
        panic!("{requested:?}")
    };
    assert_eq!((*secret_sha256, scope), (secret.sha256(), &TokenScope::DhcpServer("kea-1".parse().expect("a name"))));
}

#[actix_web::test]
async fn tokens_are_listed_without_secrets_and_take_no_idempotency_key() {
    let site = TestSite::create().await;
    let (id, administrator) = site.token(TokenScope::Administrator, None).await;
    let answer = site.request_as(&administrator, TestRequest::get().uri("/api/v1/tokens")).await;
    let item = &answer.json()["items"][0];
    assert_eq!((&item["id"], &item["name"], &item["revoked"]), (&json!(id), &json!("ops"), &json!(false)), "{answer:?}");
    let body = json!({"name": "x", "scope": "viewer"});
    let request = sending(TestRequest::post().uri("/api/v1/tokens"), &body).insert_header(("idempotency-key", "1"));
    assert_eq!(site.request_as(&administrator, request).await.problem().0, 422);
    let late = json!({"name": "x", "scope": "viewer", "expires": "2020-01-01T00:00:00Z"});
    let request = sending(TestRequest::post().uri("/api/v1/tokens"), &late);
    assert_eq!(site.request_as(&administrator, request).await.problem().0, 422);
}
