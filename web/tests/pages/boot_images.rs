//! Boot images: files uploaded by a form, the editor of templates, and previews.

use crate::catalogue::{attributes, data_centre, done, form, get};
use crate::elements::texts;
use crate::support::{Answer, TestSite, deployment_started, device_registered};
use actix_web::test::TestRequest;
use base64::Engine;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_port::{CatalogueAction, Command, CommandError};
use bootledger_web::http::application::ServiceKey;
use bootledger_web::machines::pxe::token::Token;
use serde_json::json;
use uuid::Uuid;

const SCRIPT: &str = "#!ipxe\necho {{ hostname }} {{ ip }} {{ venture }} {{ mac|none }}\nchain {{ done_url }}\n";

/// A form with a file, encoded as browsers send it.
fn upload(path: &str, fields: &[(&str, &str)], file: Option<(&str, &[u8])>) -> TestRequest {
    const BOUNDARY: &str = "----bootledger";
    let mut body = vec![];
    for (name, value) in fields {
        body.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes());
    }
    if let Some((name, content)) = file {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend(content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    TestRequest::post()
        .uri(path)
        .insert_header(("content-type", format!("multipart/form-data; boundary={BOUNDARY}")))
        .insert_header(("accept", "text/html"))
        .set_payload(body)
}

/// A site with an image that has no file yet.
async fn image() -> (TestSite, String) {
    let site = data_centre().await;
    let spec = json!({"description": "Debian", "open_minutes": 30, "in_progress_minutes": 120});
    site.append("boot_image", "debian", json!({"type": "BootImageDefined", "spec": spec})).await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    (site, bearer)
}

/// The event that the last command leads to.
async fn put(site: &TestSite) -> serde_json::Value {
    let event = {
        let requested = site.domain.requested.lock().expect("no panic");
        let (Command::Catalogue(CatalogueAction::PutBootFile { name, file, .. }), _) = requested.last().expect("a command")
        else {
            panic!("{requested:?}")
        };
        json!({"type": "BootFilePut", "name": name, "file": file})
    };
    site.append("boot_image", "debian", event.clone()).await;
    event
}

/// An image with a script that was saved in the editor.
async fn with_script() -> (TestSite, String) {
    let (site, bearer) = image().await;
    site.answer(Ok(done("debian")));
    let fields = [("called", "boot.ipxe"), ("kind", "boot_ipxe"), ("content", SCRIPT)];
    let saved = site.request_as(&bearer, form("/boot-images/debian/files/_new", &fields)).await;
    assert_eq!((saved.status.as_u16(), saved.header("location")), (303, "/boot-images/debian#files"), "{}", saved.text);
    put(&site).await;
    (site, bearer)
}

fn preview(answer: &Answer) -> String {
    texts(answer, "#preview pre").concat()
}

#[actix_web::test]
async fn a_file_is_uploaded_without_a_script_and_takes_its_own_name() {
    let (site, bearer) = image().await;
    let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    site.answer(Ok(done("debian")));
    let fields = [("key", "k1"), ("called", ""), ("kind", "kernel")];
    let answer = site.request_as(&bearer, upload("/boot-images/debian/files", &fields, Some(("vmlinuz-6.12", &bytes)))).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/boot-images/debian#files"), "{}", answer.text);
    let event = put(&site).await;
    assert_eq!(
        (event["name"].as_str(), event["file"]["size"].as_u64(), event["file"]["kind"].as_str()),
        (Some("vmlinuz-6.12"), Some(200_000), Some("kernel"))
    );
    assert_eq!(site.domain.requested.lock().expect("no panic").last().expect("one").1.key(), Some("form:k1"));
    let page = site.request_as(&bearer, get("/boot-images/debian")).await;
    assert_eq!(texts(&page, "#files td[data-label=Size]"), ["195.3 KiB"]);
    assert!(texts(&page, "#facts .note")[0].contains("boot_ipxe"), "{}", page.text);
    assert_eq!(attributes(&page, "#upload form", "enctype"), ["multipart/form-data"]);
    let part =
        site.request_as(&bearer, get("/boot-images/debian/files/vmlinuz-6.12").insert_header(("range", "bytes=0-2"))).await;
    assert_eq!((part.status.as_u16(), part.text.as_bytes()), (206, &[0_u8, 1, 2][..]));
}

#[actix_web::test]
async fn a_refused_upload_says_which_rule_and_keeps_the_fields() {
    let (site, bearer) = image().await;
    let path = "/boot-images/debian/files";
    let wrong = site.request_as(&bearer, upload(path, &[("called", "\"><b>"), ("kind", "")], Some(("x", b"x")))).await;
    assert_eq!(wrong.status, 422);
    assert_eq!(attributes(&wrong, "#refused a", "href"), ["#field-called", "#field-kind"]);
    assert_eq!(attributes(&wrong, "#field-called", "value"), ["\"><b>"]);
    let none = site.request_as(&bearer, upload(path, &[("called", "x"), ("kind", "other")], None)).await;
    assert_eq!((none.status.as_u16(), none.rules()), (422, vec!["missing".to_owned()]));
    assert_eq!(texts(&none, "#error-file .error").len(), 1);
    let empty = site.request_as(&bearer, upload(path, &[("called", "x"), ("kind", "other")], Some(("x", b"")))).await;
    assert_eq!((empty.status.as_u16(), empty.rules()), (422, vec!["content_empty".to_owned()]));
    let large = vec![0; (1 << 20) + 1];
    let large = site.request_as(&bearer, upload(path, &[("called", "x"), ("kind", "other")], Some(("x", &large)))).await;
    assert_eq!((large.status.as_u16(), large.rules()), (422, vec!["too_large".to_owned()]));
    assert!(texts(&large, "#error-file .error")[0].contains("1.0 MiB"), "{}", large.text);
    let fields = [("called", "x"), ("kind", "boot_ipxe"), ("template", "true")];
    let template = site.request_as(&bearer, upload(path, &fields, Some(("x", b"#!ipxe\n{{ hostnam }}")))).await;
    assert_eq!(template.rules(), ["template_wrong"]);
    let error = texts(&template, "#error-file .error").concat();
    assert!(error.contains("line 2:") && error.contains("hostnam"), "{error}");
    site.answer(Err(CommandError::Refused(vec![BrokenRule::new("name", Rule::FileNameTaken, "the service uses done")])));
    let taken = site.request_as(&bearer, upload(path, &[("called", "done"), ("kind", "other")], Some(("x", b"x")))).await;
    assert_eq!((taken.rules(), texts(&taken, "#error-called .error").len()), (vec!["file_name_taken".to_owned()], 1));
    let viewer = site.bearer(TokenScope::Operator).await;
    let refused = site.request_as(&viewer, upload(path, &[("called", "x"), ("kind", "other")], Some(("x", b"x")))).await;
    assert_eq!(refused.status, 403);
}

#[actix_web::test]
async fn the_editor_shows_the_line_of_an_error_and_keeps_the_text() {
    let (site, bearer) = with_script().await;
    let shown = site.request_as(&bearer, get("/boot-images/debian/files/boot.ipxe/edit")).await;
    assert_eq!(texts(&shown, "#field-content"), [SCRIPT.trim()]);
    let was = attributes(&shown, "input[name=was]", "value");
    let wrong = "#!ipxe\n{% if gateway %}\n{{ passwd }}</textarea><script>x</script>{% endif %}\n";
    let fields = [("kind", "boot_ipxe"), ("was", was[0].as_str()), ("content", wrong)];
    let refused = site.request_as(&bearer, form("/boot-images/debian/files/boot.ipxe/edit", &fields)).await;
    assert_eq!((refused.status.as_u16(), refused.rules()), (422, vec!["template_wrong".to_owned()]));
    let error = texts(&refused, "#error-content .error").concat();
    assert!(error.starts_with("Line 3:") && error.contains("passwd"), "{error}");
    assert_eq!(texts(&refused, "#field-content"), [wrong.trim()]);
    assert!(!refused.text.contains("<script>x"));
    // Another user has saved in the meantime.
    let fields = [("kind", "boot_ipxe"), ("was", "0000"), ("content", SCRIPT)];
    let refused = site.request_as(&bearer, form("/boot-images/debian/files/boot.ipxe/edit", &fields)).await;
    assert_eq!(refused.rules(), ["changed_meanwhile"]);
    assert_eq!(attributes(&refused, "input[name=was]", "value"), was);
}

#[actix_web::test]
async fn a_preview_shows_what_a_device_would_get_names_assumptions_and_masks_the_token() {
    let (site, bearer) = with_script().await;
    let id = Uuid::now_v7();
    site.append("device", &id.to_string(), device_registered("52:54:00:00:00:01", None)).await;
    let page = site.request_as(&bearer, get(&format!("/boot-images/debian/preview?server={id}"))).await;
    assert_eq!(page.status, 200);
    assert_eq!(
        preview(&page),
        "#!ipxe\necho h200.dc1.example 10.0.0.11 unassigned 525400000001\nchain http://127.0.0.1:8080/pxe/t/••••••/DONE/"
    );
    let assumed = texts(&page, "#preview li").join("; ");
    assert!(["10.0.0.11", "prod", "h200.dc1.example", "venture"].iter().all(|value| assumed.contains(value)), "{assumed}");
    let by_mac = site.request_as(&bearer, get("/boot-images/debian/preview?server=52:54:00:00:00:01&file=boot.ipxe")).await;
    assert_eq!(preview(&by_mac), preview(&page));
    let sample = site.request_as(&bearer, get("/boot-images/debian/preview")).await;
    assert_eq!(preview(&sample), preview(&page), "without a server, the only device is the sample");
    assert_eq!(attributes(&sample, "#preview p a", "href"), [format!("/devices/{id}")]);
    let no_match = site.request_as(&bearer, get("/boot-images/debian/preview?server=%3Cscript%3E")).await;
    assert_eq!(texts(&no_match, "#preview .note.bad").len(), 1, "{}", no_match.text);
    assert!(!no_match.text.contains("<script>"), "{}", no_match.text);
}

#[actix_web::test]
async fn a_preview_takes_the_values_of_a_live_deployment_and_says_which() {
    let (site, bearer) = with_script().await;
    let (device, id) = (Uuid::now_v7(), Uuid::now_v7());
    site.append("device", &device.to_string(), device_registered("52:54:00:00:00:09", None)).await;
    let mut started = deployment_started(device, "prod", "52:54:00:00:00:09", "10.0.0.27", "h207.dc1.example");
    started["took"] = json!([{"kind": "hostname", "value": "h207.dc1.example"}]);
    site.append("deployment", &id.to_string(), started).await;
    for server in [id.to_string(), device.to_string()] {
        let page = site.request_as(&bearer, get(&format!("/boot-images/debian/preview?server={server}"))).await;
        assert!(preview(&page).starts_with("#!ipxe\necho h207.dc1.example 10.0.0.27 shop 525400000009"), "{}", page.text);
        assert_eq!(attributes(&page, "#preview p a", "href")[0], format!("/deployments/{id}"));
        let note = texts(&page, "#preview .note.warn").concat();
        assert!(note.contains("revision 1 ") && note.contains("revision 2"), "{}", page.text);
    }
    let image = site.request_as(&bearer, get("/boot-images/debian")).await;
    assert_eq!(texts(&image, "#used tbody th"), ["h207.dc1.example"]);
    assert_eq!(texts(&image, "#history tbody th"), ["2", "1"]);
    // The text that is entered but not saved.
    let fields = [("kind", "boot_ipxe"), ("content", "unsaved {{ role }}"), ("server", &*id.to_string()), ("do", "preview")];
    let requested = site.domain.requested.lock().expect("no panic").len();
    let page = site.request_as(&bearer, form("/boot-images/debian/files/boot.ipxe/edit", &fields)).await;
    assert_eq!((page.status.as_u16(), preview(&page).as_str()), (200, "unsaved web"), "{}", page.text);
    assert_eq!(site.domain.requested.lock().expect("no panic").len(), requested, "a preview saved something");
}

/// Every operation of a template on a text, applied to every variable that contains the token.
fn written() -> Vec<String> {
    let texts = ["token", "files_url", "done_url", "progress_url", "log_url"];
    let changes = [
        "{{ X }}",
        "{{ X|upper }}",
        "{{ X|replace('a', 'A') }}",
        "{{ X|replace('', '-') }}",
        "{{ X[::-1] }}",
        "{{ X[40:] }}",
        "{{ X[-30:] }}",
        "{{ X|split('/')|join(' ') }}",
        "{{ X|split('/')|last|upper }}",
        "{{ X|json }}",
        "{{ X|xml }}",
        "{{ X|shell }}",
        "{{ X ~ 'x' }}",
        "{% set y = X %}{{ y|trim|lower }}",
        "{% for c in X %}{{ c }}{% endfor %}",
        "{% for c in X %}{{ c }}.{% endfor %}",
        "{% filter upper %}{{ X }}{% endfilter %}",
        "{% set y %}{{ X }}{% endset %}{{ y[::-1] }}",
        "{{ [X, X]|join('+') }}",
        "{{ {'a': X}['a']|upper }}",
        "{% if 'a' in X %}a{% endif %}",
        "{{ (X|default('n'))[2:60:1] }}",
    ];
    texts.iter().flat_map(|name| changes.iter().map(|change| change.replace('X', name))).collect()
}

#[actix_web::test]
async fn a_preview_shows_no_part_of_the_token_however_a_template_transforms_it() {
    let (site, bearer) = with_script().await;
    let (device, id) = (Uuid::now_v7(), Uuid::now_v7());
    let templates = written();
    for (part, number) in templates.chunks(30).zip(0..) {
        site.answer(Ok(done("debian")));
        let (name, content) = (format!("t{number}"), part.join("\n"));
        let fields = [("called", name.as_str()), ("kind", "other"), ("content", content.as_str())];
        let saved = site.request_as(&bearer, form("/boot-images/debian/files/_new", &fields)).await;
        assert_eq!(saved.status, 303, "{}", saved.text);
        put(&site).await;
    }
    site.append("device", &device.to_string(), device_registered("52:54:00:00:00:09", None)).await;
    let mut started = deployment_started(device, "prod", "52:54:00:00:00:09", "10.0.0.27", "h207.dc1.example");
    started["boot_image_revision"] = json!(1 + 1 + templates.chunks(30).count());
    site.append("deployment", &id.to_string(), started).await;
    let token = Token::of(&ServiceKey::new(vec![7; 32]), DeploymentId(id)).as_str().to_owned();
    let secret = &token[32..];
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let forms = [secret.to_owned(), secret.chars().rev().collect(), base64(secret), base64(&token)];
    let mut rendered = 0;
    for scope in [TokenScope::Viewer, TokenScope::Operator, TokenScope::Administrator] {
        let bearer = site.bearer(scope).await;
        let mut paths = vec![
            format!("/deployments/{id}"),
            format!("/deployments/{id}/served/boot.ipxe"),
            format!("/boot-images/debian/preview?server={id}"),
            format!("/api/v1/deployments/{id}"),
            "/boot-images/debian".to_owned(),
            "/timeline".to_owned(),
        ];
        for number in 0..templates.chunks(30).count() {
            paths.push(format!("/deployments/{id}/served/t{number}"));
            paths.push(format!("/boot-images/debian/preview?server={id}&file=t{number}"));
        }
        for path in paths {
            let answer = site.request_as(&bearer, get(&path)).await;
            rendered += usize::from(answer.text.contains("••••••"));
            let text = answer.text.to_lowercase();
            for form in &forms {
                let run = form
                    .as_bytes()
                    .windows(6)
                    .find(|run| text.as_bytes().windows(6).any(|found| found.eq_ignore_ascii_case(run)));
                assert!(run.is_none(), "{path} shows a part of the token: {run:?}\n{}", answer.text);
            }
        }
    }
    assert!(rendered >= 15, "only {rendered} pages showed a template");
}

#[actix_web::test]
async fn a_template_beyond_the_limits_is_refused_and_a_stored_one_is_reported_in_its_preview() {
    let (site, bearer) = with_script().await;
    let nest = format!("#!ipxe\n{{{{ {}1 }}}}\n", "- ".repeat(4776));
    let fields = [("called", "other.ipxe"), ("kind", "boot_ipxe"), ("content", nest.as_str())];
    let refused = site.request_as(&bearer, form("/boot-images/debian/files/_new", &fields)).await;
    assert_eq!((refused.status.as_u16(), refused.rules()), (422, vec!["template_wrong".to_owned()]));
    let error = texts(&refused, "#error-content .error").concat();
    assert!(error.starts_with("Line 2:") && error.contains("1000"), "{error}");
    // An earlier version without this limit saved it.
    site.answer(Ok(done("debian")));
    let fields = [("called", "stored"), ("kind", "other")];
    let stored = site.request_as(&bearer, upload("/boot-images/debian/files", &fields, Some(("stored", nest.as_bytes())))).await;
    assert_eq!(stored.status, 303, "{}", stored.text);
    let mut file = put(&site).await["file"].take();
    (file["kind"], file["template"]) = (json!("boot_ipxe"), json!(true));
    site.append("boot_image", "debian", json!({"type": "BootFilePut", "name": "boot.ipxe", "file": file})).await;
    let device = Uuid::now_v7();
    site.append("device", &device.to_string(), device_registered("52:54:00:00:00:01", None)).await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let page = site.request_as(&viewer, get(&format!("/boot-images/debian/preview?server={device}"))).await;
    assert_eq!(page.status, 200);
    let message = texts(&page, "#preview .note.bad").concat();
    assert!(message.contains("line 2:") && message.contains("1000"), "{message}");
}

#[actix_web::test]
async fn removing_the_boot_script_warns_and_removes_it() {
    let (site, bearer) = with_script().await;
    let requested = site.request_as(&bearer, get("/boot-images/debian/files/boot.ipxe/remove")).await;
    assert_eq!(texts(&requested, "#question strong").len(), 1, "{}", requested.text);
    site.answer(Ok(done("debian")));
    let removed = site.request_as(&bearer, form("/boot-images/debian/files/boot.ipxe/remove", &[("key", "k")])).await;
    assert_eq!(removed.status, 303);
    let commands = site.domain.requested.lock().expect("no panic");
    assert!(
        matches!(&commands.last().expect("a command").0, Command::Catalogue(CatalogueAction::RemoveBootFile { name, .. }) if name.as_str() == "boot.ipxe")
    );
}
