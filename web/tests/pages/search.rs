//! Search, and the pages of addresses, MAC addresses and host names.

use crate::catalogue::{attributes, data_centre, device, get};
use crate::elements::texts;
use crate::support::{TestSite, deployment_started, device_registered};
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

const MAC: &str = "52:54:00:12:34:ab";

async fn end(site: &TestSite) -> i64 {
    sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&site.pool).await.expect("a position")
}

async fn decommission(site: &TestSite, device: Uuid) {
    site.append("device", &device.to_string(), json!({"type": "DeviceDecommissioned", "reason": "worn out"})).await;
}

async fn cancelled(site: &TestSite, device: Uuid, reason: &str) -> Uuid {
    let id = Uuid::now_v7();
    let started = deployment_started(device, "prod", MAC, "10.0.0.20", "h200.dc1.example");
    site.append("deployment", &id.to_string(), started).await;
    let cancelled = json!({"type": "DeploymentCancelled", "device": device, "by": "user ada", "reason": reason, "released": []});
    site.append("deployment", &id.to_string(), cancelled).await;
    id
}

#[actix_web::test]
async fn a_server_is_found_by_its_mac_in_any_notation_with_one_field() {
    let site = data_centre().await;
    let id = device(&site, MAC, "h200.dc1.example", "10.0.0.20").await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    for text in ["5254.0012.34AB", "5254.0012.34ab", "52-54-00-12-34-AB", MAC, "5254001234ab"] {
        let answer = site.request_as(&viewer, get(&format!("/search?q={text}"))).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, format!("/devices/{id}").as_str()), "{text}");
    }
    let past = format!("/search?q=5254.0012.34AB&at={}", end(&site).await);
    let answer = site.request_as(&viewer, get(&past)).await;
    assert_eq!(answer.header("location"), format!("/devices/{id}?at={}", end(&site).await));
    let before = site.request_as(&viewer, get("/search?q=5254.0012.34AB&at=2")).await;
    assert_eq!(before.header("location"), format!("/macs/{MAC}?at=2"), "no device had it then");
    let other = Uuid::now_v7();
    site.append("device", &other.to_string(), device_registered("52:54:00:12:34:ad", None)).await;
    // A part of it, and beside a deployment: a choice.
    cancelled(&site, id, "Wrong rack").await;
    for text in ["5254.0012", "5254.0012.34AB", "52:54:00:12"] {
        let page = site.request_as(&viewer, get(&format!("/search?q={text}"))).await;
        let found = attributes(&page, "#devices li a", "href");
        let all = [format!("/devices/{id}"), format!("/devices/{other}")];
        assert_eq!(found, all[..if text.len() > 12 { 1 } else { 2 }], "{text}: {}", page.text);
        assert_eq!(attributes(&page, "#deployments li a", "href").len(), 1, "{text}");
    }
}

#[actix_web::test]
async fn who_had_an_address_at_some_time_is_three_clicks_away() {
    let site = data_centre().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let first = device(&site, MAC, "h200.dc1.example", "10.0.0.20").await;
    let then = end(&site).await;
    decommission(&site, first).await;
    let second = device(&site, "52:54:00:12:34:ac", "h200.dc1.example", "10.0.0.20").await;
    // The search field, the address, the event.
    let results = site.request_as(&viewer, get("/search?q=10.0.0.20")).await;
    assert_eq!(attributes(&results, "#addresses li a", "href"), ["/addresses/10.0.0.20"], "{}", results.text);
    assert_eq!(attributes(&results, "#networks li a", "href"), ["/networks/prod"]);
    let page = site.request_as(&viewer, get("/addresses/10.0.0.20")).await;
    let holders = attributes(&page, "#holders tbody th a", "href");
    assert_eq!(holders, [format!("/devices/{second}"), format!("/devices/{first}")], "{}", page.text);
    let events = attributes(&page, "#holders tbody td a[href^='/timeline/']", "href");
    assert_eq!(events.len(), 3, "the first holder has a beginning and an end: {events:?}");
    assert_eq!(attributes(&page, "#holders tbody td a[href^='/deployments/']", "href").len(), 2);
    assert_eq!(attributes(&page, "#use a[href^='/networks/']", "href"), ["/networks/prod?map=10.0.0.20#map"]);
    assert_eq!(texts(&page, "#records tbody tr").len(), 4, "A and PTR of both");
    // At that time, its end was not known.
    let past = site.request_as(&viewer, get(&format!("/addresses/10.0.0.20?at={then}"))).await;
    assert_eq!(attributes(&past, "#holders tbody th a", "href").len(), 1);
    assert_eq!(attributes(&past, "#holders tbody td a[href^='/timeline/']", "href").len(), 1);
    for path in ["/macs/5254.0012.34AB", "/names/h200.dc1.example"] {
        let page = site.request_as(&viewer, get(path)).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(attributes(&page, "#holders tbody th a", "href").contains(&format!("/devices/{first}")), "{path}: {}", page.text);
    }
}

#[actix_web::test]
async fn an_address_that_nothing_had_says_so_and_where_it_lies() {
    let site = data_centre().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    for (ip, networks) in [("10.0.0.200", 1), ("192.0.2.1", 0)] {
        let page = site.request_as(&viewer, get(&format!("/addresses/{ip}"))).await;
        assert_eq!(page.status, 200);
        assert_eq!(texts(&page, ".empty").len(), 1, "{ip}");
        assert_eq!(attributes(&page, "#use a", "href").len(), networks, "{ip}");
        let json = site.request_as(&viewer, get(&format!("/api/v1/addresses/{ip}/history"))).await.json();
        assert_eq!(json["state"], if networks == 1 { "free" } else { "outside" });
        assert_eq!(json["holders"], json!([]));
    }
    for (ip, state) in [("10.0.0.0", "reserved"), ("10.0.0.5", "reserved"), ("10.0.0.255", "reserved")] {
        let json = site.request_as(&viewer, get(&format!("/api/v1/addresses/{ip}/history"))).await.json();
        assert_eq!((&json["state"], &json["network"]), (&json!(state), &json!("prod")), "{ip}");
    }
    for path in ["/addresses/10.0.0", "/macs/5254", "/names/10.0.0.1", "/addresses/10.0.0.300"] {
        assert_eq!(site.request_as(&viewer, get(path)).await.status, 400, "{path}");
    }
}

#[actix_web::test]
async fn every_kind_of_object_is_found() {
    let site = data_centre().await;
    let administrator = site.bearer(TokenScope::Administrator).await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let auditor = site.bearer(TokenScope::Auditor).await;
    let id = device(&site, MAC, "h200.dc1.example", "10.0.0.20").await;
    let deployment = cancelled(&site, id, "Wrong rack, OPS-4711").await;
    let rack = json!({"type": "RackDefined", "spec": {"site": "dc1", "description": "By the door", "units": 12}});
    site.append("rack", "r17", rack).await;
    let venture = json!({"type": "VentureDefined", "spec": {"description": "Sells", "parent": null, "default_boot_image": null}});
    site.append("venture", "shop", venture).await;
    let role = json!({"description": "Front ends", "default_boot_image": null, "puppet_classes": [], "puppet_parameters": {}});
    site.append("venture", "shop", json!({"type": "RoleDefined", "role": "web", "spec": role})).await;
    let reserved = json!({"type": "AddressReserved", "network": "prod", "spec": {"note": "New firewall", "expires": null}});
    site.append("reservation", "10.0.0.77", reserved).await;
    let released = json!({"type": "AddressReserved", "network": "prod", "spec": {"note": "Old printer", "expires": null}});
    site.append("reservation", "10.0.0.78", released).await;
    site.append("reservation", "10.0.0.78", json!({"type": "AddressReleased", "network": "prod"})).await;
    site.user("otto", Role::Viewer).await;
    let find = async |bearer: &str, q: &str| -> Vec<(String, String)> {
        let answer = site.request_as(bearer, get(&format!("/api/v1/search?q={q}"))).await;
        assert_eq!(answer.status, 200, "{q}: {}", answer.text);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let groups = answer.json()["groups"].as_array().cloned().unwrap_or_default();
        let items = groups.iter().flat_map(|group| group["items"].as_array().cloned().unwrap_or_default());
        items.map(|item| (text(&item["kind"]), text(&item["key"]))).collect()
    };
    let (id, deployment) = (id.to_string(), deployment.to_string());
    for (q, kind, key) in [
        ("10.0.0.13", "device", id.as_str()),
        (&id[..18], "device", &id),
        ("ops-4711", "deployment", &deployment),
        (&deployment, "deployment", &deployment),
        ("H200", "device", &id),
        ("h2", "device", &id),
        ("h200.dc1.example", "hostname", "h200.dc1.example"),
        ("10.0.0.0/28", "network", "prod"),
        ("10.0.0.0/27", "address", "10.0.0.20"),
        ("10.0.0.2", "network", "prod"),
        ("10.0.", "address", "10.0.0.20"),
        ("r17", "rack", "r17"),
        ("by%20the%20door", "rack", "r17"),
        ("dc1", "site", "dc1"),
        ("sells", "venture", "shop"),
        ("new%20fire", "reservation", "10.0.0.77"),
        ("10.0.0.77", "reservation", "10.0.0.77"),
        ("front", "role", "web"),
        ("3", "event", "3"),
        ("%233", "event", "3"),
        ("c-1", "event", "1"),
    ] {
        let found = find(&viewer, q).await;
        assert!(found.contains(&(kind.to_owned(), key.to_owned())), "{q}: {found:?}");
    }
    let user = ("user".to_owned(), "otto".to_owned());
    for (bearer, found) in [(&administrator, true), (&auditor, true), (&viewer, false)] {
        assert_eq!(find(bearer, "otto").await.contains(&user), found);
    }
    for q in ["", "%20", "%25", "zzzz", "true", "spec", "printer", "%5C", "'%3B--"] {
        assert_eq!(find(&administrator, q).await, [], "{q}");
    }
    let before = find(&viewer, "h200&at=2").await;
    assert_eq!(before, [], "as of the network");
    let unnoted = end(&site).await;
    site.append("deployment", &deployment, json!({"type": "DeploymentNoted", "ticket": "OPS-5812"})).await;
    assert!(find(&viewer, "ops-5812").await.contains(&("deployment".to_owned(), deployment)));
    assert_eq!(find(&viewer, &format!("ops-5812&at={unnoted}")).await, [], "the ticket came later");
}

#[actix_web::test]
async fn a_reserved_address_leads_to_its_page_which_says_what_it_is_reserved_for() {
    let site = data_centre().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let reserved = json!({"type": "AddressReserved", "network": "prod", "spec": {"note": "New <firewall>", "expires": null}});
    site.append("reservation", "10.0.0.77", reserved).await;
    let results = site.request_as(&viewer, get("/search?q=firewall")).await;
    assert_eq!(attributes(&results, "#reservations li a", "href"), ["/addresses/10.0.0.77"], "{}", results.text);
    let page = site.request_as(&viewer, get("/addresses/10.0.0.77")).await;
    assert!(texts(&page, "#use dd").iter().any(|text| text.contains("New <firewall>")), "{}", page.text);
    assert_eq!(attributes(&page, "#holders tbody th a", "href"), ["/networks/prod#reservations"]);
    let json = site.request_as(&viewer, get("/api/v1/addresses/10.0.0.77/history")).await.json();
    assert_eq!((&json["state"], &json["reservation"]["spec"]["note"]), (&json!("reserved"), &json!("New <firewall>")));
    let range = site.request_as(&viewer, get("/api/v1/search?q=10.0.0.77/32")).await.json();
    assert!(range.to_string().contains("reserved: New <firewall>"), "{range}");
}

#[actix_web::test]
async fn the_timeline_finds_former_names_and_former_holders() {
    let site = data_centre().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let first = device(&site, MAC, "h200.dc1.example", "10.0.0.20").await;
    for name in ["Old name", "New name"] {
        let changed = json!({
            "type": "DeviceChanged", "name": name, "serial": null, "asset": null, "site": null, "rack": null, "position": null,
            "macs_added": [], "macs_removed": [], "management": null
        });
        site.append("device", &first.to_string(), changed).await;
    }
    decommission(&site, first).await;
    let second = device(&site, "52:54:00:12:34:ac", "h201.dc1.example", "10.0.0.20").await;
    for (object, devices) in [
        ("old+name", vec![first]),
        ("New+name", vec![first]),
        (MAC, vec![first]),
        ("h200.dc1.example", vec![first]),
        ("10.0.0.20", vec![first, second]),
    ] {
        let json = site.request_as(&viewer, get(&format!("/api/v1/events?object={object}"))).await.json();
        let items = json["items"].as_array().cloned().unwrap_or_default();
        let found: BTreeSet<String> =
            items.iter().map(|item| item["aggregate_id"].as_str().unwrap_or_default().to_owned()).collect();
        let expected: BTreeSet<String> = devices.iter().map(Uuid::to_string).collect();
        assert_eq!(found, expected, "{object}: {json}");
    }
}

#[actix_web::test]
async fn suggestions_are_for_the_script_and_keep_the_past() {
    let site = data_centre().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let id = device(&site, MAC, "h200.dc1.example", "10.0.0.20").await;
    let end = end(&site).await;
    let path = format!("/search/suggest?q=h200&at={end}");
    let answer = site.request_as(&viewer, get(&path).insert_header(("hx-request", "true"))).await;
    let options = attributes(&answer, "#quick-options [role=option]", "href");
    assert!(options.contains(&format!("/devices/{id}?at={end}")), "{}", answer.text);
    assert_eq!(options.last(), Some(&format!("/search?q=h200&at={end}")));
    let ids = attributes(&answer, "[role=option]", "id");
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), options.len(), "{ids:?}");
    let direct = site.request_as(&viewer, get(&path)).await;
    assert_eq!((direct.status.as_u16(), direct.header("location")), (303, format!("/search?q=h200&at={end}").as_str()));
}
