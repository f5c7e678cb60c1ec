//! What all lists have: pages in both directions, totals, chips of the active filters, exports, and saved views.

use crate::catalogue::{attributes, form, get};
use crate::elements::texts;
use crate::support::{Answer, TestSite, deployment_started, device_registered, network_defined, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use bootledger_port::{Command, Receipt, SavedViewAction};
use serde_json::json;
use uuid::Uuid;

/// Deployments of the hosts `a.dc1.example` to `e.dc1.example`, with rising addresses.
async fn five() -> TestSite {
    let site = TestSite::create().await;
    site.append_unseen("site", "dc1", site_defined()).await;
    site.append_unseen("network", "prod", network_defined()).await;
    for (n, name) in ["a", "b", "c", "d", "e"].iter().enumerate() {
        let (device, mac) = (Uuid::now_v7(), format!("52:54:00:00:00:{n:02x}"));
        site.append_unseen("device", &device.to_string(), device_registered(&mac, None)).await;
        let started = deployment_started(device, "prod", &mac, &format!("10.0.0.{}", 20 + n), &format!("{name}.dc1.example"));
        site.append_unseen("deployment", &Uuid::now_v7().to_string(), started).await;
    }
    site.show().await;
    site
}

fn hosts(page: &Answer) -> Vec<String> {
    texts(page, "tbody th a").iter().map(|name| name.chars().take(1).collect()).collect()
}

#[actix_web::test]
async fn a_page_leads_to_both_of_its_neighbours_in_every_order() {
    let site = five().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let read = async |path: &str| site.request_as(&bearer, TestRequest::get().uri(path)).await;
    for sort in ["hostname", "ip", "started", "since", "status", "role", "image", "site", "-hostname", "-ip", "-started"] {
        let first = read(&format!("/deployments?sort={sort}&limit=2")).await;
        assert_eq!((first.status.as_u16(), hosts(&first).len()), (200, 2), "{sort}");
        assert_eq!(texts(&first, ".list-count"), ["2 of 5 deployments"]);
        assert!(texts(&first, "a[rel='prev']").is_empty(), "{sort}");
        let second = read(&attributes(&first, "a[rel='next']", "href").remove(0)).await;
        let third = read(&attributes(&second, "a[rel='next']", "href").remove(0)).await;
        assert!(hosts(&third).len() == 1 && texts(&third, "a[rel='next']").is_empty(), "{sort}");
        let mut all: Vec<String> = [&first, &second, &third].into_iter().flat_map(hosts).collect();
        let back = read(&attributes(&third, "a[rel='prev']", "href").remove(0)).await;
        assert_eq!(hosts(&back), hosts(&second), "{sort}");
        let start = read(&attributes(&back, "a[rel='prev']", "href").remove(0)).await;
        assert_eq!(hosts(&start), hosts(&first), "{sort}");
        all.sort();
        assert_eq!(all, ["a", "b", "c", "d", "e"], "{sort}");
    }
    assert_eq!(read("/deployments?limit=0").await.status, 422);
}

#[actix_web::test]
async fn each_active_filter_is_a_chip_that_removes_it_even_if_it_has_no_field() {
    let site = five().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let read = async |path: &str| site.request_as(&bearer, TestRequest::get().uri(path)).await;
    let page = read("/deployments?sort=hostname&status=open&awaiting=dhcp-server%3Akea-1").await;
    assert_eq!(
        attributes(&page, ".chips a.chip", "href"),
        ["/deployments?sort=hostname&awaiting=dhcp-server%3Akea-1", "/deployments?sort=hostname&status=open"]
    );
    assert_eq!(attributes(&page, ".chips li:last-child a", "href"), ["/deployments?sort=hostname"]);
    assert!(texts(&read("/deployments").await, ".chips").is_empty());
    // The exports are above the table, and have the same filters.
    assert_eq!(attributes(&page, ".list-tools a[href*='export.csv']", "href").len(), 1);
    let devices = read("/devices?serial=none").await;
    assert_eq!(attributes(&devices, ".chips a.chip", "href"), ["/devices"]);
}

#[actix_web::test]
async fn a_catalogue_list_is_sorted_paged_and_exported() {
    let site = five().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    for (name, units) in [("r1", 42), ("r2", 10), ("r3", 47)] {
        let defined = json!({ "type": "RackDefined", "spec": { "site": "dc1", "units": units } });
        site.append("rack", name, defined).await;
    }
    let read = async |path: &str| site.request_as(&bearer, TestRequest::get().uri(path)).await;
    assert_eq!(texts(&read("/racks?sort=units").await, "tbody th"), ["r2", "r1", "r3"]);
    let first = read("/racks?sort=-units&limit=2").await;
    assert_eq!(texts(&first, "tbody th"), ["r3", "r1"]);
    let second = read(&attributes(&first, "a[rel='next']", "href").remove(0)).await;
    assert_eq!(texts(&second, "tbody th"), ["r2"]);
    let csv = read("/racks?as=csv&sort=units").await;
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines, ["name,site,description,units,retired", "r2,dc1,,10,false", "r1,dc1,,42,false", "r3,dc1,,47,false"]);
    assert_eq!(read("/racks?sort=colour").await.status, 400);
    let zones = read("/zones?as=csv&q=dc1").await;
    assert!(zones.text.starts_with("zone,site,direction,primary\r\n"), "{}", zones.text);
    assert_eq!(zones.text.lines().count(), attributes(&read("/zones?q=dc1").await, "tbody th a", "href").len() + 1);
    for path in ["/sites", "/networks", "/racks", "/dhcp-servers", "/boot-images", "/ventures"] {
        let page = read(&format!("{path}?q=d%26c")).await;
        let json = format!("/api/v1{path}?q=d%26c");
        assert!(attributes(&page, "footer a", "href").contains(&json), "{path}: {}", page.text);
        assert_eq!(read(&json).await.status, 200, "{path}");
    }
    assert!(attributes(&read("/zones").await, "footer a", "href").contains(&"/api/v1/sites".to_owned()));
}

#[actix_web::test]
async fn a_shared_view_is_offered_to_everyone_and_a_private_one_only_to_its_owner() {
    let site = five().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    for (n, (name, shared)) in [("Shared", true), ("Private", false)].into_iter().enumerate() {
        let spec =
            json!({ "list": "deployments", "name": name, "query": "status=open&sort=hostname&colour=red", "shared": shared });
        let saved = json!({ "type": "ViewSaved", "owner": "user ada", "spec": spec });
        site.append("saved_view", &Uuid::from_u128(n as u128 + 1).to_string(), saved).await;
    }
    let page = site.request_as(&bearer, get("/deployments")).await;
    assert_eq!(texts(&page, ".panel li a[href='/deployments?status=open&sort=hostname']"), ["Shared"], "{}", page.text);
    assert!(attributes(&page, ".panel form[action$='/delete']", "action").is_empty(), "another user's view can be deleted");
    site.append("saved_view", &Uuid::from_u128(1).to_string(), json!({ "type": "ViewDeleted" })).await;
    let page = site.request_as(&bearer, get("/deployments")).await;
    assert!(texts(&page, ".panel li a[href^='/deployments?status=open']").is_empty());
}

#[actix_web::test]
async fn timeline_and_ventures_have_saved_views_without_an_order() {
    let site = five().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let venture = json!({"type": "VentureDefined", "spec": {"description": "Sells", "parent": null, "default_boot_image": null}});
    site.append("venture", "shop", venture).await;
    for (n, (list, query)) in
        [("timeline", "type=DeviceRegistered&from=7d&limit=5"), ("ventures", "q=sells&sort=name")].into_iter().enumerate()
    {
        let spec = json!({ "list": list, "name": "Mine", "query": query, "shared": true });
        let saved = json!({ "type": "ViewSaved", "owner": "user ada", "spec": spec });
        site.append("saved_view", &Uuid::from_u128(n as u128 + 1).to_string(), saved).await;
    }
    let csv = site.request_as(&bearer, get("/ventures?as=csv")).await;
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines, ["venture,parent,description,default_boot_image,roles,retired", "shop,,Sells,,,false"]);
    for (path, opened) in [("/timeline", "/timeline?type=DeviceRegistered&from=7d"), ("/ventures", "/ventures?q=sells")] {
        let page = site.request_as(&bearer, get(path)).await;
        assert_eq!(attributes(&page, ".panel li a", "href"), [opened], "{}", page.text);
        assert!(attributes(&page, ".panel input[name='usual']", "name").is_empty(), "{path}");
        let shown = site.request_as(&bearer, get(opened)).await;
        assert_eq!(shown.status, 200, "{opened}: {}", shown.text);
        let query = opened.split_once('?').map_or("", |(_, query)| query);
        assert_eq!(attributes(&shown, ".panel input[name='query']", "value"), [query], "{path}");
    }
}

#[actix_web::test]
async fn a_view_is_saved_as_the_page_shows_it_without_its_place_in_the_list() {
    let site = five().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    site.answer(Ok(Receipt { position: 1, id: Uuid::nil().to_string(), repeated: false }));
    let fields = [("list", "deployments"), ("query", "status=open&after=x&at=3"), ("name", "Open"), ("shared", "true")];
    let saved = site.request_as(&bearer, form("/views", &fields)).await;
    assert_eq!((saved.status.as_u16(), saved.header("location")), (303, "/deployments?status=open"));
    {
        let requested = site.domain.requested.lock().expect("no panic");
        let (command, _) = requested.last().expect("a command");
        let Command::SavedView(SavedViewAction::SaveView { spec, .. }) = command else { panic!("{command:?}") };
        assert_eq!((spec.query.as_str(), spec.shared, spec.usual), ("status=open", true, false));
    }
    let unnamed = site.request_as(&bearer, form("/views", &[("list", "deployments"), ("query", ""), ("name", " ")])).await;
    assert_eq!((unnamed.status.as_u16(), unnamed.rules()), (422, vec!["missing".to_owned()]));
    let unknown = site.request_as(&bearer, form("/views", &[("list", "//evil"), ("query", ""), ("name", "x")])).await;
    assert_eq!(unknown.status, 422);
}
