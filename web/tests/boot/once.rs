//! Installers that restart the server before they are done: which file ends the network boots of an image, and what the server
//! gets then.

use crate::harness::{Harness, address, identity, name};
use crate::log::Log;
use actix_web::http::Method;
use bootledger_aggregates::boot_image::{FileKind, NetworkBoot};
use bootledger_aggregates::deployment::event::DeploymentEvent;
use bootledger_aggregates::deployment::installer::{NextBoot, NextBootReason};
use bootledger_web::images::target::{Identity, Image, Target};
use bootledger_web::machines::pxe::follow::Follower;
use bootledger_web::machines::pxe::table::Lookup;
use std::sync::Arc;

const CLIENT: &str = "10.0.0.20";

/// A target of the sample image, without its files of these kinds.
async fn target(harness: &Harness, network_boot: NetworkBoot, next_boot: NextBoot, without: &[FileKind]) -> Arc<Target> {
    let usual = harness.target(CLIENT, true).await;
    let mut files = usual.image.files.clone();
    files.retain(|_, file| !without.contains(&file.kind));
    let image = Image { files, network_boot, ..(*usual.image).clone() };
    Arc::new(Target::new(
        Identity { next_boot, ..identity(CLIENT) },
        Arc::new(image),
        Arc::clone(&usual.place),
        usual.settings.clone(),
    ))
}

#[actix_web::test]
async fn the_answer_file_ends_the_network_boots_of_an_image_that_boots_once_or_else_its_kernel() {
    use FileKind::{Kernel, Kickstart};
    use NetworkBoot::{Once, UntilDone};
    let table: &[(NetworkBoot, NextBoot, &[FileKind], Option<&str>)] = &[
        (Once, NextBoot::Network, &[], Some("preseed.cfg")),
        (Once, NextBoot::Network, &[Kickstart], Some("vmlinuz")),
        (Once, NextBoot::Network, &[Kickstart, Kernel], None),
        (Once, NextBoot::Disk, &[], None),
        (UntilDone, NextBoot::Network, &[], None),
        (UntilDone, NextBoot::Network, &[Kickstart], None),
        (UntilDone, NextBoot::Disk, &[], None),
    ];
    let harness = Harness::new();
    for (network_boot, next_boot, without, last) in table {
        let target = target(&harness, *network_boot, *next_boot, without).await;
        for file in ["boot.ipxe", "vmlinuz", "initrd.img", "preseed.cfg", "readme"] {
            let ends = target.boots_disk_after(&name(file));
            assert_eq!(ends, *last == Some(file), "{network_boot:?} {next_boot:?} without {without:?}: {file}");
        }
    }
}

#[actix_web::test]
async fn a_server_whose_next_boot_is_its_disk_gets_that_and_its_files_stay_by_token_and_address() {
    let harness = Harness::new();
    let target = target(&harness, NetworkBoot::Once, NextBoot::Disk, &[]).await;
    harness.load(&[&target]);
    let token = harness.token(target.identity.deployment);
    for path in ["/pxe", "/pxe/", &format!("/pxe/t/{token}"), &format!("/pxe/t/{token}/")] {
        for method in [Method::GET, Method::HEAD] {
            let answer = harness.request(method, path, CLIENT, &[]).await;
            assert_eq!(answer.status.as_u16(), 200);
            assert!(answer.text().contains("sanboot") && answer.text().contains("in progress"), "{}", answer.text());
        }
    }
    for client in [CLIENT, "203.0.113.4"] {
        for file in ["boot.ipxe", "vmlinuz", "preseed.cfg", "initrd.img"] {
            let path = format!("/pxe/t/{token}/{file}");
            assert_eq!(harness.get(&path, client).await.status.as_u16(), 200, "{file}");
            assert_eq!(harness.request(Method::HEAD, &path, client, &[]).await.status.as_u16(), 200, "HEAD {file}");
            let part = harness.request(Method::GET, &path, client, &[("Range", "bytes=0-3")]).await;
            assert_eq!((part.status.as_u16(), part.body.len()), (206, 4), "{file}");
            let dated = [("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"), ("Date", "Thu, 01 Jan 1970 00:00:00 GMT")];
            assert_eq!(harness.request(Method::GET, &path, client, &dated).await.status.as_u16(), 200, "dated {file}");
        }
    }
    assert_eq!(harness.get(&format!("/pxe/t/{token}/DONE"), "203.0.113.4").await.text(), "OK");
    assert!(harness.get("/pxe/", CLIENT).await.text().contains("no deployment is in progress"));
}

#[actix_web::test]
async fn the_table_follows_the_next_boot_and_serves_the_script_until_then() {
    let log = Log::new().await;
    let harness = &log.harness;
    let mut follower = Follower::new(harness.application.views.clone());
    log.data_centre(true).await;
    let deployment = log.in_progress(CLIENT).await;
    let other = log.in_progress("10.0.0.21").await;
    let script = async |follower: &mut Follower| {
        follower.step(&harness.table).await.expect("the views answer");
        let Lookup::Target(target) = harness.table.of_deployment(deployment) else { panic!("no target") };
        assert_eq!(target.identity.assignment.ip, address(CLIENT));
        harness.get("/pxe/", CLIENT).await.text().contains("h200.dc1.example")
    };
    assert!(script(&mut follower).await, "a first attempt that broke off before its answers gets the script again");
    let reason = NextBootReason::AnswersServed { file: name("preseed.cfg") };
    for (boot, installs) in [(NextBoot::Disk, false), (NextBoot::Network, true), (NextBoot::Disk, false)] {
        log.deployment(deployment, DeploymentEvent::NextBootSet { boot, reason: reason.clone() }).await;
        assert_eq!(script(&mut follower).await, installs, "{boot:?}");
    }
    // A second instance, or the same one after a restart, loads the same state.
    let mut second = Follower::new(harness.application.views.clone());
    assert!(!script(&mut second).await);
    assert!(harness.get("/pxe/", "10.0.0.21").await.text().contains("h201.dc1.example"), "another server is not concerned");
    log.done(deployment).await;
    follower.step(&harness.table).await.expect("the views answer");
    assert!(harness.get("/pxe/", CLIENT).await.text().contains("no deployment is in progress"));
    log.done(other).await;
    log.end();
}
