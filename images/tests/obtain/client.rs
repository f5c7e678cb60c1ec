//! Downloads from servers that misbehave.

use crate::server::{Reply, Server, file, status};
use bootledger_images::client::{Client, DownloadError, Limits, Partial};
use bootledger_images::digest::Digest;
use bootledger_outbound::Guard;
use sha2::Digest as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use url::Url;

/// Limits that a test can wait for.
pub(crate) fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        silence: Duration::from_millis(400),
        pace: 1000,
        pace_over: Duration::from_secs(5),
        attempts: 3,
        backoff: Duration::from_millis(5),
        file: 1_000_000,
        list: 10_000,
    }
}

pub(crate) fn client(limits: Limits, guard: Guard) -> Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::new(limits, guard).expect("a client")
}

fn content(seed: u8) -> Vec<u8> {
    (0..50_000_u32).map(|n| (n.wrapping_mul(31) >> 3).to_le_bytes()[0] ^ seed).collect()
}

fn sha256(content: &[u8]) -> Digest {
    Digest::Sha256(sha2::Sha256::digest(content).into())
}

async fn get(url: &Url, folder: &Path, expected: Option<Digest>) -> Result<Vec<u8>, DownloadError> {
    let mut partial = Partial::open(folder, url.as_str(), expected.as_ref()).await?;
    client(limits(), Guard::Anywhere).file(url, &mut partial, expected.as_ref(), &|_, _| {}).await?;
    Ok(std::fs::read(partial.path()).expect("the file"))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[tokio::test]
async fn an_interrupted_download_resumes() {
    let body = content(0);
    let whole = body.clone();
    let server = Server::start(move |request| {
        let cut = [Some(20_000), Some(10_000), None][request.before.min(2)];
        Reply { cut, ..file(request, &whole, "v1") }
    })
    .await;
    let folder = folder();
    let got = get(&server.at("/linux"), folder.path(), Some(sha256(&body))).await.expect("the whole file");
    assert!(got == body);
    let requests = server.requests("/linux");
    assert_eq!(requests.iter().map(|request| request.from).collect::<Vec<_>>(), [None, Some(20_000), Some(30_000)]);
    assert_eq!(requests[1].if_range.as_deref(), Some("\"v1\""));
}

#[tokio::test]
async fn a_second_run_resumes_the_first() {
    let body = content(0);
    let whole = body.clone();
    let server = Server::start(move |request| {
        let cut = (request.before < 3).then_some(if request.before == 0 { 20_000 } else { 0 });
        Reply { cut, ..file(request, &whole, "v1") }
    })
    .await;
    let folder = folder();
    let url = server.at("/linux");
    let error = get(&url, folder.path(), Some(sha256(&body))).await.expect_err("three failures in a row");
    assert!(matches!(error, DownloadError::Failed { .. } | DownloadError::Short { .. }), "{error}");
    assert!(get(&url, folder.path(), Some(sha256(&body))).await.expect("the rest") == body);
    assert_eq!(server.requests("/linux").last().expect("a request").from, Some(20_000));
}

#[tokio::test]
async fn a_file_that_changed_upstream_is_downloaded_from_its_start() {
    let (old, new) = (content(0), content(1));
    let (first, second) = (old, new.clone());
    let server = Server::start(move |request| match request.before {
        0 => Reply { cut: Some(20_000), ..file(request, &first, "v1") },
        _ => file(request, &second, "v2"),
    })
    .await;
    let got = get(&server.at("/linux"), folder().path(), Some(sha256(&new))).await.expect("the new file");
    assert!(got == new);
}

#[tokio::test]
async fn parts_that_do_not_fit_each_other_are_found_and_the_whole_is_downloaded_again() {
    let (old, new) = (content(0), content(1));
    let (first, second) = (old, new.clone());
    let server = Server::start(move |request| match request.before {
        0 => Reply { cut: Some(20_000), ..file(request, &first, "same") },
        // The same tag for another content: the server lies.
        _ => file(request, &second, "same"),
    })
    .await;
    assert!(get(&server.at("/linux"), folder().path(), Some(sha256(&new))).await.expect("the new file") == new);
    assert_eq!(server.requests("/linux").len(), 3);
}

#[tokio::test]
async fn a_content_that_was_not_published_is_refused_and_not_kept() {
    let server = Server::start(move |request| file(request, &content(1), "v1")).await;
    let folder = folder();
    let error = get(&server.at("/linux"), folder.path(), Some(sha256(&content(0)))).await.expect_err("wrong bytes");
    assert!(matches!(error, DownloadError::Checksum { .. }), "{error}");
    let left = std::fs::read_dir(folder.path()).expect("the folder").filter_map(Result::ok);
    let parts: Vec<u64> = left
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "part"))
        .map(|entry| entry.metadata().expect("a file").len())
        .collect();
    assert_eq!(parts, [0]);
}

#[tokio::test]
async fn a_length_that_is_never_reached_is_an_error() {
    let server =
        Server::start(move |_| Reply { length: Some(10), body: b"short".to_vec(), status: 200, ..Reply::default() }).await;
    let error = get(&server.at("/linux"), folder().path(), None).await.expect_err("a short file");
    assert!(matches!(error, DownloadError::Failed { .. } | DownloadError::Short { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_file_is_reported_at_once_and_a_busy_server_is_retried() {
    let server = Server::start(move |request| match (request.path.as_str(), request.before) {
        ("/busy", 0) => Reply { headers: vec![("retry-after".to_owned(), "0".to_owned())], ..status(503) },
        ("/busy", _) => file(request, b"here", "v1"),
        _ => status(404),
    })
    .await;
    let error = get(&server.at("/missing"), folder().path(), None).await.expect_err("404");
    assert!(error.is_missing() && error.to_string().contains("look for a newer version of this recipe"), "{error}");
    assert_eq!(server.requests("/missing").len(), 1);
    assert_eq!(get(&server.at("/busy"), folder().path(), None).await.expect("the second time"), b"here");
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let server = Server::start(move |request| {
        let to = if request.path == "/a" { "/b" } else { "/a" };
        Reply { headers: vec![("location".to_owned(), to.to_owned())], ..status(302) }
    })
    .await;
    let error = get(&server.at("/a"), folder().path(), None).await.expect_err("a circle");
    assert!(error.to_string().contains("redirects more than 5 times"), "{error}");
    assert!(server.requests("/a").len() + server.requests("/b").len() <= 7);
}

#[tokio::test]
async fn a_silent_server_is_abandoned() {
    let server = Server::start(move |request| match request.path.as_str() {
        "/middle" => Reply { cut: Some(100), hang: true, ..file(request, &content(0), "v1") },
        _ => Reply { status: 200, length: Some(1), hang: true, ..Reply::default() },
    })
    .await;
    for path in ["/start", "/middle"] {
        let error = get(&server.at(path), folder().path(), None).await.expect_err("silence");
        assert!(matches!(error, DownloadError::Slow { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_before_it_is_downloaded() {
    let server = Server::start(move |_| Reply { status: 200, length: Some(2_000_000), hang: true, ..Reply::default() }).await;
    let error = get(&server.at("/iso"), folder().path(), None).await.expect_err("too large");
    assert!(matches!(error, DownloadError::TooLarge { limit: 1_000_000, .. }), "{error}");
    let error = client(limits(), Guard::Anywhere).small(&server.at("/list")).await.expect_err("too large");
    assert!(matches!(error, DownloadError::TooLarge { limit: 10_000, .. }), "{error}");
}

#[tokio::test]
async fn the_service_does_not_download_from_itself_by_address_name_or_redirect() {
    let server = Server::start(move |_| Reply {
        headers: vec![("location".to_owned(), "http://169.254.169.254/latest/meta-data".to_owned())],
        ..status(302)
    })
    .await;
    let guarded = client(limits(), Guard::new(vec![], "--image-mirror-allow"));
    let port = server.url.port().expect("a port");
    for url in
        [format!("http://127.0.0.1:{port}/"), format!("http://localhost:{port}/"), format!("http://[::ffff:7f00:1]:{port}/")]
    {
        let error = guarded.small(&url.parse().expect("a URL")).await.expect_err("refused");
        assert!(matches!(error, DownloadError::Refused(_)), "{url}: {error}");
    }
    assert!(server.requests("/").is_empty());
    let allowed = client(limits(), Guard::new(vec!["127.0.0.0/8".parse().expect("a network")], "--image-mirror-allow"));
    let error = allowed.small(&server.at("/")).await.expect_err("a redirect to the metadata service");
    assert!(matches!(error, DownloadError::Refused(_)), "{error}");
}

#[tokio::test]
async fn one_file_is_downloaded_by_one_program_at_a_time() {
    let folder = folder();
    let first = Partial::open(folder.path(), "http://a/x", None).await.expect("the first");
    assert!(matches!(Partial::open(folder.path(), "http://a/x", None).await, Err(DownloadError::Busy)));
    drop(Partial::open(folder.path(), "http://a/y", None).await.expect("another file"));
    drop(first);
    drop(Partial::open(folder.path(), "http://a/x", None).await.expect("after the first"));
}

#[tokio::test]
async fn progress_says_how_much_has_arrived() {
    let server = Server::start(move |request| file(request, &content(0), "v1")).await;
    let folder = folder();
    let url = server.at("/linux");
    let mut partial = Partial::open(folder.path(), url.as_str(), None).await.expect("a file");
    let (last, total) = (AtomicU64::new(0), AtomicU64::new(0));
    let report = |bytes, of: Option<u64>| {
        assert!(bytes >= last.swap(bytes, Ordering::Relaxed));
        total.store(of.unwrap_or(0), Ordering::Relaxed);
    };
    client(limits(), Guard::Anywhere).file(&url, &mut partial, None, &report).await.expect("the file");
    assert_eq!((last.into_inner(), total.into_inner()), (50_000, 50_000));
}
