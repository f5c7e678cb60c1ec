//! `GET /dns/zones/{zone}`: zone files.

use crate::data_centre::{data_centre, elsewhere, get, get_unless, records};
use crate::support::{TestSite, site_defined};
use serde_json::{Value, json};

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
async fn a_past_zone_is_served_as_it_was() {
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
async fn an_invalid_zone_name_is_refused() {
    let site = data_centre().await;
    for zone in ["a%20b", "..", "-a.example", "a%0Ab"] {
        assert!(get(&site, &format!("/dns/zones/{zone}")).await.status.is_client_error(), "{zone}");
    }
}

/// Changes the site's zones to these.
async fn zones(site: &TestSite, zones: Value) -> i64 {
    let mut dc1 = site_defined();
    dc1["spec"]["zones"] = zones;
    site.append("site", "dc1", dc1).await
}

async fn serial(site: &TestSite, at: Option<i64>) -> u32 {
    let at = at.map_or(String::new(), |at| format!("?at={at}"));
    let file = get(site, &format!("/dns/zones/dc1.example{at}")).await.text;
    let soa = file.lines().find(|line| line.contains(" IN SOA ")).expect("an SOA record");
    soa.split(' ').nth(5).expect("a serial").parse().expect("a number")
}

#[actix_web::test]
async fn a_reverse_zone_has_the_addresses_of_its_range_and_no_others() {
    let site = data_centre().await;
    let reverse = json!({"name": "0-25.2.0.192.in-addr.arpa", "range": "192.0.2.0/25"});
    zones(&site, json!(["dc1.example", reverse, {"name": "rev7.2.0.192.in-addr.arpa", "range": "192.0.2.128/25"}])).await;
    records(&site, "h1.dc1.example", "192.0.2.99").await;
    records(&site, "h2.dc1.example", "192.0.2.200").await;
    let first = get(&site, "/dns/zones/0-25.2.0.192.in-addr.arpa").await.text;
    assert!(first.contains("99.0-25.2.0.192.in-addr.arpa. IN PTR h1.dc1.example.\n") && !first.contains("h2"), "{first}");
    let second = get(&site, "/dns/zones/rev7.2.0.192.in-addr.arpa").await.text;
    assert!(second.contains("200.rev7.2.0.192.in-addr.arpa. IN PTR h2.dc1.example.\n") && !second.contains("h1"), "{second}");
}

#[actix_web::test]
async fn serial_numbers_follow_the_zones_policy_and_another_policy_never_lowers_them() {
    let site = data_centre().await;
    let with = |policy: &str, floor: Option<u32>| {
        let mut zone = json!({"name": "dc1.example", "serial": policy});
        if let Some(floor) = floor {
            zone["serial_floor"] = json!(floor);
        }
        json!([zone, "0.10.in-addr.arpa"])
    };
    let position = records(&site, "h1.dc1.example", "10.0.0.20").await;
    assert_eq!(i64::from(serial(&site, None).await), position);
    let stated = zones(&site, with("position", Some(1_000_000_000))).await;
    assert_eq!(serial(&site, None).await, 1_000_000_001);
    records(&site, "h2.dc1.example", "10.0.0.21").await;
    assert_eq!(serial(&site, None).await, 1_000_000_002);
    zones(&site, with("unixtime", None)).await;
    let now = time::OffsetDateTime::now_utc();
    let seconds = serial(&site, None).await;
    assert!((i64::from(seconds) - now.unix_timestamp()).abs() < 3_600, "{seconds}");
    zones(&site, with("date", None)).await;
    let day = serial(&site, None).await;
    let today = |now: time::OffsetDateTime| u32::from(u8::from(now.month())) * 100 + u32::from(now.day());
    assert!(day > seconds && (day / 100 % 10_000).abs_diff(today(now)) <= 8_900, "{day}");
    records(&site, "h3.dc1.example", "10.0.0.22").await;
    assert_eq!(serial(&site, None).await, day + 1);
    elsewhere(&site).await;
    assert_eq!(serial(&site, None).await, day + 1, "nothing of the zone changed");
    zones(&site, json!(["dc1.example", "0.10.in-addr.arpa"])).await;
    assert_eq!(serial(&site, None).await, day + 2, "a position would be lower");
    assert_eq!(serial(&site, Some(position)).await, u32::try_from(position).expect("a number"));
    assert_eq!(serial(&site, Some(stated)).await, 1_000_000_001, "the past stays as it was");
}
