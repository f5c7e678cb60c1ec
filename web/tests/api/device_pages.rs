//! The pages of devices: lists in every order, exports, forms that are refused and accepted, and many devices at once.

use crate::elements::texts;
use crate::samples::proposed;
use crate::support::{TestSite, device_registered, network_defined, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::bulk::BulkAction;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::values::tag::Tag;
use bootledger_port::{BulkOrder, Command, CommandError, DeploymentAction, DeviceAction, Receipt};
use serde_json::{Value, json};
use uuid::Uuid;

/// A device of the site `dc1` with this number, name and serial number.
fn named(number: u32, name: &str, serial: Option<&str>) -> Value {
    let mut device = device_registered(&format!("52:54:00:00:00:{number:02x}"), None);
    (device["name"], device["serial"]) = (json!(name), json!(serial));
    device
}

fn form(path: &str, pairs: &[(&str, &str)]) -> TestRequest {
    TestRequest::post().uri(path).insert_header(("accept", "text/html")).set_form(pairs)
}

async fn register(site: &TestSite, devices: &[Value]) -> Vec<String> {
    site.append("site", "dc1", site_defined()).await;
    let mut ids = vec![];
    for device in devices {
        let id = Uuid::now_v7().to_string();
        site.append_unseen("device", &id, device.clone()).await;
        ids.push(id);
    }
    site.show().await;
    ids
}

fn refusal(field: &str, rule: Rule, message: &str) -> CommandError {
    CommandError::Refused(vec![BrokenRule::new(field, rule, message)])
}

#[actix_web::test]
async fn every_order_is_read_page_by_page_without_gap_or_repetition() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let devices = [
        named(1, "b web 1", Some("S3")),
        named(2, "a web 2", None),
        named(3, "a web 2", Some("S1")),
        named(4, "", Some("S1")),
        named(5, "c", None),
    ];
    // Serial numbers are unique; names need not be.
    let devices: Vec<Value> = devices
        .into_iter()
        .enumerate()
        .map(|(index, mut device)| {
            if index == 3 {
                device["serial"] = json!("S2");
            }
            device
        })
        .collect();
    register(&site, &devices).await;
    for sort in ["registered", "-registered", "name", "-name", "serial", "-serial", "changed", "-changed"] {
        let whole =
            site.request_as(&viewer, TestRequest::get().uri(&format!("/api/v1/devices?sort={sort}"))).await.json()["items"]
                .clone();
        let ids = |items: &Value| -> Vec<String> {
            items.as_array().expect("items").iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
        };
        let (mut seen, mut after) = (vec![], String::new());
        loop {
            let path = format!("/api/v1/devices?sort={sort}&limit=2{after}");
            let page = site.request_as(&viewer, TestRequest::get().uri(&path)).await.json();
            seen.extend(ids(&page["items"]));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={}", next.replace(' ', "%20").replace('+', "%2B"));
        }
        assert_eq!((seen.len(), &seen), (5, &ids(&whole)), "{sort}");
    }
    let names = site.request_as(&viewer, TestRequest::get().uri("/devices?sort=name")).await;
    assert_eq!(texts(&names, "tbody th"), ["S2", "a web 2", "a web 2", "b web 1", "c"]);
    let wrong = site.request_as(&viewer, TestRequest::get().uri("/devices?sort=name&after=nonsense")).await;
    assert_eq!(wrong.status, 400);
}

#[actix_web::test]
async fn a_list_is_filtered_and_searched_and_links_to_its_csv() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    let ids = register(&site, &[named(1, "web <1>", Some("S1")), named(2, "=1+1", Some("S2"))]).await;
    let list = site.request_as(&operator, TestRequest::get().uri("/devices?q=WEB&verified=false&site=dc1")).await;
    assert_eq!(texts(&list, "tbody th"), ["web <1>"]);
    assert_eq!(texts(&list, "footer a[href^='/devices/export.csv?q=WEB']").len(), 1);
    assert_eq!(texts(&list, &format!("input[name='id'][value='{}'][form='bulk']", ids[0])).len(), 1);
    let nothing = site.request_as(&operator, TestRequest::get().uri("/devices?q=db")).await;
    assert_eq!((texts(&nothing, ".empty p").len(), texts(&nothing, "tbody th").len()), (1, 0));
    let live = site.request_as(&operator, TestRequest::get().uri("/devices?live=true")).await;
    assert!(texts(&live, "tbody th").is_empty());
    assert_eq!(site.request_as(&operator, TestRequest::get().uri("/devices?vereified=true")).await.status, 400);
    let csv = site.request_as(&operator, TestRequest::get().uri("/devices/export.csv?sort=name&columns=name")).await;
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!((lines.len(), csv.header("content-type")), (3, "text/csv; charset=utf-8; header=present"));
    assert!(lines[0].starts_with("id,name,serial,") && lines[1].contains(",'=1+1,S2,"), "{lines:?}");
}

#[actix_web::test]
async fn a_page_about_a_device_shows_the_possible_actions_and_each_tab_is_a_page() {
    let site = TestSite::create().await;
    let (operator, viewer) = (site.bearer(TokenScope::Operator).await, site.bearer(TokenScope::Viewer).await);
    let id = register(&site, &[named(1, "web 1", Some("S1"))]).await.remove(0);
    let request =
        async |bearer: &str, tab: &str| site.request_as(bearer, TestRequest::get().uri(&format!("/devices/{id}{tab}"))).await;
    let page = request(&operator, "").await;
    let reason = texts(&page, "button[aria-disabled] ~ #deploy-reason").concat();
    assert!(reason.contains("verified") && !reason.contains("operator"), "{reason}");
    assert!(texts(&request(&viewer, "").await, "#deploy-reason")[0].contains("operator"));
    for (tab, part) in [("/components", "#interfaces"), ("/addresses", "#holdings"), ("/history", "#deployments")] {
        let page = request(&operator, tab).await;
        assert_eq!(texts(&page, part).len(), 1, "{tab}: {page:?}");
        assert_eq!(texts(&page, "ul.tabs a[aria-current]").len(), 1, "{tab}");
    }
    let history = request(&operator, "/history").await;
    assert_eq!(texts(&history, "ol.timeline li[id^='event-']").len(), 1);
    assert_eq!(site.request_as(&viewer, TestRequest::get().uri(&format!("/devices/{}", Uuid::nil()))).await.status, 404);
    let past = request(&operator, "?at=1").await;
    assert_eq!(past.status, 404, "a device is shown before it was registered");
}

#[actix_web::test]
async fn registering_keeps_what_was_written_until_every_rule_holds() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    register(&site, &[]).await;
    let wrong = [("name", "web <1>"), ("macs", "5254"), ("position", "top"), ("management.credentials", "bmc"), ("key", "k1")];
    let refused = site.request_as(&operator, form("/devices/new", &wrong)).await;
    assert_eq!(refused.status, 422);
    let fields: Vec<String> = ["site", "position", "macs", "management.address"]
        .iter()
        .map(|name| format!("#refused a[href='#field-{name}']"))
        .collect();
    for field in fields {
        assert_eq!(texts(&refused, &field).len(), 1, "{field}: {}", refused.text);
    }
    assert!(refused.text.contains("value=\"web &lt;1&gt;\""));
    assert!(site.domain.requested.lock().expect("no panic").is_empty());

    let right = [("name", "web 1"), ("site", "dc1"), ("macs", "52:54:00:00:00:01"), ("assignment", "shop/web"), ("key", "k2")];
    site.answer(Err(refusal("venture", Rule::VentureUnknown, "there is no venture shop")));
    let refused = site.request_as(&operator, form("/devices/new", &right)).await;
    assert_eq!((refused.status.as_u16(), refused.rules()), (422, vec!["venture_unknown".to_owned()]));
    let errors = texts(&refused, "#error-assignment .error");
    assert!(errors.len() == 1 && errors[0].contains("no venture shop"), "{errors:?}");
    let id = Uuid::now_v7().to_string();
    site.answer(Ok(Receipt { position: 0, id: id.clone(), repeated: false }));
    let done = site.request_as(&operator, form("/devices/new", &right)).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, format!("/devices/{id}").as_str()));
    let requested = site.domain.requested.lock().expect("no panic");
    let (Command::Device(DeviceAction::RegisterDevice { spec, venture, .. }), context) = &requested[1] else {
        panic!("{requested:?}")
    };
    assert_eq!((spec.macs.len(), venture.as_ref().map(ToString::to_string)), (1, Some("shop".to_owned())));
    assert_eq!(context.key(), Some("form:k2"));
}

#[actix_web::test]
async fn the_form_of_a_deployment_is_filled_in_checked_as_one_types_and_again_when_it_is_sent() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    let mut device = named(1, "web 1", Some("S1"));
    device["rack"] = json!("r01");
    let id = register(&site, &[device]).await.remove(0);
    let mut network = network_defined();
    network["spec"]["racks"] = json!(["r01"]);
    site.append("network", "prod", network).await;
    let path = format!("/devices/{id}/deploy");
    let check = |answer| site.domain.checks.lock().expect("no panic").push_back(answer);

    check(Err(refusal("device", Rule::DeviceNotVerified, "the device is not verified")));
    let page = site.request_as(&operator, TestRequest::get().uri(&path)).await;
    assert_eq!(texts(&page, "#field-mac option[selected]"), ["52:54:00:00:00:01"]);
    for (field, value, from) in [("ip", "10.0.0.11", "10.0.0.0/24"), ("hostname", "h200.dc1.example", "h<200,299>.dc1.example")] {
        assert_eq!(texts(&page, &format!("#field-{field}[value='{value}']")).len(), 1, "{}", page.text);
        assert!(texts(&page, &format!("#box-{field} .suggestions"))[0].contains(from), "{}", page.text);
    }
    let errors = texts(&page, "#error-device .error");
    assert!(errors.len() == 1 && errors[0].contains("is not verified"), "{errors:?}: {}", page.text);

    let sent = [
        ("venture", "shop"),
        ("role", "web"),
        ("boot_image", "debian"),
        ("mac", "52:54:00:00:00:01"),
        ("ip", "10.0.0.1"),
        ("hostname", "H200.dc1.example"),
        ("roles_of", "shop"),
        ("key", "k1"),
    ];
    check(Err(refusal("ip", Rule::IpInMargin, "10.0.0.1 is in the margin")));
    let checked = site.request_as(&operator, form(&format!("{path}/check"), &sent)).await;
    let errors = texts(&checked, "hx-partial#error-ip .error");
    assert_eq!((checked.status.as_u16(), errors.len()), (200, 1), "{}", checked.text);
    assert!(errors[0].contains("10.0.0.1 is in the margin"), "{errors:?}");
    assert_eq!(texts(&checked, "hx-partial#error-hostname"), [""]);
    assert!(texts(&checked, "input#field-ip").is_empty(), "a field is replaced while a user types in it");

    site.answer(Err(refusal("ip", Rule::IpInMargin, "10.0.0.1 is in the margin")));
    let refused = site.request_as(&operator, form(&path, &sent)).await;
    assert_eq!((refused.status.as_u16(), refused.rules()), (422, vec!["ip_in_margin".to_owned()]));
    let errors = texts(&refused, "#error-ip .error");
    assert!(errors.len() == 1 && errors[0].contains("10.0.0.1 is in the margin"), "{errors:?}");
    assert_eq!(texts(&refused, "#field-ip[value='10.0.0.1']").len(), 1);
    let deployment = Uuid::now_v7().to_string();
    site.answer(Ok(Receipt { position: 0, id: deployment.clone(), repeated: false }));
    let done = site.request_as(&operator, form(&path, &sent)).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, format!("/deployments/{deployment}").as_str()));
    let requested = site.domain.requested.lock().expect("no panic");
    let Some((Command::Deployment(DeploymentAction::StartDeployment(new)), _)) = requested.last() else {
        panic!("{requested:?}")
    };
    assert_eq!(new.hostname.as_ref().map(ToString::to_string).as_deref(), Some("h200.dc1.example"));
}

#[actix_web::test]
async fn a_bulk_action_fixes_its_devices_by_id_first_and_starts_with_a_page_of_its_own() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    let ids = register(&site, &[named(1, "a", None), named(2, "b", None), named(3, "c", None)]).await;
    let set = json!({"type": "VentureRoleSet", "venture": "shop", "role": "web"});
    site.append("device", &ids[0], set.clone()).await;
    site.append("device", &ids[1], set).await;
    let preview = site
        .request_as(&operator, form("/devices/bulk", &[("what", "verify"), ("all", "true"), ("list", "/devices?site=dc1")]))
        .await;
    assert!(texts(&preview, "h1")[0].contains("2 of 3"), "{}", preview.text);
    assert_eq!(texts(&preview, "input[name='do']").len(), 2);
    assert_eq!(texts(&preview, "tbody tr:has(.badge.neutral) th"), ["c"], "{}", preview.text);
    assert!(texts(&preview, "tbody tr:has(.badge.neutral) td")[0].contains("venture"), "{}", preview.text);

    let list = [("what", "verify"), ("list", "/devices?site=dc1"), ("key", "k1"), ("do", &ids[0]), ("do", &ids[1])];
    site.answer(Err(refusal("ids", Rule::BulkRowTwice, "a is selected twice")));
    let refused = site.request_as(&operator, form("/devices/bulk/do", &list)).await;
    assert_eq!((refused.status.as_u16(), refused.rules()), (422, vec!["bulk_row_twice".to_owned()]));
    let bulk = Uuid::now_v7().to_string();
    site.answer(Ok(Receipt { position: 0, id: bulk.clone(), repeated: false }));
    let started = site.request_as(&operator, form("/devices/bulk/do", &list)).await;
    assert_eq!((started.status.as_u16(), started.header("location")), (303, format!("/bulk-actions/{bulk}").as_str()));
    let requested = site.domain.requested.lock().expect("no panic");
    let Some((Command::Bulk(BulkOrder::StartBulk { action, ids: rows, list }), context)) = requested.last() else {
        panic!("{requested:?}")
    };
    assert_eq!((action.name(), list.as_str(), context.key()), ("verify", "/devices?site=dc1", Some("form:k1")));
    assert_eq!(rows.iter().map(ToString::to_string).collect::<Vec<_>>(), ids[..2]);
}

#[actix_web::test]
async fn a_bulk_edit_adds_and_removes_tags() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    let ids = register(&site, &[named(1, "a", None)]).await;
    let chosen = [("what", "edit"), ("list", "/devices"), ("id", &ids[0])];
    let preview = site.request_as(&operator, form("/devices/bulk", &chosen)).await;
    assert_eq!(texts(&preview, "#field-add_tags, #field-remove_tags").len(), 2, "{}", preview.text);

    let wrong = [("what", "edit"), ("list", "/devices"), ("id", &ids[0]), ("do", &ids[0]), ("add_tags", "spare not/a/tag")];
    let refused = site.request_as(&operator, form("/devices/bulk/do", &wrong)).await;
    assert_eq!((refused.status.as_u16(), refused.rules()), (422, vec!["malformed".to_owned()]));
    assert_eq!(texts(&refused, "#error-add_tags .error").len(), 1, "{}", refused.text);

    let sent = [
        ("what", "edit"),
        ("list", "/devices"),
        ("key", "k1"),
        ("do", &ids[0]),
        ("add_tags", "Spare, row:4"),
        ("remove_tags", "gpu"),
    ];
    site.answer(Ok(Receipt { position: 0, id: Uuid::now_v7().to_string(), repeated: false }));
    let started = site.request_as(&operator, form("/devices/bulk/do", &sent)).await;
    assert_eq!(started.status.as_u16(), 303, "{}", started.text);
    let requested = site.domain.requested.lock().expect("no panic");
    let Some((Command::Bulk(BulkOrder::StartBulk { action, .. }), _)) = requested.last() else { panic!("{requested:?}") };
    let BulkAction::Edit { add_tags, remove_tags, .. } = &**action else { panic!("{action:?}") };
    let tags: Vec<&str> = add_tags.iter().chain(remove_tags).map(Tag::as_str).collect();
    assert_eq!(tags, ["spare", "row:4", "gpu"]);
}

#[actix_web::test]
async fn many_deployments_are_previewed_before_they_are_started() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    let ids = register(&site, &[named(1, "a", None), named(2, "b", None)]).await;
    {
        let mut checks = site.domain.checks.lock().expect("no panic");
        checks.push_back(Ok(proposed(Uuid::nil(), [10, 0, 0, 11], "h200.dc1.example")));
        checks.push_back(Err(refusal("device", Rule::DeviceNotVerified, "the device is not verified")));
    }
    let chosen = [("what", "deploy"), ("list", "/devices"), ("id", &ids[0]), ("id", &ids[1]), ("boot_image", "debian")];
    let preview = site.request_as(&operator, form("/devices/bulk", &chosen)).await;
    assert!(texts(&preview, "h1")[0].contains("1 of 2"), "{}", preview.text);
    let planned = &texts(&preview, "tbody td")[0];
    assert!(["shop", "web", "debian", "prod"].iter().all(|value| planned.contains(value)), "{planned}");
    assert_eq!(texts(&preview, "tbody tr:has(.badge.neutral) th"), ["b"], "{}", preview.text);
    assert!(texts(&preview, "tbody tr:has(.badge.neutral) td")[0].contains("is not verified"), "{}", preview.text);
    let checked = site.domain.checked.lock().expect("no panic");
    assert!(checked.iter().all(|new| new.boot_image.is_some() && new.ip.is_none()), "{checked:?}");
}
