//! Which callers the gate admits where.

use crate::support::{TestSite, now, sending};
use actix_web::dev::Service;
use actix_web::http::Method;
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use serde_json::{Value, json};
use uuid::Uuid;

/// Every operation of the description: method and a path with its variables filled in.
fn operations() -> Vec<(Method, String)> {
    let document = serde_json::to_value(bootledger_web::server::openapi::document()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").clone();
    let methods = ["get", "put", "post", "patch", "delete"];
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("an item");
        methods.into_iter().filter(|method| item.contains_key(*method)).map(|method| {
            let id = Uuid::nil().to_string();
            let parts = path.split('/').map(|part| match part {
                "{id}" => id.as_str(),
                variable if variable.starts_with('{') => "dc1",
                part => part,
            });
            let path = parts.collect::<Vec<_>>().join("/");
            (method.to_uppercase().parse().expect("a method"), path)
        })
    });
    all.collect()
}

fn request(method: &Method, path: &str) -> TestRequest {
    sending(TestRequest::with_uri(path).method(method.clone()), &json!({}))
}

#[actix_web::test]
async fn every_route_of_the_api_requires_a_token() {
    let site = TestSite::create().await;
    let mut requested = 0;
    for (method, path) in operations().iter().filter(|(_, path)| path.starts_with("/api/")) {
        let (status, problem) = site.request(request(method, path)).await.problem();
        assert_eq!(status, 401, "{method} {path}: {problem}");
        requested += 1;
    }
    assert!(requested > 40, "only {requested} routes");
}

#[actix_web::test]
async fn a_viewer_changes_nothing() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    // Booting servers have no role: the authorisation matrix covers their access.
    let of_machines = |path: &str| path.starts_with("/pxe/");
    for (method, path) in operations().iter().filter(|(method, path)| *method != Method::GET && !of_machines(path)) {
        let (status, problem) = site.request_as(&viewer, request(method, path)).await.problem();
        assert_eq!(status, 403, "{method} {path}: {problem}");
    }
    // The gate refuses before a route is looked up, so that a route whose handler requires no role is closed too.
    assert_eq!(site.request_as(&viewer, request(&Method::POST, "/api/v1/nothing")).await.status, 403);
    assert!(site.domain.requested.lock().expect("no panic").is_empty());
}

#[actix_web::test]
async fn an_operator_does_not_change_the_catalogue_or_see_tokens() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    let free = ["devices", "deployments", "imports", "bulk-actions"].map(|noun| format!("/api/v1/{noun}"));
    let for_administrators = |method: &Method, path: &str| {
        let open = free.iter().any(|noun| path.starts_with(noun)) || path.contains("/drift/") || path.contains("/reservations");
        ["/api/v1/secrets", "/api/v1/tokens", "/api/v1/users"].iter().any(|noun| path.starts_with(noun))
            || path.ends_with("/unlock")
            || *method != Method::GET && !open
    };
    let mut refused = 0;
    for (method, path) in operations().iter().filter(|(_, path)| path.starts_with("/api/v1/")) {
        let answer = site.request_as(&operator, request(method, path)).await;
        assert_eq!(answer.status == 403, for_administrators(method, path), "{method} {path}: {answer:?}");
        refused += usize::from(answer.status == 403);
    }
    assert!(refused >= 16, "only {refused} routes");
    assert!(site.domain.requested.lock().expect("no panic").len() < 20);
}

#[actix_web::test]
async fn every_described_route_exists() {
    let site = TestSite::create().await;
    let administrator = site.bearer(TokenScope::Administrator).await;
    for (method, path) in operations() {
        let answer = site.request_as(&administrator, request(&method, &path)).await;
        assert_ne!(answer.status, 405, "{method} {path}");
        assert!(!answer.text.contains("there is nothing at this path"), "{method} {path}: {answer:?}");
        assert!(!answer.status.is_server_error(), "{method} {path}: {answer:?}");
    }
}

#[actix_web::test]
async fn the_token_of_a_dhcp_server_reads_nothing() {
    let site = TestSite::create().await;
    let agent = site.bearer(TokenScope::DhcpServer("kea-1".parse().expect("a name"))).await;
    let (status, problem) = site.request_as(&agent, TestRequest::get().uri("/api/v1/devices")).await.problem();
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().expect("words").contains("viewer"), "{problem}");
}

#[actix_web::test]
async fn no_spelling_of_a_path_gets_around_the_gate() {
    let site = TestSite::create().await;
    for path in [
        "/%61pi/v1/devices",
        "/api/v1/%64evices",
        "/api/v1/devices?at=1",
        "/api/docs/../v1/devices",
        "//api/v1/devices",
        "/API/v1/devices",
        "/sign-in/../api/v1/devices",
        "/assets/%2e%2e/api/v1/devices",
    ] {
        let answer = site.request(TestRequest::get().uri(path)).await;
        assert!(matches!(answer.status.as_u16(), 401 | 404), "{path}: {answer:?}");
        assert!(!answer.text.contains("items"), "{path}: {answer:?}");
    }
}

#[actix_web::test]
async fn a_token_that_is_unknown_wrong_revoked_or_expired_is_refused() {
    let site = TestSite::create().await;
    let (id, good) = site.token(TokenScope::Viewer, Some(now().plus_seconds(3600))).await;
    let (_, over) = site.token(TokenScope::Viewer, Some(now().plus_seconds(-1))).await;
    let request = |bearer: String| {
        let site = &site;
        async move { site.request_as(&bearer, TestRequest::get().uri("/api/v1/devices")).await }
    };
    assert_eq!(request(good.clone()).await.status, 200);
    let wrong_secret = bootledger_web::http::auth::token::Secret::random().bearer(id);
    let unknown = wrong_secret.replace(&id.0.simple().to_string(), &Uuid::now_v7().simple().to_string());
    for bearer in [over, wrong_secret, unknown, good[..good.len() - 1].to_owned()] {
        let answer = request(bearer.clone()).await;
        assert_eq!(answer.problem().0, 401, "{bearer}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
    }
    site.append("token", &id.to_string(), json!({"type": "TokenRevoked"})).await;
    let (status, problem) = request(good).await.problem();
    assert_eq!(
        (status, problem["detail"].as_str()),
        (401, Some("the token was revoked; request a new one from an administrator"))
    );
}

#[actix_web::test]
async fn a_token_that_was_valid_a_moment_ago_ends_with_its_revocation() {
    let site = TestSite::create().await;
    let (id, bearer) = site.token(TokenScope::Viewer, None).await;
    let service = site.start().await;
    let status = async || {
        let request = TestRequest::get().uri("/api/v1/devices").insert_header(("authorization", format!("Bearer {bearer}")));
        service.call(request.to_request()).await.expect("an answer").status().as_u16()
    };
    assert_eq!((status().await, status().await), (200, 200));
    site.append("token", &id.to_string(), json!({"type": "TokenRevoked"})).await;
    assert_eq!(status().await, 401);
}

#[actix_web::test]
async fn no_caller_is_admitted_while_the_database_is_unavailable() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    site.close_database().await;
    let answer = site.request_as(&bearer, TestRequest::get().uri("/api/v1/devices")).await;
    let (status, problem): (u16, Value) = answer.problem();
    assert_eq!((status, answer.header("retry-after")), (503, "2"), "{problem}");
}
