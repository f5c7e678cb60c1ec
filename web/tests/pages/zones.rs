//! The page of a zone: it shows what the zone file contains, at a cost that does not grow with the zone.

use crate::catalogue::get;
use crate::elements::texts;
use crate::support::{TestSite, site_defined};
use bootledger_aggregates::token::TokenScope;
use serde_json::json;

/// 10,000 records of devices, in a zone whose extra records conflict with three of them: one by its name, one by a delegation,
/// and in a reverse zone of RFC 2317 one by its address.
#[actix_web::test]
async fn the_page_of_a_large_zone_names_its_servers_and_each_extra_record_that_is_not_served() {
    let site = TestSite::create().await;
    let mut dc1 = site_defined();
    let reverse =
        json!({"name": "rev.dc1.example", "range": "192.0.2.0/25", "records": "7 PTR other.example.net.\n8 PTR b.example.net."});
    let records = "h77 CNAME www.example.net.\nsub NS ns.example.net.\nfree A 10.9.9.9\n";
    dc1["spec"]["zones"] = json!([{"name": "dc1.example", "records": records}, reverse]);
    site.append("site", "dc1", dc1).await;
    let seed = "INSERT INTO views.dns_records (name, type, value, device, valid_from)
                SELECT 'h' || i || '.dc1.example', 'A', '10.0.0.1', gen_random_uuid(), 1 FROM generate_series(1, 10000) i
                 UNION ALL SELECT * FROM (VALUES ('ns.dc1.example', 'A', '10.0.0.53', gen_random_uuid(), 1),
                                                 ('x.sub.dc1.example', 'A', '10.0.0.54', gen_random_uuid(), 1),
                                                 ('7.2.0.192.in-addr.arpa', 'PTR', 'h7.dc1.example', gen_random_uuid(), 1)) AS more";
    sqlx::query(seed).execute(&site.pool).await.expect("records");
    let bearer = site.bearer(TokenScope::Viewer).await;
    site.request_as(&bearer, get("/zones/dc1.example")).await;
    let page = site.request_as(&bearer, get("/zones/dc1.example")).await;
    let shown = texts(&page, "#soa").concat();
    for words in [
        "ns.dc1.example",
        "Extra records3",
        "line 1: h77.dc1.example. IN CNAME",
        "line 2: sub.dc1.example. IN NS ns.example.net.: sub.dc1.example is delegated",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("free.dc1"), "{shown}");
    let shown = texts(&site.request_as(&bearer, get("/zones/rev.dc1.example")).await, "#soa").concat();
    assert!(shown.contains("line 1: 7.rev.dc1.example. IN PTR other.example.net.") && !shown.contains("line 2"), "{shown}");
    // The same names with a trailing dot, and in capital letters.
    for same in ["/zones/dc1.example.", "/zones/DC1.EXAMPLE", "/dns/zones/Dc1.example."] {
        assert_eq!(site.request_as(&bearer, get(same)).await.status, 200, "{same}");
    }
    let file = site.request_as(&bearer, get("/dns/zones/dc1.example")).await.text;
    assert_eq!(file.matches("\n; Not served, line").count(), 2);
}
