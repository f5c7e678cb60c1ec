//! The timeline: filters find what people enter, and never claim that nothing happened because a name is unknown.

use crate::elements::texts;
use crate::support::{Answer, TestSite, deployment_started, device_registered, network_defined, site_defined};
use actix_web::dev::Service;
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use serde_json::json;
use uuid::Uuid;

/// A site with a network and a device with a deployment; returns a viewer's token.
async fn filled() -> (TestSite, String) {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    site.append("site", "dc1", site_defined()).await;
    site.append("network", "prod", network_defined()).await;
    let (device, mac) = (Uuid::now_v7(), "52:54:00:00:00:01");
    site.append("device", &device.to_string(), device_registered(mac, None)).await;
    let started = deployment_started(device, "prod", mac, "10.0.0.11", "h201.dc1.example");
    site.append("deployment", &Uuid::now_v7().to_string(), started).await;
    (site, viewer)
}

fn lines(answer: &Answer) -> usize {
    texts(answer, "ol.timeline > li").len()
}

#[actix_web::test]
async fn filters_find_what_people_enter() {
    let (site, viewer) = filled().await;
    let all = lines(&site.request_as(&viewer, TestRequest::get().uri("/timeline")).await);
    // The viewer's own token is an event of an account, which viewers do not see.
    assert_eq!(all, 4);
    for (query, expected) in [
        ("actor=test", all),
        ("actor=token+test", all),
        ("actor=TEST", all),
        ("type=deploymentstarted", 1),
        ("type=Deployment+started", 1),
        ("type=SiteDefined,NetworkDefined", 2),
        ("object=h201.dc1.example", 2),
        ("object=5254.0000.0001", 2),
        ("object=network/prod", 1),
        ("object=networks", 1),
        ("object=prod", 1),
        ("aggregate=network/prod", 1),
        ("q=h201+STARTED", 1),
        ("from=24h", all),
        ("to=2001-01-01", 0),
        ("from=24h&object=network&q=prod", 1),
    ] {
        let page = site.request_as(&viewer, TestRequest::get().uri(&format!("/timeline?{query}"))).await;
        assert_eq!((page.status.as_u16(), lines(&page)), (200, expected), "{query}: {}", page.text);
        let json = site.request_as(&viewer, TestRequest::get().uri(&format!("/api/v1/events?{query}"))).await.json();
        assert_eq!(json["items"].as_array().map(Vec::len), Some(expected), "{query}: {json}");
    }
}

#[actix_web::test]
async fn an_unknown_name_is_reported_with_similar_ones() {
    let (site, viewer) = filled().await;
    for (query, field, similar) in [
        ("actor=tset", "actor", "token test"),
        ("object=h201", "object", "h201.dc1.example"),
        ("type=deploymentstart", "type", "Deployment started"),
    ] {
        let page = site.request_as(&viewer, TestRequest::get().uri(&format!("/timeline?{query}"))).await;
        let found = texts(&page, &format!("#unknown-{field} a"));
        assert!(found.iter().any(|text| text == similar), "{query}: {found:?}");
        assert_eq!(texts(&page, ".empty"), [""; 0], "{query}: nothing claims that nothing happened");
        let problem = site.request_as(&viewer, TestRequest::get().uri(&format!("/api/v1/events?{query}"))).await;
        let (status, problem) = problem.problem();
        assert_eq!((status, problem["errors"][0]["field"].as_str()), (400, Some(field)), "{problem}");
    }
    let page = site.request_as(&viewer, TestRequest::get().uri("/timeline?from=yesterday")).await;
    assert_eq!(texts(&page, "#unknown-from").len(), 1);
    let early = site.request_as(&viewer, TestRequest::get().uri("/timeline?from=5000000d")).await;
    assert_eq!((early.status.as_u16(), texts(&early, "#unknown-from").len()), (200, 1));
    let early = site.request_as(&viewer, TestRequest::get().uri("/api/v1/events?from=5000000d")).await.problem();
    assert_eq!((early.0, &early.1["errors"][0]["field"]), (400, &json!("from")));
    let beyond = site.request_as(&viewer, TestRequest::get().uri("/timeline/9223372036854775807")).await;
    assert_eq!(beyond.status, 404);
    // Correcting one filter does not drop the others.
    let path = "/timeline?actor=tset&from=2026-01-30&to=2026-01-30T14:03:07&type=SiteDefined,NetworkDefined";
    let page = site.request_as(&viewer, TestRequest::get().uri(path)).await;
    for value in ["2026-01-30T00:00:00", "2026-01-30T14:03:07", "tset", "Site defined, Network defined"] {
        assert!(page.text.contains(&format!("value=\"{value}\"")), "{value}: {}", page.text);
    }
    assert_eq!(texts(&page, "ul.timeline-chips li").len(), 5, "four filters, and “Clear all”");
}

#[actix_web::test]
async fn the_page_of_an_event_shows_nothing_that_happened_after_its_moment() {
    let (site, viewer) = filled().await;
    let page = async |path: &str| site.request_as(&viewer, TestRequest::get().uri(path)).await;
    let same = |answer: &Answer| texts(answer, "#request ol.timeline > li").len();
    let now = page("/timeline/3").await;
    let past = page("/timeline/3?at=3").await;
    assert_eq!((now.status.as_u16(), past.status.as_u16()), (200, 200), "{}", past.text);
    assert!(same(&now) > same(&past), "later events of the same request");
    assert_eq!((texts(&now, "main a[rel=next]").len(), texts(&past, "main a[rel=next]").len()), (1, 0));
    let later = site.request_as(&viewer, TestRequest::get().uri("/timeline/4?at=3")).await;
    assert_eq!(later.problem().0, 404, "{}", later.text);
    assert!(later.text.contains("after event 3"), "{}", later.text);
}

#[actix_web::test]
async fn exports_have_exactly_the_lines_of_the_filter() {
    let (site, viewer) = filled().await;
    let csv = site.request_as(&viewer, TestRequest::get().uri("/timeline/export.csv?object=network/prod")).await;
    assert_eq!((csv.status.as_u16(), csv.text.lines().count()), (200, 2), "{}", csv.text);
    let json = site.request_as(&viewer, TestRequest::get().uri("/timeline/export.jsonl?q=h201+started")).await;
    let lines: Vec<serde_json::Value> =
        json.text.lines().map(|line| serde_json::from_str(line).expect("JSON on each line")).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["type"], "DeploymentStarted");
}

#[actix_web::test]
async fn a_caller_who_takes_no_export_gets_no_more_of_them_and_others_do() {
    let (site, viewer) = filled().await;
    let other = site.bearer(TokenScope::Viewer).await;
    let service = site.start().await;
    let export = async |bearer: &str| {
        let request = TestRequest::get().uri("/timeline/export.csv").insert_header(("authorization", format!("Bearer {bearer}")));
        service.call(request.to_request()).await.expect("an answer")
    };
    let (first, second) = (export(&viewer).await, export(&viewer).await);
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
    let refused = Answer::of(export(&viewer).await).await;
    assert_eq!((refused.problem().0, refused.header("retry-after")), (503, "30"), "{}", refused.text);
    assert_eq!(export(&other).await.status(), 200);
    assert!(Answer::of(first).await.text.contains("NetworkDefined"), "the export itself is whole");
    assert_eq!(export(&viewer).await.status(), 200);
    drop(second);
}

#[actix_web::test]
async fn only_auditors_and_administrators_read_events_of_accounts() {
    let (site, viewer) = filled().await;
    site.user("ada", Role::Viewer).await;
    site.session("ada").await;
    let (operator, auditor) = (site.bearer(TokenScope::Operator).await, site.bearer(TokenScope::Auditor).await);
    let get = async |bearer: &str, path: &str| site.request_as(bearer, TestRequest::get().uri(path)).await;
    let started = get(&auditor, "/api/v1/events?type=SessionStarted").await.json()["items"][0]["position"].clone();
    let whole = ["/timeline", "/timeline/export.csv", "/timeline/export.jsonl", "/api/v1/events?limit=1000"];
    let named = [
        "/timeline?object=session".to_owned(),
        "/timeline?object=user/ada".to_owned(),
        "/timeline?type=SiteDefined,SessionStarted".to_owned(),
        "/timeline/export.csv?object=users".to_owned(),
        "/timeline/export.jsonl?type=TokenCreated".to_owned(),
        format!("/timeline/{started}"),
        "/api/v1/events?aggregate=session".to_owned(),
        "/api/v1/events?object=token".to_owned(),
        "/api/v1/events?type=UserCreated".to_owned(),
        "/api/v1/compare?object=user/ada&from=0".to_owned(),
    ];
    for bearer in [&viewer, &operator] {
        for path in whole {
            let answer = get(bearer, path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert!(answer.text.contains("NetworkDefined"), "{path}: {}", answer.text);
            for secret in ["SessionStarted", "UserCreated", "TokenCreated", "10.0.0.7", "Firefox", "type=SessionStarted"] {
                assert!(!answer.text.contains(secret), "{path}: {secret} in {}", answer.text);
            }
        }
        for path in &named {
            assert_eq!(get(bearer, path).await.status, 403, "{path}");
        }
        // A name does not reveal whether there is such a user.
        assert_eq!(get(bearer, "/api/v1/events?object=ada").await.status, 400);
        // A page is full although events in between are left out.
        let page = get(bearer, "/api/v1/events?limit=4").await.json();
        assert_eq!((page["items"].as_array().map(Vec::len), page["next"].is_null()), (Some(4), true), "{page}");
    }
    for path in whole {
        assert!(get(&auditor, path).await.text.contains("SessionStarted"), "{path}");
    }
    for path in &named {
        assert_eq!(get(&auditor, path).await.status, 200, "{path}");
    }
    assert!(get(&auditor, "/timeline").await.text.contains("Sign-ins and lock-outs"));
}

#[actix_web::test]
async fn an_auditor_reads_accounts_and_sees_failed_sign_ins_and_changes_nothing() {
    let (site, _) = filled().await;
    site.user("ada", Role::Viewer).await;
    let failed = json!({"type": "UserSignInsFailed", "count": 27, "client": null, "clients": 3, "since": "2026-11-29T23:00:00Z"});
    site.append("user", "ada", failed).await;
    let unknown = json!({"type": "UnknownUserSignInsFailed", "count": 1, "client": "192.0.2.7", "clients": 1, "since": "2026-11-29T23:00:00Z"});
    site.append("session", &Uuid::now_v7().to_string(), unknown).await;
    let cookie = site.signed_in(Role::Auditor).await;
    for path in ["/settings/users", "/settings/users/ada", "/settings/tokens", "/settings/sessions", "/settings/secrets"] {
        assert_eq!(site.browse(&cookie, TestRequest::get().uri(path)).await.status, 200, "{path}");
    }
    let user = site.browse(&cookie, TestRequest::get().uri("/settings/users/ada")).await;
    assert_eq!(texts(&user, "#sign-ins ol.timeline > li").len(), 1);
    let types = "UserSignInsFailed,UnknownUserSignInsFailed";
    let page = site.browse(&cookie, TestRequest::get().uri(&format!("/timeline?type={types}"))).await;
    assert_eq!(lines(&page), 2, "{}", page.text);
    for path in ["/settings/users/new", "/settings/tokens/new"] {
        assert_eq!(site.browse(&cookie, TestRequest::get().uri(path)).await.status, 403, "{path}");
    }
    for path in ["/compare?object=user/ada", "/api/v1/compare?object=user/ada&from=0"] {
        assert_eq!(site.browse(&cookie, TestRequest::get().uri(path)).await.status, 200, "{path}");
    }
    let same = ("sec-fetch-site", "same-origin");
    for path in ["/settings/users/ada/disable", "/settings/tokens", "/devices"] {
        assert_eq!(site.browse(&cookie, TestRequest::post().uri(path).insert_header(same)).await.status, 403, "{path}");
    }
}

#[actix_web::test]
async fn only_administrators_read_the_path_of_a_webhook() {
    let (site, viewer) = filled().await;
    let (auditor, administrator) = (site.bearer(TokenScope::Auditor).await, site.bearer(TokenScope::Administrator).await);
    for room in ["s3cret-1", "s3cret-2"] {
        let url = format!("https://chat.example/{room}");
        let spec = json!({"description": "", "url": url, "events": ["*"], "secret": "webhook-chat"});
        site.append("webhook", "chat", json!({"type": "WebhookDefined", "spec": spec})).await;
    }
    let events = "/api/v1/events?object=webhook/chat";
    let found = site.request_as(&administrator, TestRequest::get().uri(events)).await.json();
    let event = format!("/timeline/{}", found["items"][1]["position"]);
    for path in [
        events,
        event.as_str(),
        "/timeline?object=webhook/chat",
        "/timeline/export.jsonl?object=webhook/chat",
        "/compare?object=webhook/chat&all=true",
        "/api/v1/compare?object=webhook/chat&all=true",
        "/api/v1/webhooks",
        "/api/v1/webhooks/chat",
    ] {
        for (bearer, reads) in [(&viewer, false), (&auditor, false), (&administrator, true)] {
            let answer = site.request_as(bearer, TestRequest::get().uri(path)).await;
            assert_eq!((answer.status.as_u16(), answer.text.contains("s3cret-2")), (200, reads), "{path}: {}", answer.text);
            assert!(answer.text.contains("chat.example") || path.starts_with("/timeline?"), "{path}: {}", answer.text);
        }
    }
    for (bearer, count) in [(&viewer, 0), (&administrator, 1)] {
        let json = site.request_as(bearer, TestRequest::get().uri("/api/v1/events?q=s3cret-2")).await.json();
        assert_eq!(json["items"].as_array().map(Vec::len), Some(count), "words: {json}");
        let json = site.request_as(bearer, TestRequest::get().uri("/api/v1/webhooks?q=S3cret-2")).await.json();
        assert_eq!(json["items"].as_array().map(Vec::len), Some(count), "a search: {json}");
        let json = site.request_as(bearer, TestRequest::get().uri("/api/v1/webhooks?q=Chat")).await.json();
        assert_eq!(json["items"].as_array().map(Vec::len), Some(1), "a search: {json}");
    }
}
