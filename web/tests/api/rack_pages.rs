//! The pages of racks: the devices in one, and servers from a CSV file.

use crate::elements::texts;
use crate::support::{TestSite, device_registered, network_defined, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::values::ids::ImportId;
use bootledger_port::{CatalogueAction, Command, Imported, Receipt, RowError};
use serde_json::json;
use uuid::Uuid;

async fn site_with_rack() -> TestSite {
    let site = TestSite::create().await;
    site.append("site", "dc1", site_defined()).await;
    site.append("rack", "r01", json!({"type": "RackDefined", "spec": {"site": "dc1", "description": "", "units": 42}})).await;
    site
}

/// A form with a file, encoded as browsers send it.
fn upload(file: &[u8], fields: &[(&str, &str)]) -> TestRequest {
    let mut body = vec![];
    for (name, value) in fields {
        body.extend(format!("--xyz\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
    }
    body.extend(b"--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\ncontent-type: text/csv\r\n\r\n");
    body.extend(file);
    body.extend(b"\r\n--xyz--\r\n");
    TestRequest::post()
        .uri("/racks/r01/add")
        .insert_header(("accept", "text/html"))
        .insert_header(("content-type", "multipart/form-data; boundary=xyz"))
        .set_payload(body)
}

#[actix_web::test]
async fn a_rack_shows_its_devices_and_the_usage_of_its_networks() {
    let site = site_with_rack().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let mut network = network_defined();
    network["spec"]["racks"] = json!(["r01"]);
    site.append("network", "prod", network).await;
    let mut device = device_registered("52:54:00:00:00:01", None);
    (device["rack"], device["position"], device["name"]) = (json!("r01"), json!(10), json!("web 1"));
    site.append("device", &Uuid::now_v7().to_string(), device).await;
    let page = site.request_as(&viewer, TestRequest::get().uri("/racks/r01")).await;
    let title = texts(&page, "svg.rack a title").concat();
    assert!(title.contains("10: web 1"), "{title}");
    // The colour and the legend say that it is not verified.
    assert_eq!(texts(&page, "svg.rack a rect.c").len(), 1, "{}", page.text);
    assert_eq!(texts(&page, "#elevation tbody th"), ["web 1"]);
    assert_eq!(texts(&page, "#networks meter[max='243'][value='0']").len(), 1, "{}", page.text);
    assert!(texts(&page, "#edit-reason")[0].contains("administrator"));
    let list = site.request_as(&viewer, TestRequest::get().uri("/racks")).await;
    assert_eq!(texts(&list, "tbody th, td[data-label='Devices']"), ["r01", "1"]);
    assert_eq!(site.request_as(&viewer, TestRequest::get().uri("/racks/r02")).await.status, 404);
}

#[actix_web::test]
async fn a_rack_is_defined_and_retired_by_an_administrator_only() {
    let site = site_with_rack().await;
    let (administrator, operator) = (site.bearer(TokenScope::Administrator).await, site.bearer(TokenScope::Operator).await);
    // `key` is the form's idempotency key, which comes first; `called` is the name of the rack.
    let fields = [("key", "k1"), ("called", "r02"), ("site", "dc1"), ("units", "47"), ("description", "second")];
    let define = || TestRequest::post().uri("/racks/new").insert_header(("accept", "text/html")).set_form(fields);
    assert_eq!(site.request_as(&operator, define()).await.status, 403);
    site.answer(Ok(Receipt { position: 0, id: "r02".to_owned(), repeated: false }));
    let done = site.request_as(&administrator, define()).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/racks/r02"));
    let known = TestRequest::post().uri("/racks/new").insert_header(("accept", "text/html"));
    let known = site.request_as(&administrator, known.set_form([("called", "r01"), ("site", "dc1"), ("units", "x")])).await;
    assert_eq!((known.status.as_u16(), texts(&known, "#refused li").len()), (422, 2));
    let question = site.request_as(&administrator, TestRequest::get().uri("/racks/r01/retire")).await;
    assert_eq!((question.status.as_u16(), texts(&question, "form[action='/racks/r01/retire'] .danger").len()), (200, 1));
    let requested = site.domain.requested.lock().expect("no panic");
    let [(Command::Catalogue(CatalogueAction::DefineRack(key, spec)), _)] = &requested[..] else { panic!("{requested:?}") };
    assert_eq!((key.as_str(), spec.units), ("r02", 47));
}

#[actix_web::test]
async fn a_file_is_checked_refused_with_every_error_and_started() {
    let site = site_with_rack().await;
    let operator = site.bearer(TokenScope::Operator).await;
    let imports = |answer| site.domain.imports.lock().expect("no panic").push_back(Ok(answer));
    let error =
        RowError { row: 2, column: "mac".to_owned(), broken: BrokenRule::new("mac", Rule::Malformed, "\"5254\" is no MAC") };
    imports(Imported::Refused(vec![error]));
    let refused = site.request_as(&operator, upload(b"", &[("csv", "mac\r\n5254"), ("what", "start"), ("key", "k1")])).await;
    assert_eq!((refused.status.as_u16(), texts(&refused, "#refused").len()), (422, 1));
    let cells = "tbody th, tbody td[data-label='Column'], tbody td[data-label='Rule']";
    assert_eq!(texts(&refused, cells), ["2", "mac", "malformed"]);
    assert!(texts(&refused, "textarea")[0].contains("5254"));

    imports(Imported::Planned(vec![]));
    let planned = site.request_as(&operator, upload(b"mac;x", &[("csv", ""), ("what", "check")])).await;
    assert_eq!((planned.status.as_u16(), texts(&planned, "textarea")), (200, vec!["mac;x".to_owned()]));
    assert_eq!((texts(&planned, ".note.good").len(), texts(&planned, "#refused").len()), (1, 0));
    assert!(!planned.text.contains("/deployments?import="), "a check started something: {}", planned.text);

    let import = ImportId(Uuid::now_v7());
    imports(Imported::Started {
        import,
        receipt: Receipt { position: 0, id: import.to_string(), repeated: false },
        rows: vec![],
    });
    let started = site.request_as(&operator, upload(b"mac;x", &[("what", "start")])).await;
    assert_eq!(texts(&started, &format!("a[href='/deployments?import={import}']")).len(), 1);
}

#[actix_web::test]
async fn a_form_that_is_too_large_or_broken_is_refused_with_a_page() {
    let site = site_with_rack().await;
    let operator = site.bearer(TokenScope::Operator).await;
    let large = upload(b"", &[]).insert_header(("content-length", "200000000"));
    let large = site.request_as(&operator, large).await;
    assert_eq!(large.status, 413, "{large:?}");
    assert!(large.header("content-type").starts_with("text/html"));
    let broken = TestRequest::post()
        .uri("/racks/r01/add")
        .insert_header(("content-type", "multipart/form-data; boundary=xyz"))
        .set_payload("--xyz\r\nnonsense");
    assert_eq!(site.request_as(&operator, broken).await.status, 400);
    let latin = upload(b"mac;\xe9", &[("what", "check")]);
    site.domain.imports.lock().expect("no panic").push_back(Ok(Imported::Refused(vec![])));
    let latin = site.request_as(&operator, latin).await;
    assert_eq!((latin.status.as_u16(), texts(&latin, "textarea")), (422, vec![String::new()]));
}
