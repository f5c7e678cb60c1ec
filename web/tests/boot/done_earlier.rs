//! `/pxe/DONE/` by address, when no deployment is in progress for the address, or no longer.

use crate::harness::Harness;
use crate::log::Log;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_web::machines::pxe::follow::Follower;
use uuid::Uuid;

async fn done(harness: &Harness, client: &str) -> (u16, String) {
    Follower::new(harness.application.views.clone()).step(&harness.table).await.expect("the views answer");
    let answer = harness.get("/pxe/DONE/", client).await;
    (answer.status.as_u16(), answer.text().to_owned())
}

#[actix_web::test]
async fn done_again_long_after_is_ok() {
    let log = Log::new().await;
    log.data_centre(true).await;
    let deployment = log.in_progress("10.0.0.20").await;
    log.done(deployment).await;
    assert_eq!(done(&log.harness, "10.0.0.20").await, (200, "OK".to_owned()));
    assert!(log.harness.requested().is_empty(), "nothing is left to be done");
    log.end();
}

#[actix_web::test]
async fn done_without_any_deployment_is_answered_with_that_reason() {
    let log = Log::new().await;
    log.data_centre(true).await;
    let expected = "no deployment is in progress for 10.0.0.20, and no earlier deployment had this address\n";
    assert_eq!(done(&log.harness, "10.0.0.20").await, (404, expected.to_owned()));
    log.end();
}

#[actix_web::test]
async fn done_too_early_is_refused_although_an_earlier_deployment_was_done() {
    let log = Log::new().await;
    log.data_centre(true).await;
    let earlier = log.in_progress("10.0.0.20").await;
    log.done(earlier).await;
    let open = log.open_as(DeploymentId(Uuid::now_v7()), "10.0.0.20").await;
    let expected = format!("deployment {open} of 10.0.0.20 is still being prepared; only one in progress can be done\n");
    assert_eq!(done(&log.harness, "10.0.0.20").await, (409, expected));
    log.end();
}

#[actix_web::test]
async fn done_of_a_cancelled_deployment_is_answered_with_that_reason() {
    let log = Log::new().await;
    log.data_centre(true).await;
    let deployment = log.in_progress("10.0.0.20").await;
    log.cancelled(deployment).await;
    let (status, sentence) = done(&log.harness, "10.0.0.20").await;
    assert_eq!(status, 404);
    assert!(sentence.contains("was cancelled"), "{sentence}");
    log.end();
}

#[actix_web::test]
async fn a_network_that_requires_the_token_reveals_nothing_without_it() {
    let log = Log::new().await;
    log.data_centre(false).await;
    let deployment = log.in_progress("10.0.0.20").await;
    log.done(deployment).await;
    assert_eq!(done(&log.harness, "10.0.0.20").await.0, 403);
    log.end();
}

#[actix_web::test]
async fn a_server_that_only_waits_for_puppet_boots_its_disk_and_its_done_is_ok_again() {
    let log = Log::new().await;
    log.data_centre(true).await;
    let deployment = log.in_progress("10.0.0.20").await;
    let mut follower = Follower::new(log.harness.application.views.clone());
    follower.step(&log.harness.table).await.expect("the views answer");
    assert!(log.harness.get("/pxe/", "10.0.0.20").await.text().contains("h200.dc1.example"), "it boots its image");
    log.installed(deployment).await;
    follower.step(&log.harness.table).await.expect("the views answer");
    assert!(log.harness.get("/pxe/", "10.0.0.20").await.text().contains("sanboot"), "it would be installed again");
    assert_eq!(log.harness.get("/pxe/vmlinuz", "10.0.0.20").await.status, 404);
    // This also holds for a follower that starts now.
    assert_eq!(done(&log.harness, "10.0.0.20").await, (200, "OK".to_owned()));
    assert!(log.harness.get("/pxe/", "10.0.0.20").await.text().contains("sanboot"), "after a restart");
    assert!(log.harness.requested().is_empty(), "nothing is left to be said");
    log.end();
}

#[actix_web::test]
async fn a_server_that_waits_for_puppet_needs_the_token_where_its_network_requires_it() {
    let log = Log::new().await;
    log.data_centre(false).await;
    let deployment = log.in_progress("10.0.0.20").await;
    log.installed(deployment).await;
    assert_eq!(done(&log.harness, "10.0.0.20").await.0, 403);
    log.end();
}
