//! Health checks and metrics.

use crate::support::{TestSite, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use serde_json::json;

#[actix_web::test]
async fn readiness_reports_lag_and_parked_events() {
    let site = TestSite::create().await;
    site.append("site", "dc1", site_defined()).await;
    site.append_unseen("site", "dc1", json!({"type": "SiteRetired"})).await;
    let answer = site.request(TestRequest::get().uri("/readyz")).await;
    assert_eq!(answer.status, 200);
    insta::assert_json_snapshot!(answer.json(), @r#"
    {
      "boot_loaders_missing": [
        "PC with BIOS (architectures 0, 20; undionly.kpxe)",
        "UEFI, x86-64 (architectures 7, 9, 16; snponly.efi)",
        "UEFI, 32-bit x86 (architectures 6, 15; ipxe-i386.efi)",
        "UEFI, 32-bit ARM (architectures 10, 18; ipxe-arm32.efi)",
        "UEFI, 64-bit ARM (architectures 11, 19; ipxe-arm64.efi)",
        "UEFI, 32-bit RISC-V (architectures 25, 26; ipxe-riscv32.efi)",
        "UEFI, 64-bit RISC-V (architectures 27, 28; ipxe-riscv64.efi)",
        "UEFI, 64-bit LoongArch (architectures 39, 40; ipxe-loong64.efi)"
      ],
      "database": true,
      "degraded": [],
      "dhcp_strays": [],
      "lag": 1,
      "log_position": 2,
      "parked": 0,
      "ready": true,
      "reasons": [],
      "secrets": [],
      "views_position": 1,
      "webhooks": []
    }
    "#);
}

#[actix_web::test]
async fn readiness_reports_unreadable_secrets_and_what_needs_them() {
    let site = TestSite::create().await;
    let key = json!({ "name": "bootledger", "algorithm": "hmac-sha256", "secret": "tsig-dc1" });
    let mut defined = site_defined();
    defined["spec"]["dns_updates"] = json!({ "primary": "10.0.0.53", "port": 53, "key": key });
    site.append("site", "dc1", defined).await;
    let answer = site.request(TestRequest::get().uri("/readyz")).await.json();
    assert_eq!((&answer["ready"], &answer["secrets"][0]["used_by"]), (&json!(true), &json!("site dc1")));
    let problem = answer["secrets"][0]["problem"].as_str().expect("a problem");
    assert_eq!(problem, "there is no secret tsig-dc1");
}

#[actix_web::test]
async fn without_its_database_the_service_lives_but_is_not_ready() {
    let site = TestSite::create().await;
    site.close_database().await;
    let answer = site.request(TestRequest::get().uri("/readyz")).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["reasons"]), (503, &json!(["the database cannot be reached"])));
    assert_eq!(site.request(TestRequest::get().uri("/healthz")).await.status, 200);
}

#[actix_web::test]
async fn requests_are_measured_by_route_and_never_by_path() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let path = "/api/v1/devices/0192f0c0-0000-7000-8000-000000000001";
    assert_eq!(site.request_as(&viewer, TestRequest::get().uri(path)).await.status, 404);
    site.request(TestRequest::get().uri("/pxe/t/secret/x")).await;
    let text = site.request(TestRequest::get().uri("/metrics")).await.text;
    let line = r#"bootledger_http_request_seconds_count{method="GET",route="/api/v1/devices/{id}",status="404"} 1"#;
    assert!(text.contains(line), "{text}");
    assert!(!text.contains("0192f0c0") && !text.contains("secret"), "{text}");
}

/// 50 requests at once, while a table that readiness reads is locked: only one connection waits for the lock, and all requests
/// get the same answer.
#[actix_web::test]
async fn a_flood_of_requests_for_readiness_and_metrics_queries_the_database_once() {
    let site = TestSite::create().await;
    site.append("site", "dc1", site_defined()).await;
    let mut lock = site.pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE views.parked IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.expect("a lock");
    let flood = futures::future::join_all((0..50).map(|number| {
        let path = if number % 2 == 0 { "/readyz" } else { "/metrics" };
        site.request(TestRequest::get().uri(path))
    }));
    let watch = async move {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let (mut most, mut seen, started) = (0, 0, std::time::Instant::now());
        // The requests time out after three seconds.
        while seen < 20 && started.elapsed().as_millis() < 2_000 {
            let now: i64 = sqlx::query_scalar(waiting).fetch_one(&mut *lock).await.expect("a count");
            (most, seen) = (most.max(now), seen + now);
            sqlx::query("SELECT pg_stat_clear_snapshot()").execute(&mut *lock).await.expect("a look");
        }
        lock.rollback().await.expect("the end");
        most
    };
    let (answers, most) = futures::join!(flood, watch);
    assert_eq!(most, 1, "connections waited");
    for answer in answers {
        assert_eq!(answer.status, 200);
        assert!(
            answer.text.contains("\"ready\":true") || answer.text.contains("entries_without_network{site=\"dc1\"} 0"),
            "{}",
            answer.text
        );
    }
}
