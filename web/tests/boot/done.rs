//! `/pxe/DONE/`: a server reports that it is installed.

use crate::harness::Harness;
use actix_web::http::Method;
use bootledger_aggregates::rules::Rule;
use bootledger_port::{Command, DeploymentAction};

#[actix_web::test]
async fn a_server_that_reports_done_boots_its_disk_from_then_on() {
    for path in ["/pxe/DONE", "/pxe/DONE/"] {
        for method in [Method::GET, Method::POST] {
            let harness = Harness::new();
            let target = harness.target("10.0.0.20", true).await;
            harness.load(&[&target]);
            let answer = harness.request(method, path, "10.0.0.20", &[]).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "OK"));
            let requested = harness.requested();
            assert_eq!(requested.len(), 1);
            assert!(requested[0].contains("MarkDone") && requested[0].contains("Ip { address: 10.0.0.20 }"), "{requested:?}");
            assert_eq!(harness.domain.requested.lock().expect("no panic")[0].1.actor, "server 10.0.0.20");
            // Immediately, although the views do not show it yet.
            assert!(harness.get("/pxe/", "10.0.0.20").await.text().contains("sanboot"));
            // A reload of what the views still show does not bring it back.
            harness.load(&[&target]);
            assert!(harness.get("/pxe/", "10.0.0.20").await.text().contains("sanboot"));
        }
    }
}

#[actix_web::test]
async fn a_repeated_done_gets_the_same_answer() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let token = harness.token(target.identity.deployment);
    for path in ["/pxe/DONE/".to_owned(), "/pxe/DONE/".to_owned(), format!("/pxe/t/{token}/DONE/")] {
        let answer = harness.get(&path, "10.0.0.20").await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "OK"), "{path}");
    }
}

#[actix_web::test]
async fn a_token_suffices_from_any_address_and_an_address_does_not_where_the_network_requires_the_token() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", false).await;
    harness.load(&[&target]);
    let answer = harness.get("/pxe/DONE/", "10.0.0.20").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("done_url"), "{}", answer.text());
    assert!(harness.requested().is_empty());
    let token = harness.token(target.identity.deployment);
    let answer = harness.request(Method::POST, &format!("/pxe/t/{token}/DONE"), "10.9.9.9", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "OK"));
    assert!(harness.requested()[0].contains("Token { address: 10.9.9.9 }"), "{:?}", harness.requested());
}

#[actix_web::test]
async fn a_foreign_token_ends_nothing() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let token = harness.token(target.identity.deployment);
    let wrong = format!("{}{}", &token[..63], if token.ends_with('0') { '1' } else { '0' });
    let answer = harness.get(&format!("/pxe/t/{wrong}/DONE/"), "10.0.0.20").await;
    assert_eq!(answer.status, 404);
    let requested = harness.domain.requested.lock().expect("no panic");
    assert!(!requested.iter().any(|(command, _)| matches!(command, Command::Deployment(DeploymentAction::MarkDone { .. }))));
}

#[actix_web::test]
async fn a_refusal_of_the_domain_is_answered_with_its_message() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[]);
    let deployment = target.identity.deployment;
    let path = format!("/pxe/t/{}/DONE/", harness.token(deployment));
    for (rule, status) in [(Rule::NotInProgress, 409), (Rule::DeploymentEnded, 404), (Rule::DeploymentUnknown, 404)] {
        harness.domain.refusing.lock().expect("refusing").insert(deployment, Some(rule));
        let answer = harness.get(&path, "10.0.0.20").await;
        assert_eq!((answer.status.as_u16(), answer.text()), (status, format!("it broke {}\n", rule.code()).as_str()));
    }
}

#[actix_web::test]
async fn an_unavailable_database_is_worth_a_retry() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    *harness.domain.away.lock().expect("away") = true;
    let answer = harness.get("/pxe/DONE/", "10.0.0.20").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "2"));
    // The deployment is not done, and the server still boots its installer.
    assert!(harness.get("/pxe/", "10.0.0.20").await.text().contains("h200.dc1.example"));
    *harness.domain.away.lock().expect("away") = false;
    assert_eq!(harness.get("/pxe/DONE/", "10.0.0.20").await.status, 200);
}

#[actix_web::test]
async fn a_head_changes_nothing() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    harness.request(Method::HEAD, "/pxe/DONE/", "10.0.0.20", &[]).await;
    assert!(harness.requested().is_empty());
}
