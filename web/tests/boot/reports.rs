//! Installer reports to `/pxe/t/{token}/progress` and `…/log`, as far as they are answered before the domain decides.

use crate::harness::{Answer, Harness};
use actix_web::http::Method;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_port::{Command, DeploymentAction};

const CLIENT: &str = "10.0.0.20";

async fn reported(harness: &Harness, query: &str) -> Answer {
    let token = harness.token(DeploymentId::default());
    harness.get(&format!("/pxe/t/{token}/progress{query}"), CLIENT).await
}

#[actix_web::test]
async fn a_report_by_token_is_executed_for_its_deployment_from_any_address_and_with_any_clock() {
    let harness = Harness::new();
    let deployment = DeploymentId::default();
    let token = harness.token(deployment);
    let ancient = [
        ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"),
        ("Range", "bytes=0-1"),
    ];
    for (place, client) in ["10.0.0.20", "203.0.113.9", "192.0.2.77"].into_iter().enumerate() {
        for method in [Method::GET, Method::POST] {
            let path = format!("/pxe/t/{token}/progress/?stage=late&percent=9{place}");
            let answer = harness.request(method, &path, client, &ancient).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "OK\n"));
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
    let requested = harness.domain.requested.lock().expect("no panic");
    assert_eq!(requested.len(), 6);
    for (command, context) in requested.iter() {
        let Command::Deployment(DeploymentAction::ReportInstaller { deployment: of, report }) = command else {
            panic!("{command:?}")
        };
        assert_eq!((*of, format!("server {}", report.client)), (deployment, context.actor.clone()));
    }
}

#[actix_web::test]
async fn a_report_needs_a_genuine_token_and_an_address_does_not_replace_it() {
    let harness = Harness::new();
    let other = Harness::new();
    let target = harness.target(CLIENT, true).await;
    harness.load(&[&target]);
    let mut forged = other.token(DeploymentId::default()).into_bytes();
    forged[40] = if forged[40] == b'0' { b'1' } else { b'0' };
    let forged = String::from_utf8(forged).expect("digits");
    for path in ["progress", "log"] {
        for url in [format!("/pxe/t/{forged}/{path}"), format!("/pxe/t/x/{path}"), format!("/pxe/{path}")] {
            for method in [Method::HEAD, Method::POST] {
                let answer = harness.request(method.clone(), &format!("{url}?stage=late"), CLIENT, &[]).await;
                assert_eq!(answer.status.as_u16(), 404, "{method} {url}");
            }
        }
    }
    assert!(harness.requested().is_empty());
}

#[actix_web::test]
async fn a_head_reports_nothing_and_other_methods_are_refused() {
    let harness = Harness::new();
    let token = harness.token(DeploymentId::default());
    for (path, wrong, allowed) in [("progress", Method::PUT, "GET, HEAD, POST"), ("log", Method::GET, "HEAD, POST, PUT")] {
        let url = format!("/pxe/t/{token}/{path}?stage=late");
        assert_eq!(harness.request(Method::HEAD, &url, CLIENT, &[]).await.status.as_u16(), 200);
        for method in [wrong, Method::DELETE] {
            let answer = harness.request(method, &url, CLIENT, &[]).await;
            assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, allowed));
        }
    }
    assert!(harness.requested().is_empty());
}

#[actix_web::test]
async fn an_invalid_report_is_a_400_with_the_field_and_without_the_token() {
    let harness = Harness::new();
    let token = harness.token(DeploymentId::default());
    for (query, words) in [
        ("?percnt=5".to_owned(), "\"percnt\""),
        ("?stage=a&stage=b".to_owned(), "stage occurs twice"),
        ("?percent=200".to_owned(), "percent: "),
        (String::new(), "report is empty"),
        (format!("?{token}=1"), "••••••"),
        (format!("?failed={token}"), "••••••"),
    ] {
        let answer = reported(&harness, &query).await;
        assert_eq!(answer.status.as_u16(), 400, "{query}");
        assert!(answer.text().contains(words) && !answer.text().contains(&token), "{}", answer.text());
    }
    let long = reported(&harness, &format!("?stage=late&text={}{token}{}", "a".repeat(250), "b".repeat(1000))).await;
    assert_eq!(long.status.as_u16(), 200);
    let requested = harness.requested();
    assert!(!requested[0].contains(&token[..40]) && requested[0].contains("••••••"), "{requested:?}");
}

#[actix_web::test]
async fn a_loop_of_reports_is_throttled_before_it_reaches_the_domain() {
    let harness = Harness::new();
    let token = harness.token(DeploymentId::default());
    let mut answers = std::collections::BTreeMap::new();
    for number in 0..300 {
        let answer = harness.get(&format!("/pxe/t/{token}/progress?stage=s{number}"), CLIENT).await;
        if answer.status.as_u16() == 429 {
            assert_eq!(answer.header("retry-after"), "2");
        }
        *answers.entry(answer.status.as_u16()).or_insert(0) += 1;
    }
    assert!(answers[&200] < 200 && answers[&429] > 100, "{answers:?}");
    assert_eq!(harness.requested().len(), answers[&200]);
}

#[actix_web::test]
async fn while_the_database_is_unavailable_a_report_must_be_sent_again() {
    let harness = Harness::new();
    *harness.domain.away.lock().expect("away") = true;
    let answer = reported(&harness, "?stage=late").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "2"));
    let token = harness.token(DeploymentId::default());
    let log = harness.request(Method::PUT, &format!("/pxe/t/{token}/log"), CLIENT, &[]).await;
    assert_eq!(log.status.as_u16(), 503);
}

#[actix_web::test]
async fn a_log_with_a_content_length_over_the_limit_is_refused_before_it_is_read() {
    let harness = Harness::new();
    let token = harness.token(DeploymentId::default());
    let headers = [("Content-Length", "1048577")];
    let answer = harness.request(Method::POST, &format!("/pxe/t/{token}/log"), CLIENT, &headers).await;
    assert_eq!(answer.status.as_u16(), 413, "{}", answer.text());
}
