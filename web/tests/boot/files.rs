//! Tests of `GET /pxe/{name}` and `GET /pxe/_{type}`.

use crate::harness::{Harness, kernel};
use actix_web::http::Method;

#[actix_web::test]
async fn a_file_is_served_by_name_and_by_type_and_with_the_token() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let token = harness.token(target.identity.deployment);
    for (path, client) in [
        ("/pxe/vmlinuz".to_owned(), "10.0.0.20"),
        ("/pxe/_kernel".to_owned(), "10.0.0.20"),
        (format!("/pxe/t/{token}/vmlinuz"), "10.0.0.20"),
        (format!("/pxe/t/{token}/_kernel"), "10.9.9.9"),
    ] {
        let answer = harness.get(&path, client).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/octet-stream"), "{path}");
        assert_eq!(answer.body, kernel());
        assert_eq!(answer.header("content-length"), "100000");
        assert_eq!(answer.header("etag"), format!("\"{}\"", target.image.files[&crate::harness::name("vmlinuz")].sha256));
    }
    let answer = harness.get("/pxe/_kickstart", "10.0.0.20").await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.text(), format!("host h200.dc1.example\nlate http://boot.example:8080/pxe/t/{token}/DONE/\n"));
}

#[actix_web::test]
async fn a_file_is_also_served_by_post_which_is_how_proxmox_fetches_its_answers() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let token = harness.token(target.identity.deployment);
    for path in ["/pxe/vmlinuz".to_owned(), format!("/pxe/t/{token}/vmlinuz")] {
        let answer = harness.request(Method::POST, &path, "10.0.0.20", &[]).await;
        assert_eq!((answer.status.as_u16(), answer.body), (200, kernel()), "{path}");
    }
    assert_eq!(harness.request(Method::PUT, "/pxe/vmlinuz", "10.0.0.20", &[]).await.status.as_u16(), 405);
}

#[actix_web::test]
async fn a_requested_range_of_a_file_is_served() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let whole = kernel();
    for (range, first, end) in [("bytes=0-0", 0, 1), ("bytes=65000-66000", 65_000, 66_001), ("bytes=-10", 99_990, 100_000)] {
        for method in [Method::GET, Method::HEAD] {
            let answer = harness.request(method.clone(), "/pxe/vmlinuz", "10.0.0.20", &[("Range", range)]).await;
            assert_eq!(answer.status, 206, "{range}");
            assert_eq!(answer.header("content-range"), format!("bytes {first}-{}/100000", end - 1));
            assert_eq!(answer.header("content-length"), (end - first).to_string());
            if method == Method::GET {
                assert_eq!(answer.body, whole[first..end]);
            }
        }
    }
    let behind = harness.request(Method::GET, "/pxe/vmlinuz", "10.0.0.20", &[("Range", "bytes=100000-")]).await;
    assert_eq!((behind.status.as_u16(), behind.header("content-range")), (416, "bytes */100000"));
    let several = harness.request(Method::GET, "/pxe/vmlinuz", "10.0.0.20", &[("Range", "bytes=0-1,5-6")]).await;
    assert_eq!((several.status.as_u16(), several.body.len()), (200, 100_000));
    let rendered = harness.request(Method::GET, "/pxe/_kickstart", "10.0.0.20", &[("Range", "bytes=5-8")]).await;
    assert_eq!((rendered.status.as_u16(), rendered.text()), (206, "h200"));
    let etag = several.header("etag").to_owned();
    let unchanged = harness.request(Method::GET, "/pxe/vmlinuz", "10.0.0.20", &[("If-None-Match", &etag)]).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0));
}

#[actix_web::test]
async fn a_head_request_gets_all_headers_without_the_bytes() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let answer = harness.request(Method::HEAD, "/pxe/vmlinuz", "10.0.0.20", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-length"), answer.body.len()), (200, "100000", 0));
    assert_eq!(answer.header("accept-ranges"), "bytes");
}

#[actix_web::test]
async fn secrets_need_the_token_where_the_network_requires_it() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", false).await;
    harness.load(&[&target]);
    let token = harness.token(target.identity.deployment);
    for path in ["/pxe/preseed.cfg", "/pxe/_kickstart", "/pxe/PRESEED.CFG"] {
        let answer = harness.get(path, "10.0.0.20").await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("dc1-servers"), "{}", answer.text());
    }
    for path in ["/pxe/", "/pxe/vmlinuz", "/pxe/readme"] {
        assert_eq!(harness.get(path, "10.0.0.20").await.status, 200, "{path}");
    }
    let answer = harness.get(&format!("/pxe/t/{token}/preseed.cfg"), "10.0.0.20").await;
    assert!(answer.text().starts_with("host h200"), "{}", answer.text());
}

#[actix_web::test]
async fn a_wrong_old_or_foreign_token_is_answered_with_a_sentence_and_nothing_else() {
    let harness = Harness::new();
    let (target, other) = (harness.target("10.0.0.20", true).await, harness.target("10.0.0.21", true).await);
    harness.load(&[&target]);
    let right = harness.token(target.identity.deployment);
    let spliced = format!("{}{}", &right[..32], &harness.token(other.identity.deployment)[32..]);
    let foreign = {
        let mut service = Harness::new();
        service.application.key = bootledger_web::http::application::ServiceKey::new(vec![8; 32]);
        service.token(target.identity.deployment)
    };
    let old = harness.token(other.identity.deployment);
    let mut sentences = std::collections::BTreeSet::new();
    for token in [spliced, foreign, old, "x".to_owned(), right[1..].to_owned(), right.to_uppercase()] {
        for rest in ["", "/", "/vmlinuz", "/_kickstart"] {
            // The client's own address has a deployment; a wrong token must not fall back to it.
            let answer = harness.get(&format!("/pxe/t/{token}{rest}"), "10.0.0.20").await;
            assert_eq!(answer.status, 404, "{token}{rest}");
            sentences.insert(answer.text().to_owned());
        }
    }
    assert_eq!(sentences.len(), 1, "the answer does not reveal what is wrong with a token: {sentences:?}");
}

#[actix_web::test]
async fn the_answer_for_a_missing_file_lists_the_images_files() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    let answer = harness.get("/pxe/vmlinux", "10.0.0.20").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.text(),
        "the boot image debian-13, revision 6, has no file vmlinux; it has boot.ipxe, initrd.img, preseed.cfg, readme, vmlinuz\n"
    );
    let answer = harness.get("/pxe/vmlinuz", "10.0.0.21").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (404, "no deployment is in progress for 10.0.0.21\n"));
}
