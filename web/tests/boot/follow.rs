//! The boot table follows the views.

use crate::harness::{Harness, address, name};
use crate::log::Log;
use bootledger_aggregates::boot_image::FileKind;
use bootledger_web::machines::pxe::follow::Follower;
use bootledger_web::machines::pxe::table::Lookup;

/// A data centre without deployments, and what follows its views.
async fn followed() -> (Log, Follower) {
    let log = Log::new().await;
    let follower = Follower::new(log.harness.application.views.clone());
    log.data_centre(true).await;
    (log, follower)
}

async fn step(follower: &mut Follower, harness: &Harness) -> usize {
    follower.step(&harness.table).await.expect("the views answer").len()
}

async fn script(harness: &Harness, client: &str) -> String {
    harness.get("/pxe/", client).await.text().to_owned()
}

#[actix_web::test]
async fn a_deployment_is_served_from_when_it_is_in_progress_until_it_is_done() {
    let (log, mut follower) = followed().await;
    let harness = &log.harness;
    let open = log.open("10.0.0.20").await;
    let other = log.in_progress("10.0.0.21").await;
    assert_eq!(step(&mut follower, harness).await, 1);
    assert!(script(harness, "10.0.0.20").await.contains("sanboot"), "an open deployment is not in progress");
    assert_eq!(script(harness, "10.0.0.21").await, "#!ipxe\nh201.dc1.example 10.0.0.1 http://10.0.0.1:8080\n");
    assert_eq!(step(&mut follower, harness).await, 0, "nothing moved");
    log.cancelled(open).await;
    log.done(other).await;
    let third = log.in_progress("10.0.0.22").await;
    assert_eq!(step(&mut follower, harness).await, 1);
    assert!(script(harness, "10.0.0.21").await.contains("sanboot"));
    assert!(script(harness, "10.0.0.22").await.contains("h202"));
    assert_eq!(harness.table.len(), 1);
    // A deployment that begins and ends between two polls never appears.
    log.cancelled(third).await;
    let short = log.in_progress("10.0.0.23").await;
    log.cancelled(short).await;
    assert_eq!(step(&mut follower, harness).await, 0);
    assert!(harness.table.is_empty());
    log.end();
}

#[actix_web::test]
async fn a_deployment_keeps_its_images_revision_and_follows_its_network_and_site() {
    let (log, mut follower) = followed().await;
    let harness = &log.harness;
    log.in_progress("10.0.0.21").await;
    step(&mut follower, harness).await;
    assert_eq!(script(harness, "10.0.0.21").await, "#!ipxe\nh201.dc1.example 10.0.0.1 http://10.0.0.1:8080\n");
    let changed = harness.stored(FileKind::BootIpxe, true, "#!ipxe\nanother script\n").await;
    log.file("boot.ipxe", changed).await;
    assert_eq!(step(&mut follower, harness).await, 0);
    assert_eq!(script(harness, "10.0.0.21").await, "#!ipxe\nh201.dc1.example 10.0.0.1 http://10.0.0.1:8080\n");
    log.network(false, "10.0.0.9").await;
    log.site("http://10.0.0.2:8080").await;
    assert_eq!(step(&mut follower, harness).await, 1);
    assert_eq!(script(harness, "10.0.0.21").await, "#!ipxe\nh201.dc1.example 10.0.0.9 http://10.0.0.2:8080\n");
    let Lookup::Target(target) = harness.table.of_ip(address("10.0.0.21")) else { panic!("no target") };
    assert!(!target.place.ip_only_done);
    assert_eq!((target.image.revision, target.image.name.clone()), (3, name("debian-13")));
    log.end();
}

#[actix_web::test]
async fn a_rebuilt_view_that_starts_over_is_loaded_again() {
    let (log, mut follower) = followed().await;
    let harness = &log.harness;
    log.in_progress("10.0.0.21").await;
    step(&mut follower, harness).await;
    for statement in ["UPDATE checkpoint SET position = 2", "DELETE FROM boot_targets"] {
        sqlx::query(statement).execute(&harness.application.views).await.expect(statement);
    }
    step(&mut follower, harness).await;
    assert!(harness.table.is_empty());
    log.end();
}

#[actix_web::test]
async fn a_deployment_whose_image_is_not_in_the_views_gets_an_error_and_not_a_local_boot() {
    let (log, mut follower) = followed().await;
    let harness = &log.harness;
    log.in_progress("10.0.0.21").await;
    log.in_progress("10.0.0.22").await;
    let spoilt = "UPDATE boot_targets SET boot_image_revision = 99 WHERE ip = '10.0.0.21'";
    sqlx::query(spoilt).execute(&harness.application.views).await.expect(spoilt);
    step(&mut follower, harness).await;
    let answer = harness.get("/pxe/", "10.0.0.21").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "2"));
    assert!(script(harness, "10.0.0.22").await.contains("h202"), "others are served");
    log.end();
}

#[actix_web::test]
async fn targets_with_the_same_settings_share_one_map() {
    let (log, mut follower) = followed().await;
    let harness = &log.harness;
    let settings = serde_json::json!({ "disk": { "value": "/dev/sda", "from": "venture shop" } });
    log.in_progress_with("10.0.0.20", settings.clone()).await;
    log.in_progress_with("10.0.0.21", settings.clone()).await;
    log.in_progress("10.0.0.22").await;
    step(&mut follower, harness).await;
    let third = log.in_progress_with("10.0.0.23", settings).await;
    step(&mut follower, harness).await;
    log.site("http://10.0.0.2:8080").await;
    step(&mut follower, harness).await;
    let owners = |harness: &Harness| {
        let mut owners: Vec<usize> = harness.table.targets().iter().map(|target| target.settings.owners()).collect();
        owners.sort_unstable();
        owners
    };
    // Three targets and the follower's own reference; without settings there is no map at all.
    assert_eq!(owners(harness), [0, 4, 4, 4]);
    log.cancelled(third).await;
    step(&mut follower, harness).await;
    assert_eq!(owners(harness), [0, 3, 3]);
    log.end();
}
