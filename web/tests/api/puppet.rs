//! Puppet's requests and reports.

use crate::support::{Answer, TestSite, deployment_started, device_registered, network_defined, site_defined};
use actix_web::test::TestRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bootledger_aggregates::token::TokenScope;
use bootledger_port::{Command, DeploymentAction, Receipt};
use serde_json::{Value, json};
use uuid::Uuid;

const DEVICE: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001);
const DEPLOYMENT: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0002);
const NODE: &str = "/puppet/nodes/h200.dc1.example";

async fn venture(site: &TestSite, name: &str, spec: Value) {
    site.append("venture", name, json!({"type": "VentureDefined", "spec": spec})).await;
}

async fn role(site: &TestSite, name: &str, spec: Value) {
    site.append("venture", "shop", json!({"type": "RoleDefined", "role": name, "spec": spec})).await;
}

async fn device(site: &TestSite, event: Value) -> i64 {
    site.append("device", &DEVICE.to_string(), event).await
}

async fn deployment(site: &TestSite, event: Value) -> i64 {
    site.append("deployment", &DEPLOYMENT.to_string(), event).await
}

/// A device with a deployment as h200.dc1.example, role web of venture shop, that has started; the role is not assigned yet.
async fn data_centre() -> TestSite {
    let site = TestSite::create().await;
    site.append("site", "dc1", site_defined()).await;
    site.append("network", "servers", network_defined()).await;
    venture(
        &site,
        "group",
        json!({"parent": null, "default_boot_image": null, "puppet_classes": ["base"], "puppet_parameters": {"tier": 3}}),
    )
    .await;
    venture(&site, "shop", json!({"parent": "group", "default_boot_image": null, "puppet_environment": "staging"})).await;
    let web = json!({"default_boot_image": null, "puppet_classes": {"role::web": {"workers": 4, "when": "12:30:00"}}, "puppet_parameters": {"tier": 1}});
    role(&site, "web", web).await;
    device(&site, device_registered("52:54:00:00:00:01", None)).await;
    let mut started = deployment_started(DEVICE, "servers", "52:54:00:00:00:01", "10.0.0.20", "h200.dc1.example");
    started["done_by"] = json!("puppet");
    deployment(&site, started).await;
    site
}

async fn assign(site: &TestSite, role: &str) -> i64 {
    device(site, json!({"type": "RoleAssigned", "deployment": DEPLOYMENT, "venture": "shop", "role": role})).await
}

async fn node(site: &TestSite) -> Answer {
    site.request(TestRequest::get().uri(NODE)).await
}

fn detail(answer: &Answer) -> String {
    let (status, problem) = answer.problem();
    assert_eq!(status, 404, "{answer:?}");
    problem["detail"].as_str().expect("a sentence").to_owned()
}

#[actix_web::test]
async fn a_node_gets_its_classes_parameters_and_environment() {
    let site = data_centre().await;
    let position = assign(&site, "web").await;
    let answer = node(&site).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/x-yaml; charset=utf-8"));
    assert_eq!(answer.header("bootledger-position"), position.to_string());
    insta::assert_snapshot!(answer.text, @r#"
    ---
    {
      "classes": {
        "base": {},
        "role::web": {
          "when": "12:30:00",
          "workers": 4
        }
      },
      "parameters": {
        "bootledger_deployment": "01920000-0000-7000-8000-000000000002",
        "bootledger_device": "01920000-0000-7000-8000-000000000001",
        "bootledger_role": "web",
        "bootledger_site": "dc1",
        "bootledger_venture": "shop",
        "tier": 1
      },
      "environment": "staging"
    }
    "#);
    let again = TestRequest::get().uri("/puppet/nodes/H200.DC1.example").insert_header(("if-none-match", answer.header("etag")));
    assert_eq!(site.request(again).await.status, 304);
    // The deployment is done and the device changes later: each moment has its own answer.
    let ended = json!({"type": "DeploymentDone", "device": DEVICE, "by": {"operator": {"name": "ops"}}});
    deployment(&site, ended).await;
    role(&site, "web", json!({"default_boot_image": null, "puppet_classes": ["role::web2"]})).await;
    let now = node(&site).await.text;
    assert!(now.contains("role::web2") && now.contains("\"tier\": 3") && !now.contains("bootledger_deployment"), "{now}");
    let then = site.request(TestRequest::get().uri(&format!("{NODE}?at={position}"))).await;
    assert_eq!((then.text.as_str(), then.header("etag")), (answer.text.as_str(), answer.header("etag")));
}

#[actix_web::test]
async fn an_uncertain_node_is_an_error_and_not_an_empty_answer() {
    let site = data_centre().await;
    let refused = site.request(TestRequest::get().uri("/puppet/nodes/h999.dc1.example")).await;
    let mut details = vec![detail(&refused), detail(&node(&site).await)];
    assign(&site, "web").await;
    site.append("venture", "shop", json!({"type": "RoleRetired", "role": "web"})).await;
    details.push(detail(&node(&site).await));
    role(&site, "web", json!({"default_boot_image": null})).await;
    assert_eq!(node(&site).await.status, 200);
    site.append("venture", "group", json!({"type": "VentureRetired"})).await;
    details.push(detail(&node(&site).await));
    let cancelled = json!({"type": "DeploymentCancelled", "device": DEVICE, "by": "ops", "reason": "",
        "released": [{"kind": "hostname", "value": "h200.dc1.example"}, {"kind": "ip", "value": "10.0.0.20"}]});
    deployment(&site, cancelled).await;
    details.push(detail(&node(&site).await));
    device(&site, json!({"type": "DeviceDecommissioned", "reason": "old"})).await;
    details.push(detail(&node(&site).await));
    insta::assert_snapshot!("details_of_uncertain_nodes", details.join("\n"));
    for path in ["/puppet/nodes/h200", "/puppet/nodes/10.0.0.20", "/puppet/nodes/a%0Ab.example", "/puppet/nodes/a%2Fb.example"] {
        assert!(site.request(TestRequest::get().uri(path)).await.status.is_client_error(), "{path}");
    }
}

const REPORT: &str = "---\nhost: h200.dc1.example\nstatus: changed\nnoop: false\ncached_catalog_status: not_used\n";

fn report(body: impl Into<Vec<u8>>) -> TestRequest {
    let body: Vec<u8> = body.into();
    TestRequest::post().uri("/puppet/reports").insert_header(("content-type", "application/x-yaml")).set_payload(body)
}

#[actix_web::test]
async fn a_report_reaches_the_deployment_in_progress_of_its_host() {
    let site = data_centre().await;
    let puppet = site.bearer(TokenScope::PuppetReports).await;
    // The deployment is open: nothing can have run with the new role yet.
    let early = site.request_as(&puppet, report(REPORT)).await;
    assert_eq!((early.status.as_u16(), &early.json()["deployment"]), (200, &json!(null)), "{early:?}");
    deployment(&site, json!({"type": "DeploymentInProgress", "device": DEVICE})).await;
    site.answer(Ok(Receipt { position: 77, id: DEPLOYMENT.to_string(), repeated: false }));
    let basic = format!("Basic {}", STANDARD.encode(format!("puppet:{puppet}")));
    let answer = site.request(report(REPORT).insert_header(("authorization", basic))).await;
    assert_eq!(answer.json(), json!({"certname": "h200.dc1.example", "deployment": DEPLOYMENT, "position": 77}));
    let elsewhere = site.request_as(&puppet, report(REPORT.replace("h200", "h201"))).await;
    assert_eq!((elsewhere.status.as_u16(), &elsewhere.json()["deployment"]), (200, &json!(null)));
    let requested = site.domain.requested.lock().expect("no panic");
    let [(Command::Deployment(DeploymentAction::ReportPuppetRun { deployment, run, .. }), context)] = requested.as_slice() else {
        panic!("{requested:?}")
    };
    assert_eq!((deployment.0, run.certname.as_str(), context.actor.as_str()), (DEPLOYMENT, "h200.dc1.example", "token ops"));
}

#[actix_web::test]
async fn a_report_needs_a_token_with_its_scope() {
    let site = data_centre().await;
    deployment(&site, json!({"type": "DeploymentInProgress", "device": DEVICE})).await;
    let (id, puppet) = site.token(TokenScope::PuppetReports, None).await;
    let refused = site.request(report(REPORT)).await;
    assert_eq!(refused.problem().0, 401);
    assert!(refused.header("www-authenticate").starts_with("Basic"), "{refused:?}");
    for wrong in ["bl_x", &puppet[..puppet.len() - 1], &bootledger_web::http::auth::token::Secret::random().bearer(id)] {
        let basic = format!("Basic {}", STANDARD.encode(format!("puppet:{wrong}")));
        assert_eq!(site.request(report(REPORT).insert_header(("authorization", basic))).await.problem().0, 401, "{wrong}");
    }
    for scope in [TokenScope::Viewer, TokenScope::DhcpServer("kea-1".parse().expect("a name"))] {
        let bearer = site.bearer(scope).await;
        assert_eq!(site.request_as(&bearer, report(REPORT)).await.problem().0, 403);
        // The caller is checked before the body.
        let untyped = TestRequest::post().uri("/puppet/reports").set_payload("{");
        assert_eq!(site.request_as(&bearer, untyped).await.problem().0, 403);
    }
    let untyped = TestRequest::post().uri("/puppet/reports").set_payload("{");
    assert_eq!(site.request(untyped).await.problem().0, 401);
    // The token is not valid for anything else.
    assert_eq!(site.request_as(&puppet, TestRequest::get().uri("/api/v1/devices")).await.problem().0, 403);
    assert!(site.domain.requested.lock().expect("no panic").is_empty());
    site.append("token", &id.to_string(), json!({"type": "TokenRevoked"})).await;
    assert_eq!(site.request_as(&puppet, report(REPORT)).await.problem().0, 401);
}

#[actix_web::test]
async fn an_invalid_report_is_refused() {
    let site = data_centre().await;
    let puppet = site.bearer(TokenScope::PuppetReports).await;
    for garbage in ["", "garbage", "{", "host: [", "a: b\n"] {
        let (status, problem) = site.request_as(&puppet, report(garbage)).await.problem();
        assert_eq!((status, problem["errors"][0]["rule"].as_str()), (400, Some("report_malformed")), "{garbage}: {problem}");
    }
    assert_eq!(site.request_as(&puppet, report(vec![b' '; 8 * 1024 * 1024 + 1])).await.problem().0, 413);
    let json = TestRequest::post().uri("/puppet/reports").insert_header(("content-type", "application/json")).set_payload("{}");
    assert_eq!(site.request_as(&puppet, json).await.problem().0, 415);
    assert!(site.domain.requested.lock().expect("no panic").is_empty());
}
