//! Each served file becomes one event, recorded after the answer.

use crate::harness::{Harness, name};
use actix_web::http::Method;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_port::{Command, DeploymentAction};
use bootledger_web::machines::pxe::follow;
use sha2::Digest;
use std::time::Duration;

/// Waits until this many commands were executed, then stops the service, which flushes what still waits.
pub(crate) async fn recorded(harness: &Harness, count: usize) -> Vec<(String, Sha256)> {
    let running = tokio::spawn(follow::run(harness.boot()));
    let all = async {
        while harness.requested().len() < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all).await.expect("records come");
    harness.stop.send_replace(true);
    tokio::time::timeout(Duration::from_secs(10), running).await.expect("it stops").expect("it does not panic");
    let requested = harness.domain.requested.lock().expect("no panic");
    let mut files: Vec<_> = requested
        .iter()
        .map(|(command, context)| match command {
            Command::Deployment(DeploymentAction::RecordBoot { file, sha256, client, .. }) => {
                assert_eq!(context.actor, format!("server {client}"));
                (file.to_string(), *sha256)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    files.sort();
    files
}

#[actix_web::test]
async fn each_file_is_recorded_once_with_the_hash_of_what_was_sent() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let mut script = vec![];
    for _ in 0..3 {
        script = harness.get("/pxe/", "10.0.0.20").await.body;
        harness.get("/pxe/vmlinuz", "10.0.0.20").await;
        harness.request(Method::GET, "/pxe/vmlinuz", "10.0.0.20", &[("Range", "bytes=5-9")]).await;
    }
    let kernel = target.image.files[&name("vmlinuz")].sha256;
    let script = Sha256::new(sha2::Sha256::digest(&script).into());
    assert_eq!(recorded(&harness, 2).await, [("boot.ipxe".to_owned(), script), ("vmlinuz".to_owned(), kernel)]);
}

#[actix_web::test]
async fn an_answer_without_bytes_is_not_recorded() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let etag = format!("\"{}\"", target.image.files[&name("vmlinuz")].sha256);
    harness.request(Method::HEAD, "/pxe/", "10.0.0.20", &[]).await;
    harness.request(Method::HEAD, "/pxe/vmlinuz", "10.0.0.20", &[]).await;
    harness.request(Method::GET, "/pxe/vmlinuz", "10.0.0.20", &[("Range", "bytes=100000-")]).await;
    harness.request(Method::GET, "/pxe/vmlinuz", "10.0.0.20", &[("If-None-Match", &etag)]).await;
    harness.get("/pxe/none", "10.0.0.20").await;
    harness.get("/pxe/vmlinuz", "10.0.0.21").await;
    // When the last one is recorded, the earlier ones would be too.
    harness.get("/pxe/readme", "10.0.0.20").await;
    let files: Vec<_> = recorded(&harness, 1).await.into_iter().map(|(file, _)| file).collect();
    assert_eq!(files, ["readme"]);
}
