//! Tests of settings and secrets in the files of a booting server.

use crate::harness::{Answer, Harness, identity, name};
use bootledger_aggregates::boot_image::{BootFile, FileKind};
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_port::{Command, DeploymentAction};
use bootledger_web::images::settings::Declared;
use bootledger_web::images::target::{Image, Target};
use bootledger_web::images::template::check_template;
use scraper::{Html, Selector};
use serde_json::{Value, json};
use sha2::Digest;
use std::process::Command as Process;
use std::sync::Arc;

/// Texts that change the meaning of a file if they are inserted without quoting.
const NASTY: [&str; 16] = [
    "",
    " two  blanks ",
    "it's",
    "\"quoted\" 'twice'",
    "$HOME ${x} $(id) `id`",
    "back\\slash \\n \\",
    "a;b&c|d>e<f#g",
    "~root *?[a-z] {a,b}",
    "-n",
    "x=1",
    "!history",
    "</a><b c=\"d\">&amp;&#39;",
    "]]> <!-- -->",
    "{{ token }} {% raw %} {#",
    "käse \u{202e}日本 🦀",
    "%s\\0%d: [x], {y: z} # no comment",
];

fn declared() -> Declared {
    let declared = json!({
        "disk": { "type": "text", "default": "auto" },
        "hash": { "type": "secret" },
        "layout": { "type": "choice", "choices": ["plain", "raid 1"], "default": "plain" },
        "packages": { "type": "list" },
        "quiet": { "type": "boolean", "default": false },
        "vlan": { "type": "number", "default": 0 },
    });
    serde_json::from_value(declared).expect("declarations")
}

/// A target whose file `answers` is this template, started with these settings and loaded into the table.
async fn started(harness: &Harness, kind: FileKind, template: &str, given: Value) -> Arc<Target> {
    let settings = check_template(template, &declared()).unwrap_or_else(|error| panic!("{template}: {error}"));
    let before = harness.target("10.0.0.20", true).await;
    let mut image = Image { settings: declared(), ..(*before.image).clone() };
    let file = BootFile { settings, ..harness.stored(kind, true, template.to_owned()).await };
    image.files.insert(name("answers"), file);
    let given: ResolvedSettings = serde_json::from_value(given).expect("settings");
    let target = Arc::new(Target::new(identity("10.0.0.20"), Arc::new(image), before.place.clone(), given));
    harness.load(&[&target]);
    target
}

/// A target's file `answers`, requested with the token.
async fn answers(harness: &Harness, target: &Target) -> Answer {
    harness.get(&format!("/pxe/t/{}/answers", harness.token(target.identity.deployment)), "10.0.0.20").await
}

/// These settings, all set on the device.
fn given(values: Value) -> Value {
    let Value::Object(values) = values else { panic!("an object") };
    values
        .into_iter()
        .map(|(name, value)| (name, json!({ "value": value, "from": "device" })))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[actix_web::test]
async fn a_shell_reads_every_text_as_it_is() {
    let harness = Harness::new();
    let template = "printf '%s\\0' {{ settings.packages|shell }}\n{% for one in settings.packages %}printf '%s\\0' {{ one|shell }}\n{% endfor %}";
    let target = started(&harness, FileKind::Kickstart, template, given(json!({ "packages": NASTY }))).await;
    let script = answers(&harness, &target).await;
    let read = Process::new("sh").arg("-c").arg(script.text()).output().expect("a shell");
    assert!(read.status.success() && read.stderr.is_empty(), "{}", String::from_utf8_lossy(&read.stderr));
    let read = String::from_utf8(read.stdout).expect("UTF-8");
    let words: Vec<&str> = read.strip_suffix('\0').expect("words").split('\0').collect();
    assert_eq!(words, [NASTY, NASTY].concat());
}

#[actix_web::test]
async fn json_and_yaml_read_every_value_as_it_is() {
    let harness = Harness::new();
    for text in NASTY {
        let values = json!({ "disk": text, "packages": NASTY, "quiet": true, "vlan": -5, "layout": "raid 1" });
        let template = "{\"disk\": {{ settings.disk|json }}, \"packages\": {{ settings.packages|json }}, \"quiet\": {{ settings.quiet|json }}, \
            \"vlan\": {{ settings.vlan|json }}, \"layout\": {{ settings.layout|json }}}";
        let target = started(&harness, FileKind::Other, template, given(values.clone())).await;
        let file = answers(&harness, &target).await;
        assert_eq!(serde_json::from_str::<Value>(file.text()).expect("JSON"), values);
        assert_eq!(serde_norway::from_str::<Value>(file.text()).expect("YAML"), values);
    }
}

#[actix_web::test]
async fn xml_reads_every_text_as_it_is() {
    let harness = Harness::new();
    for text in NASTY {
        let template = "<a b=\"{{ settings.disk|xml }}\" c='{{ settings.disk|xml }}'>{{ settings.disk|xml }}</a>";
        let target = started(&harness, FileKind::Other, template, given(json!({ "disk": text }))).await;
        let file = answers(&harness, &target).await;
        assert_eq!(file.text().matches(['<', '>']).count(), 4, "{}", file.text());
        let page = Html::parse_fragment(file.text());
        let element = page.select(&Selector::parse("a").expect("a selector")).next().expect("an element");
        let read = [element.attr("b").map(str::to_owned), element.attr("c").map(str::to_owned), Some(element.text().collect())];
        assert_eq!(read, [const { None::<String> }; 3].map(|_| Some(text.to_owned())));
    }
}

#[actix_web::test]
async fn an_unset_setting_is_the_images_default_or_empty() {
    let harness = Harness::new();
    let template = "{{ settings.disk }}|{{ settings.hash }}|{{ settings.layout }}|{{ settings.packages }}|{{ settings.packages|length }}|{{ settings.quiet }}|{{ settings.vlan }}";
    let target = started(&harness, FileKind::Other, template, json!({})).await;
    assert_eq!(answers(&harness, &target).await.text(), "auto||plain||0|false|0");
    let all = given(json!({ "disk": "sda", "layout": "raid 1", "packages": ["a", "b"], "quiet": true, "vlan": 7 }));
    let target = started(&harness, FileKind::Other, template, all).await;
    assert_eq!(answers(&harness, &target).await.text(), "sda||raid 1|a b|2|true|7");
}

#[actix_web::test]
async fn a_file_with_a_secret_requires_the_token_from_every_address() {
    let harness = Harness::new();
    harness.domain.secrets.lock().expect("secrets").insert("boot-root".to_owned(), "$6$salt$hash".to_owned());
    let given = given(json!({ "hash": { "secret": "boot-root" } }));
    let target = started(&harness, FileKind::Other, "root:{{ settings.hash }}\n", given.clone()).await;
    assert!(target.place.ip_only_done, "the network itself requires no token");
    let refused = harness.get("/pxe/answers", "10.0.0.20").await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let served = answers(&harness, &target).await;
    assert_eq!((served.status.as_u16(), served.text()), (200, "root:$6$salt$hash\n"));
    assert_eq!(served.header("cache-control"), "no-store");
    let plain = started(&harness, FileKind::Other, "disk {{ settings.disk }}\n", given).await;
    assert_eq!(harness.get("/pxe/answers", "10.0.0.20").await.text(), "disk auto\n", "no secret, no token");
    assert!(plain.image.secrets_of(&plain.image.files[&name("answers")]).next().is_none());
}

#[actix_web::test]
async fn a_new_secret_is_served_at_once_and_a_missing_one_is_never_an_empty_text() {
    let harness = Harness::new();
    let given = given(json!({ "hash": { "secret": "boot-root" } }));
    let target = started(&harness, FileKind::Kickstart, "root:{{ settings.hash|shell }}\n", given).await;
    let missing = answers(&harness, &target).await;
    assert_eq!((missing.status.as_u16(), missing.header("retry-after")), (503, "2"));
    assert_eq!(missing.text(), "answers needs a secret that cannot be read; an operator finds the reason in the log\n");
    for text in ["one", "two"] {
        harness.domain.secrets.lock().expect("secrets").insert("boot-root".to_owned(), text.to_owned());
        assert_eq!(answers(&harness, &target).await.text(), format!("root:{text}\n"));
    }
}

#[actix_web::test]
async fn secrets_cannot_be_guessed_from_the_recorded_hash() {
    let harness = Harness::new();
    harness.domain.secrets.lock().expect("secrets").insert("boot-root".to_owned(), "1234".to_owned());
    let given = given(json!({ "hash": { "secret": "boot-root" } }));
    let target = started(&harness, FileKind::Other, "pin {{ settings.hash }}\n", given).await;
    let served = answers(&harness, &target).await;
    let plain = Sha256::new(sha2::Sha256::digest(&served.body).into());
    assert_ne!(served.header("etag"), format!("\"{plain}\""));
    let again = answers(&harness, &target).await;
    assert_eq!(served.header("etag"), again.header("etag"), "the same bytes keep their name");
}

#[actix_web::test]
async fn a_script_never_gets_a_secret_even_where_an_event_contains_one() {
    let harness = Harness::new();
    harness.domain.secrets.lock().expect("secrets").insert("boot-root".to_owned(), "hush".to_owned());
    let before = started(&harness, FileKind::Other, "x", given(json!({ "hash": { "secret": "boot-root" } }))).await;
    for template in ["#!ipxe\necho {{ settings.hash }}\n", "#!ipxe\necho {{ settings.hash|default('none') }}\n"] {
        let mut image = (*before.image).clone();
        let settings = check_template(template, &declared()).expect("a template");
        let file = BootFile { settings, ..harness.stored(FileKind::BootIpxe, true, template).await };
        image.files.insert(name("boot.ipxe"), file);
        let target = Target::new(before.identity.clone(), Arc::new(image), before.place.clone(), before.settings.clone());
        harness.load(&[&Arc::new(target)]);
        let answer = harness.get("/pxe/", "10.0.0.20").await;
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert!(!answer.text().contains("hush"));
    }
    let requested = harness.domain.requested.lock().expect("no panic");
    assert!(!requested.iter().any(|(command, _)| matches!(command, Command::Deployment(DeploymentAction::RecordBoot { .. }))));
}

#[actix_web::test]
async fn an_error_never_repeats_a_secret() {
    let harness = Harness::new();
    harness.domain.secrets.lock().expect("secrets").insert("boot-root".to_owned(), "a long secret".to_owned());
    // The sample values that check a template when it is saved do not reach this branch.
    let template = "{% if settings.hash|length > 9 %}{{ settings.hash|cisco }}{% endif %}";
    let target = started(&harness, FileKind::Other, template, given(json!({ "hash": { "secret": "boot-root" } }))).await;
    let answer = answers(&harness, &target).await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("cannot be rendered") && !answer.text().contains("long secret"), "{}", answer.text());
}
