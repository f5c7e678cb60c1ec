//! Tests of `?wait=`: when a long poll ends.

use crate::data_centre::{data_centre, elsewhere, entry, get, get_unless};
use std::time::{Duration, Instant};

const PATH: &str = "/dhcp/dc1/isc.conf?wait=60";

/// The result of requests that must end before their wait of 60 seconds does.
async fn before_the_wait_ends<T>(requests: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(55), requests).await.expect("the wait is not awaited")
}

#[actix_web::test]
async fn a_new_revision_ends_the_wait() {
    let site = data_centre().await;
    let tag = get(&site, "/dhcp/dc1/isc.conf").await.header("etag").to_owned();
    let requests = async { tokio::join!(get_unless(&site, PATH, &tag), entry(&site, "10.0.0.20")) };
    let (answer, position) = Box::pin(before_the_wait_ends(requests)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("10.0.0.20"), "{}", answer.text);
    assert_eq!(answer.header("bootledger-changed-position"), position.to_string());
}

#[actix_web::test]
async fn a_client_without_this_revision_does_not_wait() {
    let site = data_centre().await;
    assert_eq!(before_the_wait_ends(get(&site, PATH)).await.status, 200);
    assert_eq!(before_the_wait_ends(get_unless(&site, PATH, "\"x\"")).await.status, 200);
}

#[actix_web::test]
async fn unrelated_events_do_not_end_the_wait_and_its_end_has_the_newest_position() {
    let site = data_centre().await;
    let tag = get(&site, "/dhcp/dc1/isc.conf").await.header("etag").to_owned();
    let started = Instant::now();
    let (answer, position) = tokio::join!(get_unless(&site, "/dhcp/dc1/isc.conf?wait=1", &tag), elsewhere(&site));
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!((answer.status.as_u16(), answer.header("bootledger-position")), (304, position.to_string().as_str()));
}

#[actix_web::test]
async fn a_change_without_new_bytes_ends_the_wait_of_an_agent_that_must_confirm_it() {
    let site = data_centre().await;
    let first = get(&site, "/dhcp/dc1/isc.conf").await;
    let (tag, changed) = (first.header("etag").to_owned(), first.header("bootledger-changed-position").to_owned());
    let path = format!("{PATH}&confirmed={changed}");
    let touched = async {
        let server = serde_json::json!({"type": "DhcpServerDefined", "spec": {"site": "dc1", "address": null, "kind": "isc"}});
        site.append("dhcp_server", "isc-1", server).await
    };
    let (answer, position) =
        Box::pin(before_the_wait_ends(async { tokio::join!(get_unless(&site, &path, &tag), touched) })).await;
    assert_eq!((answer.status.as_u16(), answer.header("bootledger-changed-position")), (304, position.to_string().as_str()));
    // A client that missed the change does not wait either.
    assert_eq!(before_the_wait_ends(get_unless(&site, &path, &tag)).await.status, 304);
}

#[actix_web::test]
async fn a_stopping_service_ends_the_wait() {
    let site = data_centre().await;
    let tag = get(&site, "/dhcp/dc1/isc.conf").await.header("etag").to_owned();
    let stop = async { site.stopping.send_replace(true) };
    let (answer, _) = before_the_wait_ends(async { tokio::join!(get_unless(&site, PATH, &tag), stop) }).await;
    assert_eq!(answer.status, 304);
}
