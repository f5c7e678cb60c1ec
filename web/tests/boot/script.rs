//! `GET /pxe/`: the boot script for each server.

use crate::harness::{Harness, address, identity};
use actix_web::http::Method;
use bootledger_web::images::target::Target;
use std::sync::Arc;

#[actix_web::test]
async fn only_a_server_in_progress_gets_its_rendered_script() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    for path in ["/pxe", "/pxe/", "/pxe/?ip=10.0.0.21", "/pxe/boot.ipxe", "/pxe/_boot_ipxe"] {
        let answer = harness.get(path, "10.0.0.20").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/plain; charset=utf-8"), "{path}");
        assert!(answer.text().contains("for h200.dc1.example"), "{path}: {}", answer.text());
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    for client in ["10.0.0.21", "192.0.2.1"] {
        let answer = harness.get("/pxe/?ip=10.0.0.20", client).await;
        assert!(answer.text().contains("sanboot"), "{client}: {}", answer.text());
    }
    insta::assert_snapshot!(harness.get("/pxe/", "10.0.0.20").await.text());
}

#[actix_web::test]
async fn every_other_server_boots_its_local_disk() {
    let harness = Harness::new();
    harness.load(&[]);
    let answer = harness.get("/pxe/", "10.0.0.20").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/plain; charset=utf-8"));
    insta::assert_snapshot!(answer.text());
}

#[actix_web::test]
async fn a_client_that_accepts_json_gets_a_problem_when_there_is_no_deployment() {
    let harness = Harness::new();
    harness.load(&[]);
    let answer = harness.request(Method::GET, "/pxe/", "10.0.0.20", &[("Accept", "application/json")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (404, "application/problem+json"));
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(problem["detail"], "no deployment is in progress for 10.0.0.20");
}

#[actix_web::test]
async fn a_table_that_is_not_current_never_answers_with_a_local_boot() {
    let harness = Harness::new();
    for path in ["/pxe/", "/pxe/vmlinuz", "/pxe/DONE/"] {
        let answer = harness.get(path, "10.0.0.20").await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "2"), "{path}");
    }
    harness.load(&[]);
    assert_eq!(harness.get("/pxe/", "10.0.0.20").await.status, 200);
}

#[actix_web::test]
async fn two_deployments_with_one_address_are_both_refused_until_one_ends() {
    let harness = Harness::new();
    let one = harness.target("10.0.0.20", true).await;
    let mut twin = identity("10.0.0.20");
    twin.deployment = identity("10.0.0.99").deployment;
    let other = Arc::new(Target::new(twin, one.image.clone(), one.place.clone(), one.settings.clone()));
    harness.load(&[&one, &other]);
    for path in ["/pxe/", "/pxe/vmlinuz", "/pxe/DONE/"] {
        let answer = harness.get(path, "10.0.0.20").await;
        assert_eq!(answer.status, 409, "{path}");
        assert!(answer.text().contains("10.0.0.20"), "{}", answer.text());
    }
    assert!(harness.requested().is_empty(), "{:?}", harness.requested());
    // The token identifies the deployment.
    let path = format!("/pxe/t/{}/", harness.token(other.identity.deployment));
    assert_eq!(harness.get(&path, "10.0.0.20").await.status, 200);
    harness.table.apply(&[(address("10.0.0.20"), other.identity.deployment)].into(), vec![], 2);
    assert_eq!(harness.get("/pxe/", "10.0.0.20").await.status, 200);
}

#[actix_web::test]
async fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    for (peer, forwarded, installed) in [
        ("10.0.0.21", "10.0.0.20", false),
        ("192.0.2.1", "10.0.0.20", true),
        ("192.0.2.1", "10.0.0.20, 10.0.0.21", false),
        ("192.0.2.1", "10.0.0.21, 10.0.0.20", true),
    ] {
        let answer = harness.request(Method::GET, "/pxe/", peer, &[("X-Forwarded-For", forwarded)]).await;
        assert_eq!(answer.text().contains("h200.dc1.example"), installed, "{peer} {forwarded}");
    }
    let answer = harness.request(Method::GET, "/pxe/", "192.0.2.1", &[("X-Forwarded-For", "10.0.0.20, x")]).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
}

#[actix_web::test]
async fn a_head_request_gets_the_length_of_the_script() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let head = harness.request(Method::HEAD, "/pxe/", "10.0.0.20", &[]).await;
    let get = harness.get("/pxe/", "10.0.0.20").await;
    assert_eq!((head.status, head.header("content-length")), (get.status, get.body.len().to_string().as_str()));
}
