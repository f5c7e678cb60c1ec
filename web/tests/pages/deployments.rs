//! Deployments: the list, a single one, and its actions.

use crate::elements::texts;
use crate::support::{TestSite, deployment_started, device_registered, network_defined, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::bulk::BulkAction;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::token::TokenScope;
use bootledger_port::{BulkOrder, Command, CommandError, DeploymentAction, Receipt};
use serde_json::json;
use uuid::Uuid;

/// A site with a live deployment of each of these host names, and the deployments' ids.
async fn data_centre(hostnames: &[&str]) -> (TestSite, Vec<Uuid>) {
    let site = TestSite::create().await;
    site.append("site", "dc1", site_defined()).await;
    site.append("network", "prod", network_defined()).await;
    let mut ids = vec![];
    for (n, hostname) in hostnames.iter().enumerate() {
        let (device, id) = (Uuid::now_v7(), Uuid::now_v7());
        let mac = format!("52:54:00:00:00:{n:02x}");
        site.append("device", &device.to_string(), device_registered(&mac, None)).await;
        let started = deployment_started(device, "prod", &mac, &format!("10.0.0.{}", 20 + n), hostname);
        site.append("deployment", &id.to_string(), started).await;
        ids.push(id);
    }
    (site, ids)
}

fn form(path: &str, body: &str) -> TestRequest {
    TestRequest::post()
        .uri(path)
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .insert_header(("accept", "text/html"))
        .set_payload(body.to_owned())
}

#[actix_web::test]
async fn a_list_is_filtered_sorted_and_paged_by_its_url() {
    let (site, _) = data_centre(&["b.dc1.example", "a.dc1.example", "c.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let names = async |path: &str| texts(&site.request_as(&bearer, TestRequest::get().uri(path)).await, "tbody th a");
    assert_eq!(names("/deployments").await, ["c.dc1.example", "a.dc1.example", "b.dc1.example"]);
    assert_eq!(names("/deployments?sort=hostname").await, ["a.dc1.example", "b.dc1.example", "c.dc1.example"]);
    assert_eq!(names("/deployments?sort=-hostname").await, ["c.dc1.example", "b.dc1.example", "a.dc1.example"]);
    assert_eq!(names("/deployments?q=B.DC1&status=&site=").await, ["b.dc1.example"]);
    assert_eq!(names("/deployments?q=10.0.0.21").await, ["a.dc1.example"]);
    assert_eq!(names("/deployments?status=done").await, Vec::<String>::new());
    assert_eq!(names("/deployments?plugin=waiting").await, Vec::<String>::new());
    let api = async |path: &str| site.request_as(&bearer, TestRequest::get().uri(path)).await.json();
    let first = api("/api/v1/deployments?sort=hostname&limit=2").await;
    let next = first["next"].as_str().expect("a next page");
    let second = api(&format!("/api/v1/deployments?sort=hostname&limit=2&after={next}")).await;
    assert_eq!(second["items"][0]["hostname"], "c.dc1.example");
    let wrong = site.request_as(&bearer, TestRequest::get().uri(&format!("/api/v1/deployments?after={next}"))).await;
    assert_eq!(wrong.problem().0, 400, "a cursor of another order was taken");
}

#[actix_web::test]
async fn columns_are_chosen_in_the_url_and_a_misspelt_filter_is_no_answer() {
    let (site, _) = data_centre(&["a.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let page = site.request_as(&bearer, TestRequest::get().uri("/deployments?columns=hostname,mac")).await;
    assert_eq!(texts(&page, "thead th:not(:has(label))").len(), 2, "{}", page.text);
    assert_eq!(texts(&page, "tbody th"), ["a.dc1.example"]);
    assert!(texts(&page, "tbody td").iter().any(|cell| cell == "52:54:00:00:00:00"), "{}", page.text);
    let wrong =
        site.request_as(&bearer, TestRequest::get().uri("/deployments?stauts=open").insert_header(("accept", "text/html"))).await;
    assert_eq!((wrong.status.as_u16(), wrong.header("content-type")), (400, "text/html; charset=utf-8"));
    assert!(wrong.text.contains("stauts"), "{}", wrong.text);
}

#[actix_web::test]
async fn the_list_as_csv_has_all_that_is_filtered() {
    let (site, ids) = data_centre(&["a.dc1.example", "b.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let csv = site.request_as(&bearer, TestRequest::get().uri("/deployments/export.csv?q=a.dc1")).await;
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines.len(), 2, "{}", csv.text);
    assert!(lines[1].starts_with(&format!("{},a.dc1.example,10.0.0.20,52:54:00:00:00:00,open,false,", ids[0])), "{}", lines[1]);
    assert!(csv.header("content-disposition").contains("deployments.csv"));
    // The export shows one position, which it names.
    assert!(csv.header("bootledger-position").parse::<i64>().is_ok_and(|position| position > 0), "no position is named");
}

#[actix_web::test]
async fn the_list_as_csv_for_import_has_the_columns_of_such_a_file() {
    let (site, _) = data_centre(&["a.dc1.example", "b.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let list = site.request_as(&bearer, TestRequest::get().uri("/deployments?q=a.dc1")).await;
    assert_eq!(texts(&list, ".heading a[href='/deployments/import.csv?q=a.dc1']"), ["CSV for import"], "{}", list.text);
    let csv = site.request_as(&bearer, TestRequest::get().uri("/deployments/import.csv?q=a.dc1")).await;
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "mac,network,venture,role,boot_image,hostname,ip,note,ticket"), "{}", csv.text);
    assert!(lines[1].starts_with("52:54:00:00:00:00,") && lines[1].ends_with(",a.dc1.example,10.0.0.20,,"), "{}", lines[1]);
}

#[actix_web::test]
async fn a_cancellation_needs_a_reason_and_keeps_it_when_it_is_refused() {
    let (site, ids) = data_centre(&["a.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Operator).await;
    let path = format!("/deployments/{}/cancel", ids[0]);
    let requested = site.request_as(&bearer, TestRequest::get().uri(&path)).await;
    assert_eq!(texts(&requested, "main li code"), ["10.0.0.20", "52:54:00:00:00:00"], "{}", requested.text);
    let empty = site.request_as(&bearer, form(&path, "key=k1&reason=+")).await;
    assert_eq!((empty.status.as_u16(), empty.rules()), (422, vec!["missing".to_owned()]));
    site.answer(Err(CommandError::Refused(vec![BrokenRule::new(
        "",
        Rule::DeploymentEnded,
        "the deployment is done and archived",
    )])));
    let refused = site.request_as(&bearer, form(&path, "key=k1&reason=wrong+%3Cserver%3E")).await;
    assert_eq!((refused.status.as_u16(), refused.rules()), (422, vec!["deployment_ended".to_owned()]));
    assert!(refused.text.contains("value=\"wrong &lt;server&gt;\""), "{}", refused.text);
    site.answer(Ok(Receipt { position: 1, id: ids[0].to_string(), repeated: false }));
    let done = site.request_as(&bearer, form(&path, "key=k2&reason=wrong+server")).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, format!("/deployments/{}", ids[0]).as_str()));
    let requested = site.domain.requested.lock().expect("no panic");
    let (command, context) = requested.last().expect("a command");
    assert!(
        matches!(command, Command::Deployment(DeploymentAction::CancelDeployment { reason, .. }) if reason.as_str() == "wrong server"),
        "{command:?}"
    );
    assert_eq!(context.key(), Some("form:k2"), "a form that is sent twice would be done twice");
}

#[actix_web::test]
async fn a_viewer_sees_why_and_is_refused() {
    let (site, ids) = data_centre(&["a.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let page = site.request_as(&bearer, TestRequest::get().uri(&format!("/deployments/{}", ids[0]))).await;
    assert!(texts(&page, "#cancel-reason")[0].contains("operator"), "{}", page.text);
    for path in ["cancel", "done", "notes", "restart-reported", "plugins/clean/retry"] {
        let refused = site.request_as(&bearer, form(&format!("/deployments/{}/{path}", ids[0]), "reason=x")).await;
        assert_eq!(refused.status, 403, "{path}");
    }
    assert!(site.domain.requested.lock().expect("no panic").is_empty(), "a viewer's command reached the domain");
}

#[actix_web::test]
async fn many_deployments_are_cancelled_after_a_preview_by_an_action_with_a_page_of_its_own() {
    let (site, ids) = data_centre(&["a.dc1.example", "b.dc1.example", "c.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Operator).await;
    let rows = format!("id={}&id={}", ids[0], ids[1]);
    let preview = site.request_as(&bearer, form("/deployments/bulk", &format!("what=cancel&list=%2Fdeployments&{rows}"))).await;
    assert_eq!(texts(&preview, "tbody th"), ["a.dc1.example", "b.dc1.example"]);
    let all = site
        .request_as(&bearer, form("/deployments/bulk", "what=cancel&all=true&list=%2Fdeployments%3Fq%3Ddc1%26columns%3Dmac"))
        .await;
    assert_eq!(texts(&all, "tbody th").len(), 3, "{}", all.text);
    let path = "/deployments/bulk/do";
    let unsaid = site.request_as(&bearer, form(path, &format!("what=cancel&list=%2Fdeployments&key=k&{rows}"))).await;
    assert_eq!((unsaid.status.as_u16(), texts(&unsaid, "tbody th").len()), (422, 2), "{}", unsaid.text);
    let bulk = Uuid::now_v7().to_string();
    site.answer(Ok(Receipt { position: 1, id: bulk.clone(), repeated: false }));
    let started = site.request_as(&bearer, form(path, &format!("what=cancel&list=%2Fdeployments&reason=x&key=k&{rows}"))).await;
    assert_eq!((started.status.as_u16(), started.header("location")), (303, format!("/bulk-actions/{bulk}").as_str()));
    let requested = site.domain.requested.lock().expect("no panic");
    let Some((Command::Bulk(BulkOrder::StartBulk { action, ids: targets, .. }), context)) = requested.last() else {
        panic!("{requested:?}")
    };
    assert!(matches!(&**action, BulkAction::Cancel { reason } if reason.as_str() == "x"), "{action:?}");
    assert_eq!((targets.as_slice(), context.key()), ([ids[0], ids[1]].as_slice(), Some("form:k")));
}

#[actix_web::test]
async fn the_past_is_shown_as_such_and_cannot_be_changed() {
    let (site, ids) = data_centre(&["a.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Operator).await;
    let before = site.append("deployment", &ids[0].to_string(), json!({"type": "PluginSucceeded", "plugin": "clean"})).await;
    let cancelled =
        json!({"type": "DeploymentCancelled", "device": Uuid::nil(), "by": "x", "reason": "mistaken", "released": []});
    site.append("deployment", &ids[0].to_string(), cancelled).await;
    let path = format!("/deployments/{}", ids[0]);
    let now = site.request_as(&bearer, TestRequest::get().uri(&path)).await;
    assert!(texts(&now, "#states [aria-current='step']")[0].starts_with("Cancelled"), "{}", now.text);
    let past = site.request_as(&bearer, TestRequest::get().uri(&format!("{path}?at={before}"))).await;
    assert!(texts(&past, ".past")[0].contains(&format!("event {before}")), "{}", past.text);
    assert_eq!(texts(&past, "#states [aria-current='step'] small")[0], "Open", "{}", past.text);
    assert_eq!(texts(&past, "button[aria-disabled] ~ #cancel-reason").len(), 1, "{}", past.text);
    assert!(!past.text.contains("mistaken"), "the past knows what came later");
}

#[actix_web::test]
async fn each_tab_is_a_link_that_keeps_the_moment_and_an_unknown_one_is_not_found() {
    let (site, ids) = data_centre(&["a.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let path = format!("/deployments/{}", ids[0]);
    let page = async |query: &str| site.request_as(&bearer, TestRequest::get().uri(&format!("{path}{query}"))).await;
    let parts = [("", "#states"), ("?tab=served", "#served"), ("?tab=changes", "#changes"), ("?tab=events", "#timeline")];
    for (query, part) in parts {
        let shown = page(query).await;
        for (_, other) in parts {
            assert_eq!(texts(&shown, other).len(), usize::from(other == part), "{query}: {other}");
        }
        assert_eq!(texts(&shown, "ul.tabs a[aria-current='page']").len(), 1, "{query}");
        assert_eq!(texts(&shown, "#head h1").len(), 1, "{query}");
    }
    let past = page("?at=4").await;
    assert_eq!(texts(&past, "ul.tabs a[href*='at=4']").len(), 4, "{}", past.text);
    assert_eq!(page("?tab=logs").await.status, 404);
}

#[actix_web::test]
async fn a_deployment_is_marked_installed_only_with_a_reason() {
    let (site, ids) = data_centre(&["a.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Operator).await;
    let path = format!("/deployments/{}/done", ids[0]);
    let empty = site.request_as(&bearer, form(&path, "key=k1&reason=+")).await;
    assert_eq!((empty.status.as_u16(), empty.rules()), (422, vec!["missing".to_owned()]));
    site.answer(Ok(Receipt { position: 1, id: ids[0].to_string(), repeated: false }));
    let done = site.request_as(&bearer, form(&path, "key=k2&reason=it+shows+the+login")).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, format!("/deployments/{}", ids[0]).as_str()));
    let requested = site.domain.requested.lock().expect("no panic");
    let Some((Command::Deployment(DeploymentAction::MarkDone { by, .. }), _)) = requested.last() else { panic!("{requested:?}") };
    assert!(matches!(by, DoneBy::Operator { reason, .. } if reason.as_str() == "it shows the login"), "{by:?}");
}

#[actix_web::test]
async fn an_operator_reports_a_restart_and_writes_a_note_without_invisible_characters() {
    let (site, ids) = data_centre(&["a.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Operator).await;
    let path = format!("/deployments/{}", ids[0]);
    let accepted = || site.answer(Ok(Receipt { position: 1, id: ids[0].to_string(), repeated: false }));
    accepted();
    assert_eq!(site.request_as(&bearer, form(&format!("{path}/restart-reported"), "key=k1")).await.status, 303);
    let refused = site.request_as(&bearer, form(&format!("{path}/notes"), "key=k2&note=a%E2%80%8Bb&ticket=OPS-1")).await;
    assert_eq!((refused.status.as_u16(), texts(&refused, "#error-note .error").len()), (422, 1), "{}", refused.text);
    let long = "x".repeat(301);
    let refused = site.request_as(&bearer, form(&format!("{path}/notes"), &format!("key=k3&ticket={long}"))).await;
    assert_eq!((refused.status.as_u16(), texts(&refused, "#error-ticket .error").len()), (422, 1), "{}", refused.text);
    accepted();
    assert_eq!(site.request_as(&bearer, form(&format!("{path}/notes"), "key=k4&note=%3Cb%3E&ticket=OPS-1")).await.status, 303);
    let names: Vec<&str> = site.domain.requested.lock().expect("no panic").iter().map(|(command, _)| command.name()).collect();
    assert_eq!(names, ["ReportRestart", "NoteDeployment"]);
}

#[actix_web::test]
async fn a_note_is_shown_and_found_and_exported() {
    let (site, ids) = data_centre(&["a.dc1.example", "b.dc1.example"]).await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let noted = json!({"type": "DeploymentNoted", "note": "waits for <the> disk", "ticket": "OPS-77"});
    let position = site.append("deployment", &ids[1].to_string(), noted).await;
    let get = async |path: &str| site.request_as(&bearer, TestRequest::get().uri(path)).await;
    for q in ["ops-77", "the%3E+disk"] {
        let list = get(&format!("/deployments?q={q}&columns=hostname,note,ticket")).await;
        assert_eq!(texts(&list, "tbody th a"), ["b.dc1.example"], "{q}");
        assert_eq!(texts(&list, "tbody td[data-label='Ticket']"), ["OPS-77"], "{q}");
    }
    assert_eq!(get("/api/v1/deployments?q=OPS-77").await.json()["items"][0]["note"], "waits for <the> disk");
    assert!(get("/deployments/export.csv?q=ops-77").await.text.trim_end().ends_with("waits for <the> disk,OPS-77"));
    let page = get(&format!("/deployments/{}", ids[1])).await;
    assert!(texts(&page, "#facts")[0].contains("OPS-77"), "{}", page.text);
    let before = get(&format!("/deployments/{}?at={}", ids[1], position - 1)).await;
    assert!(!before.text.contains("OPS-77"), "the past knows what came later");
    let changed = json!({"type": "DeploymentNoted", "note": "has its disk", "ticket": "OPS-77"});
    site.append("deployment", &ids[1].to_string(), changed).await;
    let events = get(&format!("/deployments/{}?tab=events", ids[1])).await;
    assert_eq!(texts(&events, "#timeline .changes del"), ["\u{2212}\u{a0}waits for <the> disk"], "{}", events.text);
}

#[actix_web::test]
async fn a_deployment_is_cloned_to_a_verified_device_with_its_role_and_image() {
    let (site, ids) = data_centre(&["a.dc1.example"]).await;
    let other = Uuid::now_v7();
    site.append("device", &other.to_string(), device_registered("52:54:00:00:00:99", None)).await;
    let bearer = site.bearer(TokenScope::Operator).await;
    let get = async |path: &str| site.request_as(&bearer, TestRequest::get().uri(path)).await;
    let path = format!("/deployments/{}/clone", ids[0]);
    assert_eq!(texts(&get(&path).await, ".empty").len(), 1, "a device that is not verified is offered");
    site.append("device", &other.to_string(), json!({"type": "DeviceVerified"})).await;
    let link = format!("tbody a[href='/devices/{other}/deploy?from={}']", ids[0]);
    assert_eq!(texts(&get(&path).await, &link).len(), 1);
    let viewer = site.bearer(TokenScope::Viewer).await;
    assert_eq!(site.request_as(&viewer, TestRequest::get().uri(&path)).await.status, 403);
}
