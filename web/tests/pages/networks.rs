//! Tests of the pages of networks: their form, and the map of their addresses.

use crate::catalogue::{attributes, data_centre, device, done, form, get};
use crate::elements::texts;
use crate::support::{TestSite, network_defined, site_defined};
use bootledger_aggregates::token::TokenScope;
use bootledger_port::{CatalogueAction, Command, ReservationAction};
use serde_json::json;

#[actix_web::test]
async fn a_network_is_defined_by_its_form_and_shown() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    let fields = [
        ("key", "k1"),
        ("called", "lab"),
        ("cidr", "10.0.8.0/24"),
        ("site", "dc1"),
        ("racks", "r1\nr2"),
        ("gateway", "10.0.8.1"),
        ("margin_bottom", "5"),
        ("margin_top", ""),
        ("dhcp", "true"),
        ("dhcp_options.name", "ntp-servers"),
        ("dhcp_options.type", "addresses"),
        ("dhcp_options.value", "10.0.0.6 10.0.0.7"),
        ("dhcp_options.name", ""),
        ("dhcp_options.type", "addresses"),
        ("dhcp_options.value", ""),
    ];
    site.answer(Ok(done("lab")));
    let answer = site.request_as(&bearer, form("/networks/_new", &fields)).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/networks/lab"), "{}", answer.text);
    let requested = site.domain.requested.lock().expect("no panic");
    let (Command::Catalogue(CatalogueAction::DefineNetwork(key, spec)), context) = requested.last().expect("a command") else {
        panic!("{requested:?}")
    };
    assert_eq!(
        (key.as_str(), spec.cidr.to_string().as_str(), spec.racks.len(), spec.margin_bottom),
        ("lab", "10.0.8.0/24", 2, 5)
    );
    assert!(spec.dhcp && !spec.ip_only_done && spec.dhcp_options.len() == 1, "{spec:?}");
    assert_eq!(context.key(), Some("form:k1"));
}

#[actix_web::test]
async fn the_address_map_shows_the_holder_of_each_address() {
    let site = data_centre().await;
    let id = device(&site, "52:54:00:00:00:01", "h200.dc1.example", "10.0.0.20").await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let page = site.request_as(&bearer, get("/networks/prod")).await;
    let cells = texts(&page, ".cells li");
    assert_eq!(cells.len(), 256);
    let uses = attributes(&page, ".cells li > *", "class");
    for (class, addresses) in [("unassigned", vec![0, 5, 12, 255]), ("used", vec![13, 20]), ("free", vec![21])] {
        for address in addresses {
            assert_eq!(uses[address], class, "{address}");
        }
    }
    for (address, word) in [(0, "network"), (5, "never"), (12, "gateway"), (13, "controller"), (255, "broadcast")] {
        assert!(cells[address].contains(word), "{address}: {}", cells[address]);
    }
    assert!(cells[20].starts_with("20 ") && cells[20].ends_with(" h200.dc1.example"), "{}", cells[20]);
    assert!(cells[13].starts_with("13 ") && cells[13].ends_with(" h200.dc1.example"), "{}", cells[13]);
    assert_eq!(attributes(&page, ".cells a.used", "href"), [format!("/devices/{id}"), format!("/devices/{id}/addresses")]);
    assert_eq!([attributes(&page, "#use meter", "value"), attributes(&page, "#use meter", "max")].concat(), ["1", "243"]);
    assert_eq!(texts(&page, "#use p code")[..3], ["10.0.0.11", "10.0.0.14", "10.0.0.15"]);
    let list = site.request_as(&bearer, get("/networks")).await;
    assert_eq!(attributes(&list, "meter", "value"), ["1"]);
    // As it was before the device was registered.
    let past = site.request_as(&bearer, get("/networks/prod?at=2")).await;
    assert_eq!(texts(&past, ".cells .used").len(), 0);
    assert_eq!(texts(&past, "button[aria-disabled] ~ #change-reason").len(), 1, "{}", past.text);
}

#[actix_web::test]
async fn a_wide_network_is_shown_in_parts() {
    let site = data_centre().await;
    let mut wide = network_defined();
    (wide["spec"]["cidr"], wide["spec"]["gateway"]) = (json!("10.8.0.0/20"), json!(null));
    site.append("network", "wide", wide).await;
    device(&site, "52:54:00:00:00:01", "h200.dc1.example", "10.8.3.20").await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let first = site.request_as(&bearer, get("/networks/wide")).await;
    assert_eq!(attributes(&first, "#map a[rel]", "href"), ["/networks/wide?map=10.8.1.0#map"]);
    let parts = texts(&first, "#map details li");
    assert!(parts.len() == 1 && parts[0].starts_with("10.8.3.0/24 1 "), "{parts:?}");
    let fourth = site.request_as(&bearer, get("/networks/wide?map=10.8.3.77")).await;
    assert!(texts(&fourth, ".cells a.used").concat().starts_with("20 "), "{}", fourth.text);
    assert_eq!(site.request_as(&bearer, get("/networks/wide?map=10.9.0.0")).await.status, 200);
    assert_eq!(site.request_as(&bearer, get("/networks/wide?map=x")).await.status, 400);
}

#[actix_web::test]
async fn user_texts_are_escaped() {
    let site = TestSite::create().await;
    let mut defined = site_defined();
    defined["spec"]["name"] = json!("<script>alert('x')</script> \"{{ 1 }}\"");
    site.append("site", "dc1", defined).await;
    let venture = json!({"type": "VentureDefined", "spec": {"description": "<img src=x onerror=alert(1)>", "parent": null, "default_boot_image": null,
                         "puppet_parameters": {"tier": "</code><script>alert(1)</script>"}}});
    site.append("venture", "shop", venture).await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    for path in [
        "/sites",
        "/sites/dc1",
        "/sites/dc1/edit",
        "/sites/dc1/retire",
        "/networks/_new",
        "/ventures",
        "/ventures/shop",
        "/ventures/shop/edit",
    ] {
        let page = site.request_as(&bearer, get(path)).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.text.contains("<script>alert") && !page.text.contains("<img src=x"), "{path}: {}", page.text);
    }
}

#[actix_web::test]
async fn an_operator_reserves_and_releases_an_address_and_a_viewer_sees_the_reservation() {
    let site = data_centre().await;
    let (operator, viewer) = (site.bearer(TokenScope::Operator).await, site.bearer(TokenScope::Viewer).await);
    let refused = site.request_as(&operator, form("/networks/prod/reserve", &[("ip", "10.0.0.999"), ("note", "")])).await;
    assert_eq!(refused.status, 422);
    let fields = [("key", "k1"), ("ip", "10.0.0.77"), ("note", "For the new firewall"), ("expires", "2030-01-01T12:00")];
    site.answer(Ok(done("10.0.0.77")));
    let answer = site.request_as(&operator, form("/networks/prod/reserve", &fields)).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/networks/prod#reservations"), "{}", answer.text);
    {
        let requested = site.domain.requested.lock().expect("no panic");
        let Some((Command::Reservation(ReservationAction::ReserveAddress { network, ip, spec, replaces }), _)) = requested.last()
        else {
            panic!("{requested:?}")
        };
        assert_eq!((network.as_str(), ip.to_string().as_str(), *replaces), ("prod", "10.0.0.77", false));
        assert_eq!(spec.expires.map(|end| end.to_string()).as_deref(), Some("2030-01-01T12:00:00Z"));
    }
    let spec = json!({"note": "For the new <firewall>", "expires": null});
    let reserved = json!({"type": "AddressReserved", "network": "prod", "spec": spec});
    let position = site.append("reservation", "10.0.0.77", reserved).await;
    let page = site.request_as(&viewer, get("/networks/prod")).await;
    assert_eq!(texts(&page, "#reservations [data-label=Note]"), ["For the new <firewall>"]);
    assert!(texts(&page, ".cells a.kept")[0].ends_with("For the new <firewall>"), "{}", page.text);
    assert!(attributes(&page, "#reservations a", "href").is_empty(), "a viewer changes nothing");
    let before = site.request_as(&viewer, get(&format!("/networks/prod?at={}", position - 1))).await;
    assert_eq!(texts(&before, ".cells .kept, #reservations tbody tr").len(), 0, "{}", before.text);
    let edit = site.request_as(&operator, get("/networks/prod/reserve?ip=10.0.0.77")).await;
    assert_eq!(attributes(&edit, "input[name=replaces]", "value"), ["10.0.0.77"]);
    let question = site.request_as(&operator, get("/networks/prod/release?ip=10.0.0.77")).await;
    assert_eq!(attributes(&question, "form[action='/networks/prod/release'] input[name=ip]", "value"), ["10.0.0.77"]);
    assert_eq!(site.request_as(&viewer, get("/networks/prod/release?ip=10.0.0.77")).await.status, 403);
    // The history says what an edit changed; a reservation after a release is a new one.
    let noted = |note: &str| json!({"type": "AddressReserved", "network": "prod", "spec": {"note": note, "expires": null}});
    site.append("reservation", "10.0.0.77", noted("For the switch")).await;
    site.append("reservation", "10.0.0.77", json!({"type": "AddressReleased", "network": "prod"})).await;
    site.append("reservation", "10.0.0.77", noted("For a printer")).await;
    let history = site.request_as(&viewer, get("/timeline?aggregate=reservation/10.0.0.77")).await;
    assert_eq!(texts(&history, ".changes del"), ["\u{2212}\u{a0}For the new <firewall>"], "{}", history.text);
}
