//! `GET /boot/loaders/{name}`: what UEFI firmware with HTTP boot fetches.

use crate::harness::Harness;
use actix_web::http::Method;
use bootledger_boot_loaders::Loaders;

fn harness() -> Harness {
    let mut harness = Harness::new();
    let folder = harness.folder.path().join("loaders");
    std::fs::create_dir_all(folder.join("arm64")).expect("a folder");
    std::fs::write(harness.folder.path().join("secret"), "top secret").expect("a file");
    std::os::unix::fs::symlink("../secret", folder.join("leaving.efi")).expect("a link");
    std::fs::write(folder.join("snponly.efi"), vec![7; 200_000]).expect("a file");
    std::fs::write(folder.join("arm64/undionly.kpxe"), "loader").expect("a file");
    // Without the checks, each of these names would lead to the secret.
    for name in ["../secret", "arm64/../../secret", "./../secret", "leaving.efi"] {
        assert_eq!(std::fs::read(folder.join(name)).expect(name), b"top secret");
    }
    harness.application.loaders = Some(Loaders::at(&folder).expect("loaders"));
    harness
}

#[actix_web::test]
async fn boot_loaders_are_public_and_served_completely() {
    let harness = harness();
    let answer = harness.get("/boot/loaders/snponly.efi", "10.0.0.99").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/efi"));
    assert!(answer.body == vec![7; 200_000] && answer.header("content-length") == "200000");
    let answer = harness.request(Method::HEAD, "/boot/loaders/snponly.efi", "10.0.0.99", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-length"), answer.body.len()), (200, "200000", 0));
    let answer = harness.get("/boot/loaders/arm64/undionly.kpxe", "10.0.0.99").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/octet-stream"));
    assert_eq!(answer.text(), "loader");
}

#[actix_web::test]
async fn nothing_else_is_served() {
    let harness = harness();
    for name in [
        "",
        "none.efi",
        "arm64",
        "../secret",
        "..%2fsecret",
        "%2e%2e/secret",
        "%2e%2e%2fsecret",
        "arm64/../../secret",
        "/../secret",
        "%2f..%2fsecret",
        "%252e%252e/secret",
        "leaving.efi",
        "LEAVING.EFI",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "snponly.efi%00.txt",
        "..%5csecret",
        "C:%5c..%5csecret",
        "snponly.efi/",
        "snponly.efi.txt",
    ] {
        let answer = harness.get(&format!("/boot/loaders/{name}"), "10.0.0.99").await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 404, "{name}: {text}");
        assert!(!text.contains("top secret") && !text.is_empty(), "{name}: {text}");
    }
    let answer = harness.request(Method::PUT, "/boot/loaders/new.efi", "10.0.0.99", &[]).await;
    assert_eq!(answer.status, 405);
}

#[actix_web::test]
async fn a_loader_is_served_however_firmware_writes_its_name() {
    let harness = harness();
    for name in [
        "/snponly.efi",
        "//snponly.efi",
        "./snponly.efi",
        "%2fsnponly.efi",
        "%5csnponly.efi",
        "snponly%2eefi",
        "SNPONLY.EFI",
        "snponly.efi%00",
        "snponly.efi%ff",
        "snponly.efi%ef%bf%bd",
        "snponly.efi%20",
        "snponly.efi%0d%0a",
        "snponly.efi?mac=52:54:00:00:00:01",
        "snponly.efi%3fmac=52:54:00:00:00:01",
    ] {
        let answer = harness.get(&format!("/boot/loaders/{name}"), "10.0.0.99").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 200_000), "{name}");
        assert_eq!(answer.header("content-type"), "application/efi", "{name}");
    }
    let answer = harness.get("/boot/loaders/arm64%5cundionly.kpxe", "10.0.0.99").await;
    assert_eq!(answer.text(), "loader");
}

/// Firmware sends a HEAD for the length, allocates memory, and may resume after a broken connection (EDK II, `HttpBootDxe`).
#[actix_web::test]
async fn a_download_can_be_measured_and_continued() {
    let harness = harness();
    let request = async |method: Method, headers: &[(&str, &str)]| {
        harness.request(method, "/boot/loaders/snponly.efi", "10.0.0.99", headers).await
    };
    let whole = request(Method::GET, &[("accept-encoding", "gzip, deflate, br")]).await;
    assert_eq!((whole.header("content-length"), whole.header("content-encoding")), ("200000", ""));
    assert_eq!((whole.header("transfer-encoding"), whole.header("accept-ranges")), ("", "bytes"));
    let tag = whole.header("etag").to_owned();
    assert!(tag.len() > 4 && !whole.header("last-modified").is_empty());
    let rest = request(Method::GET, &[("range", "bytes=150000-"), ("if-match", &tag)]).await;
    assert_eq!((rest.status.as_u16(), rest.header("content-range")), (206, "bytes 150000-199999/200000"));
    assert_eq!((rest.header("content-length"), rest.body.len(), rest.header("etag")), ("50000", 50_000, tag.as_str()));
    let part = request(Method::GET, &[("range", "bytes=0-511"), ("if-range", &tag)]).await;
    assert_eq!((part.status.as_u16(), part.body.len()), (206, 512));
    let head = request(Method::HEAD, &[("range", "bytes=-1")]).await;
    assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (206, "1", 0));
    // The file with which the download began no longer exists.
    assert_eq!(request(Method::GET, &[("range", "bytes=9-"), ("if-match", "\"other\"")]).await.status, 412);
    assert_eq!(request(Method::GET, &[("range", "bytes=9-"), ("if-range", "\"other\"")]).await.status, 200);
    let behind = request(Method::GET, &[("range", "bytes=200000-")]).await;
    assert_eq!((behind.status.as_u16(), behind.header("content-range")), (416, "bytes */200000"));
    assert_eq!(request(Method::GET, &[("if-none-match", &tag)]).await.status, 304);
    // An invalid range is answered with the whole file.
    for range in ["bytes=1-2,5-6", "lines=1-2", "bytes=x"] {
        assert_eq!(request(Method::GET, &[("range", range)]).await.status, 200, "{range}");
    }
}

#[actix_web::test]
async fn a_missing_loader_is_named_with_what_to_do() {
    let harness = harness();
    let answer = harness.get("/boot/loaders/ipxe-arm64.efi", "10.0.0.99").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.text(),
        "there is no boot loader \"ipxe-arm64.efi\"; put it into the folder of --loaders, or install \
         Debian's package ipxe\n"
    );
    let head = harness.request(Method::HEAD, "/boot/loaders/ipxe-arm64.efi", "10.0.0.99", &[]).await;
    assert_eq!(head.status, 404);
}

#[actix_web::test]
async fn a_service_without_a_folder_explains_that() {
    let answer = Harness::new().get("/boot/loaders/snponly.efi", "10.0.0.99").await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("--tftp-folder"), "{}", answer.text());
}
