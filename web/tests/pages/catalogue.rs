//! The catalogue: lists, pages, forms, and the confirmation before something is retired.

use crate::elements::texts;
use crate::support::{Answer, TestSite, deployment_started, device_registered, network_defined, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::token::TokenScope;
use bootledger_port::{CatalogueAction, Command, CommandError, Kind, Receipt};
use scraper::{Html, Selector};
use serde_json::json;
use uuid::Uuid;

/// A site and its network, without devices.
pub(crate) async fn data_centre() -> TestSite {
    let site = TestSite::create().await;
    site.append("site", "dc1", site_defined()).await;
    site.append("network", "prod", network_defined()).await;
    site
}

pub(crate) fn attributes(answer: &Answer, selector: &str, name: &str) -> Vec<String> {
    let page = Html::parse_document(&answer.text);
    let selector = Selector::parse(selector).expect("a selector");
    let found = page.select(&selector);
    found.map(|found| found.attr(name).unwrap_or_default().to_owned()).collect()
}

pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> TestRequest {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    TestRequest::post()
        .uri(path)
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .insert_header(("accept", "text/html"))
        .set_payload(body)
}

pub(crate) fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path).insert_header(("accept", "text/html"))
}

pub(crate) fn done(id: &str) -> Receipt {
    Receipt { position: 1, id: id.to_owned(), repeated: false }
}

/// Creates a device with this host name and address and returns its id.
pub(crate) async fn device(site: &TestSite, mac: &str, hostname: &str, ip: &str) -> Uuid {
    let id = Uuid::now_v7();
    site.append("device", &id.to_string(), device_registered(mac, Some("10.0.0.13"))).await;
    let deployment = Uuid::now_v7();
    let created = json!({"type": "DnsEntryCreated", "deployment": deployment, "entry": {"hostname": hostname, "ip": ip}});
    site.append("device", &id.to_string(), json!({"type": "AddressAssigned", "deployment": deployment, "ip": ip})).await;
    site.append("device", &id.to_string(), created).await;
    id
}

/// The lists, and where each leads when it is empty: to what has to exist first.
const LISTS: [(&str, &str); 7] = [
    ("/networks", "/sites/_new"),
    ("/zones", "/sites/_new"),
    ("/dhcp-servers", "/sites/_new"),
    ("/boot-images", "/boot-images/_new"),
    ("/ventures", "/ventures/_new"),
    ("/sites", "/sites/_new"),
    ("/sites?q=%22%3E%3Cscript%3E", "/sites"),
];

#[actix_web::test]
async fn an_empty_list_leads_to_what_has_to_exist_first() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    for (path, first) in LISTS {
        let page = site.request_as(&bearer, get(path)).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(attributes(&page, ".empty a", "href"), [first], "{path}: {}", page.text);
        assert_eq!(texts(&page, "h1").len(), 1, "{path}");
        assert!(!page.text.contains("<script>") && !page.text.contains(" style=") && !page.text.contains("onclick"), "{path}");
    }
}

#[actix_web::test]
async fn a_viewer_sees_why_nothing_can_be_changed_and_is_refused() {
    let site = data_centre().await;
    site.append(
        "dhcp_server",
        "kea-1",
        json!({"type": "DhcpServerDefined", "spec": {"site": "dc1", "address": null, "kind": "kea"}}),
    )
    .await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let operator = site.bearer(TokenScope::Operator).await;
    for page in ["/networks/prod", "/sites/dc1", "/dhcp-servers/kea-1"] {
        let shown = site.request_as(&bearer, get(page)).await;
        assert!(texts(&shown, "#retire-reason")[0].contains("administrator"), "{page}: {}", shown.text);
        for who in [&bearer, &operator] {
            assert_eq!(site.request_as(who, get(&format!("{page}/edit"))).await.status, 403, "{page}");
            for path in ["edit", "retire"] {
                assert_eq!(site.request_as(who, form(&format!("{page}/{path}"), &[])).await.status, 403, "{page}/{path}");
            }
        }
    }
    for path in
        ["/networks/_new", "/ventures/shop/roles/_new", "/boot-images/debian/files/x/remove", "/boot-images/debian/files/x/edit"]
    {
        assert_eq!(site.request_as(&operator, form(path, &[])).await.status, 403, "{path}");
    }
    assert_eq!(site.request_as(&bearer, form("/sites/dc1/drift/repair", &[("what", "dc1/dhcp/kea-1")])).await.status, 403);
    assert!(site.domain.requested.lock().expect("no panic").is_empty(), "a command reached the domain");
}

#[actix_web::test]
async fn a_refused_form_shows_every_problem_beside_its_field_and_keeps_the_input() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    let broken =
        BrokenRule::new("cidr", Rule::NetworkOverlaps, "10.0.0.0/25 shares addresses with network prod").held_by("network prod");
    site.answer(Err(CommandError::Refused(vec![
        broken,
        BrokenRule::new("vlan", Rule::VlanRange, "a VLAN number must be 1 to 4094"),
    ])));
    let fields =
        [("called", "lab"), ("cidr", "10.0.0.0/25"), ("site", "dc1"), ("vlan", "4095"), ("racks", "r1"), ("dhcp", "true")];
    let refused = site.request_as(&bearer, form("/networks/_new", &fields)).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.rules(), ["network_overlaps", "vlan_range"]);
    assert_eq!([texts(&refused, "#error-cidr .error").len(), texts(&refused, "#error-vlan .error").len()], [1, 1]);
    assert_eq!(attributes(&refused, "#refused a", "href"), ["#field-cidr", "#field-vlan"]);
    assert_eq!(attributes(&refused, "#field-vlan", "value"), ["4095"]);
    assert_eq!(texts(&refused, "#field-racks"), ["r1"]);
    assert_eq!(attributes(&refused, "#field-site option[selected]", "value"), ["dc1"]);
    // Values that cannot be parsed are reported together, without a command to the domain.
    let requested = site.domain.requested.lock().expect("no panic").len();
    let fields = [("called", "prod"), ("cidr", "x"), ("site", "dc 1"), ("gateway", "10.0.0")];
    let refused = site.request_as(&bearer, form("/networks/_new", &fields)).await;
    assert_eq!(refused.status, 422);
    assert_eq!(attributes(&refused, "#refused a", "href"), ["#field-called", "#field-cidr", "#field-site", "#field-gateway"]);
    assert_eq!(refused.rules(), ["name_taken", "malformed", "malformed", "malformed"]);
    assert_eq!(texts(&refused, "#error-called .error").len(), 1);
    assert_eq!(site.domain.requested.lock().expect("no panic").len(), requested);
}

#[actix_web::test]
async fn hostile_names_are_refused_and_never_become_markup() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    let long = "a".repeat(300);
    for name in ["\"><script>alert(1)</script>", "'; DROP TABLE", "{{ 7 * 7 }}", "../../etc", "a\nb", long.as_str()] {
        for path in ["/networks/_new", "/sites/_new", "/dhcp-servers/_new", "/boot-images/_new", "/ventures/_new"] {
            let fields = [
                ("called", name),
                ("cidr", "10.9.0.0/24"),
                ("site", name),
                ("domain", name),
                ("description", name),
                ("kind", name),
                ("parent", name),
            ];
            let refused = site.request_as(&bearer, form(path, &fields)).await;
            assert_eq!(refused.status, 422, "{path} took {name:?}");
            assert_eq!(
                attributes(&refused, "#refused a[href='#field-called']", "href").len(),
                1,
                "{path} {name:?}: {}",
                refused.text
            );
            assert!(!refused.text.contains("<script>alert"), "{path}");
        }
        let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        for path in [
            "/networks?q=",
            "/zones?q=",
            "/ventures?q=",
            "/boot-images?q=",
            "/dhcp-servers?q=",
            "/sites?q=",
            "/zones/dc1.example?q=",
        ] {
            let page = site.request_as(&bearer, get(&format!("{path}{encoded}"))).await;
            assert!(page.status == 200 && !page.text.contains("<script>alert"), "{path}{name}: {}", page.status);
        }
    }
    assert!(site.domain.requested.lock().expect("no panic").is_empty());
}

#[actix_web::test]
async fn the_confirmation_of_retiring_shows_its_effect_and_what_prevents_it() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    let requested = site.request_as(&bearer, get("/networks/prod/retire")).await;
    assert_eq!(attributes(&requested, "form:has(button.danger)", "action"), ["/networks/prod/retire"]);
    device(&site, "52:54:00:00:00:01", "h200.dc1.example", "10.0.0.20").await;
    let requested = site.request_as(&bearer, get("/networks/prod/retire")).await;
    let reasons = texts(&requested, "button[aria-disabled] ~ .reason");
    assert!(reasons.len() == 1 && reasons[0].contains("1 address"), "{reasons:?}: {}", requested.text);
    let requested = site.request_as(&bearer, get("/sites/dc1/retire")).await;
    let reason = texts(&requested, "button[aria-disabled] ~ .reason").concat();
    assert!(reason.contains("prod") && reason.contains("h200.dc1.example"), "{reason}");
    assert_eq!(attributes(&requested, "#question li a", "href")[0], "/networks/prod");
    for n in 1..4 {
        device(&site, &format!("52:54:00:00:01:0{n}"), &format!("h20{n}.dc1.example"), &format!("10.0.0.2{n}")).await;
    }
    let requested = site.request_as(&bearer, get("/sites/dc1/retire")).await;
    // The network, three of the four devices, and the list of the others.
    let links = attributes(&requested, "#question li a", "href");
    assert_eq!((links.len(), links.last().map(String::as_str)), (5, Some("/devices?site=dc1")), "{links:?}");
    // Another user may make a change between the page and its form.
    site.answer(Err(CommandError::Refused(vec![BrokenRule::new("", Rule::SiteInUse, "the site is still used by rack <r1>")])));
    let refused = site.request_as(&bearer, form("/sites/dc1/retire", &[("key", "k")])).await;
    assert_eq!((refused.status.as_u16(), refused.rules()), (422, vec!["site_in_use".to_owned()]));
    assert!(texts(&refused, "#refused li")[0].contains("rack <r1>"), "{}", refused.text);
    site.answer(Ok(done("prod")));
    let retired = site.request_as(&bearer, form("/networks/prod/retire", &[("key", "k2")])).await;
    assert_eq!((retired.status.as_u16(), retired.header("location")), (303, "/networks/prod"));
    let commands = site.domain.requested.lock().expect("no panic");
    assert!(
        matches!(&commands.last().expect("a command").0, Command::Catalogue(CatalogueAction::Retire(Kind::Network, key)) if key.as_str() == "prod")
    );
}

#[actix_web::test]
async fn a_concurrent_change_by_another_user_is_not_overwritten_unnoticed() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    let shown = site.request_as(&bearer, get("/sites/dc1/edit")).await;
    assert_eq!(attributes(&shown, "input[name=sequence]", "value"), ["1"]);
    let mut other = site_defined();
    other["spec"]["name"] = json!("Renamed");
    site.append("site", "dc1", other).await;
    let fields = [("sequence", "1"), ("domain", "dc1.example"), ("name", "Mine")];
    let refused = site.request_as(&bearer, form("/sites/dc1/edit", &fields)).await;
    assert_eq!((refused.status.as_u16(), refused.rules()), (422, vec!["changed_meanwhile".to_owned()]));
    assert_eq!(attributes(&refused, "#field-name", "value"), ["Mine"]);
    site.answer(Ok(done("dc1")));
    let fields = [("sequence", "2"), ("domain", "dc1.example"), ("name", "Mine")];
    assert_eq!(site.request_as(&bearer, form("/sites/dc1/edit", &fields)).await.status, 303);
}

#[actix_web::test]
async fn a_zone_has_its_records_with_their_devices() {
    let site = data_centre().await;
    let id = device(&site, "52:54:00:00:00:01", "h200.dc1.example", "10.0.0.20").await;
    device(&site, "52:54:00:00:00:02", "h201.dc1.example", "10.0.0.21").await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let list = site.request_as(&bearer, get("/zones")).await;
    assert_eq!(attributes(&list, "tbody th a", "href"), ["/zones/dc1.example"]);
    let page = site.request_as(&bearer, get("/zones/dc1.example?q=h200")).await;
    assert_eq!(texts(&page, "#records tbody th"), ["h200.dc1.example"]);
    assert_eq!(attributes(&page, "#records tbody a", "href"), [format!("/devices/{id}")]);
    assert_eq!(attributes(&page, ".heading .actions a", "href"), ["/dns/zones/dc1.example"]);
    assert_eq!(site.request_as(&bearer, get("/zones/other.example")).await.status, 404);
}

#[actix_web::test]
async fn the_fields_of_a_zone_are_changed_in_its_sites_description() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    let page = site.request_as(&bearer, get("/zones/dc1.example")).await;
    assert!(texts(&page, "#soa").concat().contains("localhost"), "{}", page.text);
    let shown = site.request_as(&bearer, get("/zones/dc1.example/edit")).await;
    let sequence = attributes(&shown, "input[name=sequence]", "value").remove(0);
    let fields = [
        ("key", "k"),
        ("sequence", sequence.as_str()),
        ("serial", "date"),
        ("name_servers", "ns1.dc1.example"),
        ("records", "ns1 A 10.0.0.53\r\n"),
    ];
    let refused = BrokenRule::new("zones[0].records", Rule::RecordMalformed, "line 1: no");
    site.answer(Err(CommandError::Refused(vec![refused])));
    let message = site.request_as(&bearer, form("/zones/dc1.example/edit", &fields)).await;
    assert_eq!((message.status.as_u16(), texts(&message, "[id='error-records'] .error")), (422, vec!["Line 1: no".to_owned()]));
    site.answer(Ok(done("dc1")));
    let changed = site.request_as(&bearer, form("/zones/dc1.example/edit", &fields)).await;
    assert_eq!((changed.status.as_u16(), changed.header("location")), (303, "/zones/dc1.example"));
    let commands = site.domain.requested.lock().expect("no panic");
    let (Command::Catalogue(CatalogueAction::DefineSite(key, spec)), _) = commands.last().expect("a command") else {
        panic!("{commands:?}")
    };
    let expected =
        json!({"name": "dc1.example", "name_servers": ["ns1.dc1.example"], "serial": "date", "records": "ns1 A 10.0.0.53"});
    assert_eq!((key.as_str(), serde_json::to_value(&spec.zones[0]).expect("JSON")), ("dc1", expected));
}

#[actix_web::test]
async fn a_dhcp_server_shows_the_deployments_that_wait_for_it() {
    let site = data_centre().await;
    let defined = json!({"type": "DhcpServerDefined", "spec": {"site": "dc1", "address": null, "kind": "dnsmasq"}});
    site.append("dhcp_server", "edge", defined).await;
    let (device, id) = (Uuid::now_v7(), Uuid::now_v7());
    site.append("device", &device.to_string(), device_registered("52:54:00:00:00:09", None)).await;
    let started = deployment_started(device, "prod", "52:54:00:00:00:09", "10.0.0.20", "h200.dc1.example");
    site.append("deployment", &id.to_string(), started).await;
    let waiting =
        json!({"type": "PluginWaiting", "plugin": "dhcp", "reason": "waiting for edge", "awaited": ["dhcp-server:edge"]});
    site.append("deployment", &id.to_string(), waiting).await;
    let failed = json!({"type": "ConfigurationFailed", "site": "dc1", "revision": null, "message": "bad <option> at line 3"});
    site.append("dhcp_server", "edge", failed).await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let page = site.request_as(&bearer, get("/dhcp-servers/edge")).await;
    assert_eq!(texts(&page, "#state .note pre"), ["bad <option> at line 3"]);
    assert_eq!(attributes(&page, "#waiting tbody th a", "href"), [format!("/deployments/{id}")]);
    assert_eq!(texts(&page, "#waiting td[data-label=Reason]"), ["waiting for edge"], "a stored sentence is shown as it is");
    assert!(texts(&page, "#configuration pre").concat().contains("dnsmasq configuration of site dc1"), "{}", page.text);
    let list = site.request_as(&bearer, get("/dhcp-servers")).await;
    assert!(texts(&list, "td[data-label='Waiting deployments']")[0].starts_with('1'), "{}", list.text);
    assert_eq!(texts(&list, "td[data-label=State] .badge.bad").len(), 1, "{}", list.text);
    // An option that dnsmasq's format cannot express is reported on the page.
    let mut network = network_defined();
    network["spec"]["dhcp_options"] = json!([{"name": "no-such-option", "value": {"flag": true}}]);
    site.append("network", "prod", network).await;
    let page = site.request_as(&bearer, get("/dhcp-servers/edge")).await;
    assert!(texts(&page, "#configuration .note li").concat().contains("no-such-option"), "{}", page.text);
}

#[actix_web::test]
async fn a_repair_names_what_it_removes() {
    let site = data_centre().await;
    let difference = json!({"nature": "foreign", "server": "10.0.0.53:53", "expected": [], "found": ["10.9.9.9"], "message": "made by another program"});
    site.append("drift", "dc1/dns/h200.dc1.example/A", json!({"type": "DriftFound", "difference": difference})).await;
    let bearer = site.bearer(TokenScope::Operator).await;
    for path in ["/sites/dc1", "/zones/dc1.example"] {
        let page = site.request_as(&bearer, get(path)).await;
        assert_eq!(texts(&page, "#drift tbody button").len(), 1, "{path}");
        assert_eq!(attributes(&page, "#drift input[name=what]", "value"), ["dc1/dns/h200.dc1.example/A"]);
    }
    let fields = [("key", "k"), ("what", "dc1/dns/h200.dc1.example/A"), ("to", "/zones/dc1.example")];
    site.answer(Ok(done("dc1")));
    let ordered = site.request_as(&bearer, form("/sites/dc1/drift/repair", &fields)).await;
    assert_eq!((ordered.status.as_u16(), ordered.header("location")), (303, "/zones/dc1.example#drift"));
    {
        let commands = site.domain.requested.lock().expect("no panic");
        let (Command::RepairDrift { keys: Some(keys), .. }, _) = commands.last().expect("a command") else {
            panic!("{commands:?}")
        };
        assert_eq!(keys.iter().map(ToString::to_string).collect::<Vec<_>>(), ["dc1/dns/h200.dc1.example/A"]);
    }
    // Without a key nothing is repaired, and no redirect leads to another host.
    let fields = [("to", "//evil.example")];
    let refused = site.request_as(&bearer, form("/sites/dc1/drift/repair", &fields)).await;
    assert_eq!(refused.status, 422);
    assert!(!refused.text.contains("evil.example"));
    let checked = site.request_as(&bearer, form("/sites/dc1/drift/check", &[("to", "https://evil.example")])).await;
    assert_eq!((checked.status.as_u16(), checked.header("location")), (303, "/sites/dc1#drift"));
}

#[actix_web::test]
async fn a_role_is_defined_with_yaml_and_its_errors_are_shown() {
    let site = TestSite::create().await;
    let venture = json!({"type": "VentureDefined", "spec": {"description": "", "parent": null, "default_boot_image": "debian"}});
    site.append("venture", "shop", venture).await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    site.answer(Ok(done("shop")));
    let fields = [("called", "web"), ("puppet_classes", "- role::web\r\n- ntp"), ("puppet_parameters", "tier: gold\r\nsize: 3")];
    let answer = site.request_as(&bearer, form("/ventures/shop/roles/_new", &fields)).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/ventures/shop/roles/web"), "{}", answer.text);
    {
        let commands = site.domain.requested.lock().expect("no panic");
        let (Command::Catalogue(CatalogueAction::DefineRole { spec, .. }), _) = commands.last().expect("a command") else {
            panic!("{commands:?}")
        };
        assert_eq!(serde_json::to_value(&spec.puppet_parameters).expect("JSON"), json!({"tier": "gold", "size": 3}));
    }
    let fields = [("called", "db"), ("puppet_classes", "- a\n  b: [")];
    let refused = site.request_as(&bearer, form("/ventures/shop/roles/_new", &fields)).await;
    assert_eq!((refused.status.as_u16(), texts(&refused, "#error-puppet_classes .error").len()), (422, 1), "{}", refused.text);
    site.append("venture", "shop", json!({"type": "RoleDefined", "role": "web", "spec": {"description": "Front ends", "default_boot_image": null, "puppet_classes": ["role::web"], "puppet_parameters": {}}})).await;
    let page = site.request_as(&bearer, get("/ventures/shop/roles/web")).await;
    let facts = texts(&page, "#facts").concat();
    assert!(facts.contains("debian") && facts.contains("shop"), "{facts}");
    assert_eq!(texts(&page, "#puppet tbody th"), ["role::web"]);
    assert_eq!(site.request_as(&bearer, get("/ventures/shop/roles/none")).await.status, 404);
}

#[actix_web::test]
async fn every_page_of_the_catalogue_is_live_and_has_its_history() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    for path in ["/networks/prod", "/sites/dc1"] {
        let page = site.request_as(&bearer, get(path)).await;
        let live = attributes(&page, "[hx-sse\\:connect]", "hx-sse:connect");
        assert!(live[0].starts_with(&format!("{path}/live/")), "{live:?}");
        assert_eq!(texts(&page, "#history li[id^=event-]").len(), 1, "{path}");
    }
}
