//! `GET /boot/loaders/{name}`: what UEFI firmware fetches that boots over HTTP.

use crate::harness::Harness;
use actix_web::http::Method;
use bootledger_web::boot::loaders::Loaders;

fn harness() -> Harness {
    let mut harness = Harness::new();
    let folder = harness.folder.path().join("loaders");
    std::fs::create_dir_all(folder.join("arm64")).expect("a folder");
    std::fs::write(harness.folder.path().join("secret"), "top secret").expect("a file");
    std::os::unix::fs::symlink("../secret", folder.join("leaving.efi")).expect("a link");
    std::fs::write(folder.join("snponly.efi"), vec![7; 200_000]).expect("a file");
    std::fs::write(folder.join("arm64/undionly.kpxe"), "loader").expect("a file");
    harness.application.loaders = Some(Loaders::at(&folder).expect("loaders"));
    harness
}

#[actix_web::test]
async fn boot_loaders_are_served_whole_to_anybody() {
    let harness = harness();
    let answer = harness.get("/boot/loaders/snponly.efi", "10.0.0.99").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/efi"));
    assert!(answer.body == vec![7; 200_000] && answer.header("content-length") == "200000");
    let answer = harness.ask(Method::HEAD, "/boot/loaders/snponly.efi", "10.0.0.99", &[]).await;
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
        "leaving.efi",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "snponly.efi%00",
        "..%5csecret",
        "snponly.efi/",
    ] {
        let answer = harness.get(&format!("/boot/loaders/{name}"), "10.0.0.99").await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 404, "{name}: {text}");
        assert!(!text.contains("top secret") && !text.is_empty(), "{name}: {text}");
    }
    let answer = harness.ask(Method::PUT, "/boot/loaders/new.efi", "10.0.0.99", &[]).await;
    assert_eq!(answer.status, 405);
}

#[actix_web::test]
async fn a_service_without_a_folder_says_so() {
    let answer = Harness::new().get("/boot/loaders/snponly.efi", "10.0.0.99").await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("--tftp-folder"), "{}", answer.text());
}
