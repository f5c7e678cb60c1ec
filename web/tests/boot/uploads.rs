//! Tests of `/api/v1/boot-images/{name}/files/{file}`: the whole site, with tokens.

use crate::log::Log;
use actix_web::http::Method;
use actix_web::test::{self, TestRequest};
use actix_web::{App, web::Bytes};
use bootledger_aggregates::token::TokenScope;
use bootledger_port::{CatalogueAction, Command};
use bootledger_web::server::{Part, Site};
use serde_json::Value;

const FILE: &str = "/api/v1/boot-images/debian-13/files/extra";

struct Answer {
    status: u16,
    position: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

async fn request(log: &Log, bearer: &str, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let mut boot = log.harness.boot();
    boot.application.metrics = prometheus::Registry::new();
    let site = Site::new(boot).expect("a site");
    let service = test::init_service(App::new().configure(site.configure(Part::Whole))).await;
    let mut request = TestRequest::with_uri(path).method(method).peer_addr("10.9.9.9:5".parse().expect("an address"));
    request = request.insert_header(("Authorization", bearer)).set_payload(Bytes::from(body));
    for (name, value) in headers {
        request = request.insert_header((*name, *value));
    }
    let response = test::call_service(&service, request.to_request()).await;
    let position = response.headers().get("bootledger-position").map_or("", |value| value.to_str().expect("text")).to_owned();
    Answer { status: response.status().as_u16(), position, body: test::read_body(response).await.to_vec() }
}

/// All files in the store's folder.
fn kept(log: &Log) -> Vec<String> {
    let mut folders = vec![log.harness.folder.path().join("files")];
    let mut found = vec![];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path.display().to_string()) }
        }
    }
    found.sort();
    found
}

#[actix_web::test]
async fn a_file_is_stored_under_its_hash_and_put_into_the_image() {
    let log = Log::new().await;
    log.data_centre(true).await;
    let administrator = log.bearer(TokenScope::Administrator).await;
    // The domain behind this test answers with a position that the views never reach; pretend that they show it.
    log.harness.position.send_replace(1000);
    let body: Vec<u8> = (0..700_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let answer = request(&log, &administrator, Method::PUT, &format!("{FILE}?kind=initrd"), &[], body.clone()).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let put = answer.json();
    assert_eq!((put["kind"].as_str(), put["size"].as_u64(), put["revision"].as_u64()), (Some("initrd"), Some(700_000), Some(3)));
    assert_eq!(answer.position, "101");
    let digits = put["sha256"].as_str().expect("a hash");
    let path = log.harness.folder.path().join("files/sha256").join(&digits[..2]).join(&digits[2..]);
    assert_eq!(std::fs::read(path).expect("stored"), body);
    {
        let requested = log.harness.domain.requested.lock().expect("no panic");
        let [(Command::Catalogue(CatalogueAction::PutBootFile { image, name, file }), context)] = requested.as_slice() else {
            panic!("{requested:?}")
        };
        assert_eq!((image.as_str(), name.as_str(), file.template), ("debian-13", "extra", false));
        assert_eq!((file.sha256.to_string().as_str(), context.actor.as_str()), (digits, "token ops"));
    }
    let before = kept(&log);
    assert_eq!(request(&log, &administrator, Method::PUT, &format!("{FILE}?kind=other"), &[], body).await.status, 200);
    assert_eq!(kept(&log), before, "the same content is stored once, and nothing temporary is left");
    log.end();
}

#[actix_web::test]
async fn a_body_that_is_refused_leaves_nothing_behind() {
    let log = Log::new().await;
    log.data_centre(true).await;
    let administrator = log.bearer(TokenScope::Administrator).await;
    let before = kept(&log);
    let wrong_hash = format!("{FILE}?kind=other&sha256={}", "0".repeat(64));
    let large = vec![7; 1024 * 1024 + 1];
    for (query, body, status, says) in [
        (format!("{FILE}?kind=other"), large.clone(), 413, "larger than 1048576 bytes"),
        (format!("{FILE}?kind=other"), vec![], 422, "the body is empty"),
        (format!("{FILE}?kind=kickstart&template=true"), vec![], 422, "the body is empty"),
        (wrong_hash.clone(), b"abc".to_vec(), 422, "ba7816bf"),
        (format!("{wrong_hash}&template=true"), b"abc".to_vec(), 422, "ba7816bf"),
        (
            format!("{FILE}?kind=boot_ipxe&template=true"),
            b"#!ipxe\necho {{ hostnme }}\n".to_vec(),
            422,
            "line 2: there is no variable hostnme",
        ),
        (format!("{FILE}?kind=boot_ipxe&template=true"), b"#!ipxe\n\xff".to_vec(), 422, "byte 8"),
        (format!("{FILE}?kind=boot_ipxe&template=true"), vec![b'x'; 262_145], 413, "larger than 262144 bytes"),
        (format!("{FILE}?kind=floppy"), b"abc".to_vec(), 400, "kind"),
        (FILE.to_owned(), b"abc".to_vec(), 400, "kind"),
        (format!("{FILE}?kind=other&tmplate=true"), b"abc".to_vec(), 400, "tmplate"),
        ("/api/v1/boot-images/debian-13/files/a%2fb?kind=other".to_owned(), b"abc".to_vec(), 400, "file"),
    ] {
        let answer = request(&log, &administrator, Method::PUT, &query, &[], body).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{query}: {text}");
        assert!(text.contains(says), "{query}: {text}");
    }
    // A length that is too large is refused before the body arrives.
    let answer =
        request(&log, &administrator, Method::PUT, &format!("{FILE}?kind=other"), &[("Content-Length", "1048577")], vec![]).await;
    assert_eq!(answer.status, 413);
    // The unfinished file is removed after the answer.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while kept(&log) != before {
        assert!(std::time::Instant::now() < deadline, "left behind: {:?}", kept(&log));
        tokio::task::yield_now().await;
    }
    assert!(log.harness.requested().is_empty());
    log.end();
}

/// A script that is no template goes to servers byte for byte, so one that no boot loader can read is refused at the upload.
#[actix_web::test]
async fn a_stored_script_that_no_server_could_run_is_refused_and_one_of_any_line_ends_is_kept_as_it_is() {
    let log = Log::new().await;
    log.data_centre(true).await;
    let administrator = log.bearer(TokenScope::Administrator).await;
    log.harness.position.send_replace(1000);
    let before = kept(&log);
    let put = async |kind: &str, body: &[u8]| {
        let path = format!("{FILE}?kind={kind}");
        request(&log, &administrator, Method::PUT, &path, &[], body.to_vec()).await
    };
    let large = [b"#!ipxe\n# ".as_slice(), &vec![b'x'; 1024 * 1024]].concat();
    for (kind, body, status, says) in [
        ("boot_ipxe", b"#!ipxe\nboot\0\n".as_slice(), 422, "U+0000"),
        ("boot_ipxe", b"#!ipxe\n\x1b[1m\n", 422, "U+001B"),
        ("boot_ipxe", b"\xef\xbb\xbf#!ipxe\nboot\n", 422, "byte order mark"),
        ("boot_ipxe", b"kernel http://x/y\nboot\n", 422, "first line is #!ipxe"),
        ("boot_ipxe", b"#!ipxe", 422, "first line is #!ipxe"),
        ("boot_ipxe", b"\n#!ipxe\n", 422, "first line is #!ipxe"),
        ("boot_ipxe", b"#!ipxe\nkernel \n", 422, "but it is empty"),
        ("boot_ipxe", b"#!ipxe\r\nkernel a \\\r\n b\r\n", 422, "carriage return"),
        ("boot_ipxe", b"#!ipxe\n\xff\n", 422, "byte 8"),
        ("boot_ipxe", b"\xff\xfe#\0!\0", 422, "UTF-8"),
        ("boot_ipxe", b"", 422, "the body is empty"),
        ("boot_ipxe", &large, 413, "larger than 1048576 bytes"),
        ("grub", b"linux /pxe/_kernel\0\n", 422, "U+0000"),
        ("grub", b"\xef\xbb\xbflinux /pxe/_kernel\n", 422, "byte order mark"),
        ("grub", b"if true; then\n echo a\n", 422, "GRUB cannot read the configuration"),
    ] {
        let answer = put(kind, body).await;
        let text = String::from_utf8_lossy(&answer.body);
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert_eq!(answer.status, status, "{kind} {shown:?}: {text}");
        assert!(text.contains(says), "{kind} {shown:?}: {text}");
    }
    assert_eq!(kept(&log), before, "nothing that is refused is stored");
    for (kind, body) in [
        ("boot_ipxe", b"#!ipxe\r\necho ${net0/mac}\r\n:again\r\nboot || goto again\r\n".as_slice()),
        ("boot_ipxe", "#!ipxe\necho käse {{ no template }}\n".as_bytes()),
        ("grub", b"linux /pxe/_kernel a=b\ninitrd /pxe/_initrd\nboot\n"),
        ("other", b"\0\xff\xfe"),
    ] {
        let answer = put(kind, body).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 200, "{kind} {body:?}: {text}");
        assert_eq!(answer.json()["size"].as_u64(), u64::try_from(body.len()).ok(), "{text}");
    }
    log.end();
}

#[actix_web::test]
async fn only_an_administrator_uploads_and_removes_and_every_reader_gets_the_template_itself() {
    let log = Log::new().await;
    log.data_centre(true).await;
    let (operator, viewer) = (log.bearer(TokenScope::Operator).await, log.bearer(TokenScope::Viewer).await);
    for method in [Method::PUT, Method::DELETE] {
        for (bearer, status) in [("", 401), (viewer.as_str(), 403), (operator.as_str(), 403)] {
            let answer = request(&log, bearer, method.clone(), &format!("{FILE}?kind=other"), &[], b"abc".to_vec()).await;
            assert_eq!(answer.status, status, "{method} {bearer}");
        }
    }
    assert!(log.harness.requested().is_empty());
    let script = "/api/v1/boot-images/debian-13/files/boot.ipxe";
    assert_eq!(request(&log, "", Method::GET, script, &[], vec![]).await.status, 401);
    let answer = request(&log, &viewer, Method::GET, script, &[], vec![]).await;
    assert_eq!(String::from_utf8_lossy(&answer.body), "#!ipxe\n{{ hostname }} {{ gateway }} {{ base_url }}\n");
    assert!(!answer.position.is_empty());
    let part = request(&log, &viewer, Method::GET, script, &[("Range", "bytes=0-5")], vec![]).await;
    assert_eq!((part.status, part.body.as_slice()), (206, b"#!ipxe".as_slice()));
    let none = request(&log, &viewer, Method::GET, FILE, &[], vec![]).await;
    assert_eq!(none.status, 404);
    assert_eq!(none.json()["detail"], "the boot image debian-13 has no file extra; it has boot.ipxe, vmlinuz");
    // At an earlier position: the kernel did not exist yet.
    let earlier = request(&log, &viewer, Method::GET, "/api/v1/boot-images/debian-13/files/vmlinuz?at=4", &[], vec![]).await;
    assert_eq!(earlier.status, 404);
    log.end();
}

#[actix_web::test]
async fn removing_a_file_is_one_command() {
    let log = Log::new().await;
    log.data_centre(true).await;
    let administrator = log.bearer(TokenScope::Administrator).await;
    log.harness.position.send_replace(1000);
    let answer = request(&log, &administrator, Method::DELETE, "/api/v1/boot-images/debian-13/files/vmlinuz", &[], vec![]).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let requested = log.harness.requested();
    assert!(requested.len() == 1 && requested[0].contains("RemoveBootFile"), "{requested:?}");
    log.end();
}
