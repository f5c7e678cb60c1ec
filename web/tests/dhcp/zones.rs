//! `GET /dns/zones/{zone}`.

use crate::data_centre::{data_centre, elsewhere, get, get_unless, records};

#[actix_web::test]
async fn a_zone_file_has_the_zones_records_and_the_position_of_their_last_change_as_serial() {
    let site = data_centre().await;
    records(&site, "h200.dc1.example", "10.0.0.20").await;
    let changed = records(&site, "h1.lab.dc1.example", "10.0.0.21").await;
    let now = elsewhere(&site).await;
    let outer = get(&site, "/dns/zones/dc1.example").await;
    assert_eq!((outer.status.as_u16(), outer.header("content-type")), (200, "text/dns; charset=utf-8"));
    assert!(outer.text.contains(&format!("hostmaster.dc1.example. {changed} ")), "{}", outer.text);
    assert!(outer.text.contains("h200.dc1.example. IN A 10.0.0.20\n") && !outer.text.contains("h1.lab"), "{}", outer.text);
    assert_eq!(outer.header("bootledger-position"), now.to_string());
    let inner = get(&site, "/dns/zones/LAB.dc1.example").await;
    assert!(inner.text.contains("h1.lab.dc1.example. IN A 10.0.0.21\n") && !inner.text.contains("h200"), "{}", inner.text);
    let reverse = get(&site, "/dns/zones/0.10.in-addr.arpa").await;
    assert!(reverse.text.contains("20.0.0.10.in-addr.arpa. IN PTR h200.dc1.example.\n"), "{}", reverse.text);
    assert_eq!(get_unless(&site, "/dns/zones/dc1.example", outer.header("etag")).await.status, 304);
}

#[actix_web::test]
async fn the_past_of_a_zone_is_given_out_as_it_was() {
    let site = data_centre().await;
    let first = records(&site, "h200.dc1.example", "10.0.0.20").await;
    let before = get(&site, "/dns/zones/dc1.example").await;
    records(&site, "h201.dc1.example", "10.0.0.21").await;
    assert!(get(&site, "/dns/zones/dc1.example").await.text.contains("h201"));
    let past = get(&site, &format!("/dns/zones/dc1.example?at={first}")).await;
    assert_eq!((past.text.as_str(), past.header("etag")), (before.text.as_str(), before.header("etag")));
    assert_eq!(get(&site, "/dns/zones/dc1.example?at=0").await.status, 404);
}

#[actix_web::test]
async fn a_zone_name_that_is_none_is_refused() {
    let site = data_centre().await;
    for zone in ["a%20b", "..", "-a.example", "a%0Ab"] {
        assert!(get(&site, &format!("/dns/zones/{zone}")).await.status.is_client_error(), "{zone}");
    }
}
