//! Paths that are not a file's name never reach the store.

use crate::harness::Harness;
use percent_encoding::percent_decode_str;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Writes a secret to the file that a request reaches if its path is decoded and joined to the folder of the store. Returns
/// whether a file of this name can exist.
fn hide(store: &Path, name: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(name).collect();
    let Some(begin) = decoded.iter().position(|byte| *byte != b'/') else { return false };
    let path = store.join(OsStr::from_bytes(&decoded[begin..]));
    if let Some(folder) = path.parent() {
        // A file may be in the way, as for `vmlinuz/..`.
        drop(std::fs::create_dir_all(folder));
    }
    std::fs::write(&path, "top secret").is_ok() && std::fs::read(&path).is_ok_and(|text| text == b"top secret")
}

#[actix_web::test]
async fn no_path_leads_out_of_the_image() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let token = harness.token(target.identity.deployment);
    let store = harness.folder.path().join("files");
    let long = "a".repeat(5000);
    for name in [
        "..",
        ".",
        "../secret",
        "..%2fsecret",
        "%2e%2e/secret",
        "%2e%2e%2fsecret",
        "%2E%2E",
        "..%5csecret",
        "..;/secret",
        "%252e%252e%252fsecret",
        "vmlinuz%00",
        "%00",
        "vmlinuz%0a",
        "vmlinuz/",
        "vmlinuz/..",
        "a/b/c",
        "/vmlinuz",
        "//",
        "vmlinuz%20",
        "%20vmlinuz",
        "-x",
        "_",
        "_secret",
        "__kernel",
        "_%2e%2e",
        "%C3%A4",
        "%ff",
        "%",
        "%2",
        "~root",
        "t",
        "t/",
        "sha256/ab",
        "*",
        "\\",
        long.as_str(),
    ] {
        let reached = hide(&store, name);
        assert!(reached || !name.contains("secret"), "{name} does not reach a secret, even if it is joined to the store");
        for path in [format!("/pxe/{name}"), format!("/pxe/t/{token}/{name}")] {
            if path == "/pxe//" || path.parse::<actix_web::http::Uri>().is_err() {
                continue;
            }
            let answer = harness.get(&path, "10.0.0.20").await;
            assert_eq!(answer.status, 404, "{path}: {}", String::from_utf8_lossy(&answer.body));
            assert!(!answer.body.is_empty() && !String::from_utf8_lossy(&answer.body).contains("top secret"), "{path}");
        }
    }
    assert!(harness.requested().is_empty());
}
