//! Tests of parsing a report, removing the token, and keeping the end of a log.

use super::fields::{Fields, parse};
use super::log::{KEPT, LIMIT, Unread, end_of};
use super::mask::Masked;
use crate::machines::pxe::render::MASK;
use bootledger_aggregates::deployment::installer::NextBoot;
use bytes::Bytes;
use futures::StreamExt;
use std::time::Duration;

const TOKEN: &str = "0192a1b2c3d47e5f8a9b0c1d2e3f4a5bfedcba9876543210f0e1d2c3b4a59687";

fn read(query: &str, body: &str) -> Result<Fields, String> {
    parse(query, body.as_bytes(), |text| Masked::new(TOKEN).text(text))
}

/// Parses the same report as a query string, a form and JSON.
fn everywhere(pairs: &[(&str, &str)]) -> Vec<Result<Fields, String>> {
    let form: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let json = serde_json::Value::Object(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect());
    vec![read(&form, ""), read("", &form), read("", &format!("\n{form}\n")), read("", &json.to_string())]
}

#[test]
fn a_report_means_the_same_as_query_form_and_json() {
    let report = Fields {
        stage: Some("partition".parse().expect("a name")),
        percent: Some("40".parse().expect("a number")),
        text: Some("Räume & <b>\"40 %\"</b> + more".parse().expect("a text")),
        failed: true,
        next_boot: Some("disk".parse().expect("a boot")),
    };
    let pairs = [
        ("stage", " Partition "),
        ("percent", "40.7"),
        ("text", "Räume & <b>\"40 %\"</b> + more"),
        ("failed", "1"),
        ("next_boot", "Disk"),
    ];
    for fields in everywhere(&pairs) {
        assert_eq!(fields.as_ref(), Ok(&report));
    }
}

#[test]
fn each_value_is_read_or_refused_by_its_name() {
    let long = "a".repeat(65);
    let refused = [
        ("stage", "a/b"),
        ("stage", "ä"),
        ("stage", long.as_str()),
        ("percent", "101"),
        ("percent", "-1"),
        ("percent", "half"),
        ("percent", "4 2"),
        ("failed", "maybe"),
        ("failed", "2"),
        ("next_boot", "cdrom"),
    ];
    for (name, value) in refused {
        for fields in everywhere(&[(name, value)]) {
            let sentence = fields.expect_err(value);
            assert!(sentence.starts_with(&format!("{name}: ")), "{sentence}");
        }
    }
    for (value, failed) in [("1", true), ("true", true), ("Yes", true), ("0", false), ("no", false), ("", false)] {
        for fields in everywhere(&[("stage", "late"), ("failed", value)]) {
            assert_eq!(fields.expect("a report").failed, failed, "{value}");
        }
    }
}

#[test]
fn unknown_repeated_and_missing_fields_are_refused() {
    for name in ["fail", "Stage", "token", "percnt", "", "a b\n"] {
        for fields in everywhere(&[("stage", "late"), (name, "1")]) {
            let message = fields.expect_err(name);
            assert!(message.contains(name.trim()) && message.contains("next_boot"), "it names no field to use: {message}");
        }
    }
    for twice in [read("stage=a", "stage=a"), read("", r#"{"stage": "a", "stage": "b"}"#)] {
        assert!(twice.is_err_and(|message| message.starts_with("stage ") && message.contains("twice")));
    }
    for nothing in ["", "stage=", "text=&percent=&failed=0", "text=%00%01"] {
        let message = read(nothing, "").expect_err(nothing);
        assert!(message.contains("empty") && message.contains("next_boot"), "{nothing}: {message}");
    }
    for broken in ["{", "{}x", r#"{"stage": ["a"]}"#, r#"{"stage": {"a": 1}}"#, "{\"stage\": \"\u{0}\"}"] {
        assert!(read("", broken).is_err(), "{broken}");
    }
    assert!(read("", r#"{"stage": "a", "percent": 40, "failed": true, "text": null}"#).expect("a report").failed);
}

#[test]
fn any_bytes_are_read_or_refused_and_a_text_is_one_line() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let bytes = proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300);
    runner
        .run(&bytes, |bytes| {
            let mut body = b"stage=late&text=".to_vec();
            body.extend(bytes.iter().filter(|byte| !b"&=".contains(byte)));
            let fields =
                parse("", &body, |text| Masked::new(TOKEN).text(text)).map_err(proptest::test_runner::TestCaseError::fail)?;
            let text = fields.text.unwrap_or_default();
            assert!(!text.as_str().chars().any(char::is_control) && text.as_str().chars().count() <= 300);
            drop(parse("", &bytes, str::to_owned));
            Ok(())
        })
        .expect("every report");
}

#[test]
fn a_token_is_removed_from_every_place_and_every_cut_of_a_text() {
    let mask = Masked::new(TOKEN);
    let url = |token: &str| format!("wget: http://boot.example/pxe/t/{token}/preseed.cfg: 404 Not Found ({token})");
    for token in [TOKEN.to_owned(), TOKEN.to_uppercase()] {
        let clean = mask.text(&url(&token));
        assert_eq!(clean, url(MASK));
    }
    let text = url(TOKEN);
    for cut in 0..text.len() {
        for part in [&text[cut..], &text[..cut]] {
            let clean = mask.text(part);
            // No more of the token than may occur by chance.
            for window in TOKEN.as_bytes().windows(9) {
                assert!(!clean.as_bytes().windows(9).any(|bytes| bytes == window), "{clean}");
            }
        }
    }
    for harmless in ["", "0192", "feed", "a1b2c3d4", &TOKEN[1..32]] {
        assert_eq!(mask.text(harmless), harmless, "what is not the token's end or beginning stays");
    }
}

#[test]
fn a_token_that_a_template_transformed_is_removed() {
    use base64::Engine;
    let mask = Masked::new(TOKEN);
    let half = &TOKEN[32..];
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let backwards = |text: &str| text.chars().rev().collect::<String>();
    let written = [
        half.to_uppercase(),
        backwards(TOKEN),
        backwards(TOKEN).to_uppercase(),
        half[3..20].to_owned(),
        base64(TOKEN),
        base64(&format!("a{TOKEN}")),
        base64(&format!("http://10.0.0.1/pxe/t/{TOKEN}/DONE/")),
        format!("{}-{}", &half[..16], &half[16..]),
    ];
    let shapes = [half.to_owned(), half.to_uppercase(), backwards(half), base64(half), base64(TOKEN)];
    for text in written {
        let clean = mask.text(&format!("echo {text} end"));
        assert!(clean.contains(MASK) && clean.ends_with("end"), "{text} is {clean}");
        for shape in &shapes {
            let left =
                shape.as_bytes().windows(9).any(|part| clean.as_bytes().windows(9).any(|found| found.eq_ignore_ascii_case(part)));
            assert!(!left, "{text} is {clean}");
        }
    }
}

#[test]
fn json_beside_a_query_that_names_the_stage_belongs_to_the_sender_and_is_not_read() {
    let webhook = r#"{"$schema": {"version": "1.1"}, "disks": [{"size": 5}], "fqdn": "h200.dc1.example", "text": "no"}"#;
    let report = read("stage=installed&next_boot=disk", webhook).expect("a report");
    assert_eq!((report.text, report.next_boot), (None, Some(NextBoot::Disk)));
    assert!(read("next_boot=disk", webhook).is_err(), "without a stage the body is the report");
    assert!(read("stage=installed", "text=formatted&x=1").is_err(), "a form is part of the report");
}

#[test]
fn a_secret_of_the_deployments_files_is_removed_too_and_a_word_of_three_letters_is_not() {
    let mask = Masked::new(TOKEN).and("$6$salt$Łódź.hash").and("abc").and("$6$salt$Łódź.hash.longer");
    let text = mask.text("set root to $6$salt$Łódź.hash.longer, then $6$salt$Łódź.hash; abc");
    assert_eq!(text, format!("set root to {MASK}, then {MASK}; abc"));
    assert_eq!(mask.text("cut: $6$salt$Łód"), format!("cut: {MASK}"));
    assert_eq!(format!("{mask:?}"), "Masked(…)");
}

async fn end(parts: Vec<Vec<u8>>) -> Result<Vec<u8>, Unread> {
    let parts = parts.into_iter().map(|part| Ok::<_, String>(Bytes::from(part)));
    end_of(futures::stream::iter(parts), &Masked::new(TOKEN), Duration::from_mins(1)).await
}

#[tokio::test]
async fn of_a_log_the_end_is_kept_however_it_is_sent() {
    for size in [1, KEPT - 1, KEPT, KEPT + 1, KEPT + 63, KEPT + 64, KEPT + 65, 2 * KEPT, 3 * KEPT + 7, 1024 * 1024] {
        let whole: Vec<u8> = (0..size).map(|at| b"abcdefghijklmnopqrstuvwxyz \n"[at % 28]).collect();
        for step in [997, 4096, KEPT, size] {
            let kept = end(whole.chunks(step).map(<[u8]>::to_vec).collect()).await.expect("a log");
            assert_eq!(kept, whole[size.saturating_sub(KEPT)..], "{size} bytes in parts of {step}");
        }
    }
}

#[tokio::test]
async fn a_log_has_no_token_wherever_the_cut_goes() {
    for behind in (KEPT - 80)..(KEPT + 80) {
        let mut whole = vec![b'.'; 1000];
        whole.extend_from_slice(TOKEN.as_bytes());
        whole.extend(std::iter::repeat_n(b'.', behind - 64));
        let kept = end(vec![whole]).await.expect("a log");
        assert!(kept.len() <= KEPT);
        let left = kept.iter().filter(|byte| byte.is_ascii_hexdigit()).count();
        assert!(left <= 8, "{left} bytes of the token are left, {behind} bytes from the end");
    }
}

#[tokio::test]
async fn a_log_that_is_too_large_or_incomplete_is_not_kept() {
    let part = vec![b'x'; 4096];
    let parts = usize::try_from(LIMIT).expect("small") / part.len();
    assert!(end(vec![part.clone(); parts]).await.is_ok());
    assert_eq!(end(vec![part; parts + 1]).await, Err(Unread::TooLarge));
    let broken = futures::stream::iter([Ok(Bytes::from_static(b"a")), Err("reset")]);
    assert!(matches!(end_of(broken, &Masked::new(TOKEN), Duration::from_mins(1)).await, Err(Unread::Aborted(_))));
}

#[tokio::test]
async fn a_log_that_stalls_is_abandoned() {
    let stalled = futures::stream::iter([Ok::<_, String>(Bytes::from_static(b"a"))]).chain(futures::stream::pending());
    assert_eq!(end_of(stalled, &Masked::new(TOKEN), Duration::from_millis(1)).await, Err(Unread::TooSlow));
}

#[test]
fn a_secret_is_removed_in_the_forms_that_templates_write() {
    let mask = Masked::new(TOKEN).and("a&b'c\"d");
    for written in ["a&b'c\"d", "a&b'\\''c\"d", "a&b'c\\\"d", "a&amp;b&#39;c&quot;d"] {
        assert_eq!(mask.text(&format!("pw={written};")), format!("pw={MASK};"), "{written}");
    }
}
