//! Contents in the store are complete or absent.

use crate::harness::Harness;
use bootledger_web::images::store::{Contents, StoreError};
use bytes::Bytes;
use futures::{StreamExt, stream};
use std::time::{Duration, Instant};

fn files(harness: &Harness) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
    }
    count(&harness.folder.path().join("files"))
}

async fn nothing_left(harness: &Harness) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while files(harness) > 0 {
        assert!(Instant::now() < deadline, "{} files are left", files(harness));
        tokio::task::yield_now().await;
    }
}

#[actix_web::test]
async fn a_sender_that_stops_leaves_nothing() {
    let harness = Harness::new();
    let contents = Contents::new(harness.application.files.clone());
    let part = || Ok(Bytes::from(vec![1; 3_000_000]));
    let broken = stream::iter([part(), part(), Err(anyhow::anyhow!("the connection was lost"))]);
    assert!(matches!(contents.store(broken, u64::MAX, None).await, Err(StoreError::Aborted(_))));
    nothing_left(&harness).await;
}

#[actix_web::test]
async fn a_request_that_is_dropped_leaves_nothing() {
    let harness = Harness::new();
    let contents = Contents::new(harness.application.files.clone());
    let (begun, mut seen) = tokio::sync::mpsc::channel(1);
    let endless = stream::unfold(begun, |begun| async move {
        begun.send(()).await.ok()?;
        Some((Ok::<_, anyhow::Error>(Bytes::from(vec![1; 1_000_000])), begun))
    });
    let storing = tokio::spawn(async move { contents.store(endless, u64::MAX, None).await.map(drop) });
    for _ in 0..8 {
        seen.recv().await.expect("it reads on");
    }
    assert!(files(&harness) > 0, "it was begun");
    storing.abort();
    assert!(storing.await.expect_err("it was aborted").is_cancelled());
    nothing_left(&harness).await;
}

#[actix_web::test]
async fn many_that_store_one_content_at_once_all_succeed_and_it_is_there_once() {
    let harness = Harness::new();
    let contents = Contents::new(harness.application.files.clone());
    let body = Bytes::from(vec![9; 6_000_000]);
    let all = futures::future::join_all((0..8).map(|_| contents.store_bytes(body.clone()))).await;
    let stored = *all[0].as_ref().expect("stored");
    assert!(all.iter().all(|each| each.as_ref().ok() == Some(&stored)), "{all:?}");
    assert_eq!(files(&harness), 1);
    assert_eq!(contents.read_whole(stored.sha256, stored.size).await.expect("read"), body);
    let part: Vec<_> = contents.read(stored.sha256, 5..9).await.expect("read").collect().await;
    assert_eq!(part.into_iter().map(|bytes| bytes.expect("bytes").len()).sum::<usize>(), 4);
}
