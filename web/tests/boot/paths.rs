//! Paths that are not a file's name never reach the store.

use crate::harness::Harness;

#[actix_web::test]
async fn no_path_leads_out_of_the_image() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let token = harness.token(target.identity.deployment);
    std::fs::write(harness.folder.path().join("secret"), "top secret").expect("written");
    let files = harness.folder.path().join("files");
    // A store that no longer exists can serve nothing: a 404 shows that the store was not used.
    std::fs::rename(&files, harness.folder.path().join("moved")).expect("moved");
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
        for path in [format!("/pxe/{name}"), format!("/pxe/t/{token}/{name}")] {
            if path == "/pxe//" || path.parse::<actix_web::http::Uri>().is_err() {
                continue;
            }
            let answer = harness.get(&path, "10.0.0.20").await;
            assert_eq!(answer.status, 404, "{path}: {}", String::from_utf8_lossy(&answer.body));
            assert!(!answer.body.is_empty() && !String::from_utf8_lossy(&answer.body).contains("top secret"), "{path}");
        }
    }
    assert!(harness.asked().is_empty());
}
