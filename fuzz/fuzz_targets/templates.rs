//! The template check never panics: it refuses a template with a message, or accepts it each time, and a template without tags
//! is served unchanged.
#![no_main]

use bootledger_web::images::settings::Declared;
use bootledger_web::images::template::{Template, check_template};
use bootledger_web::images::variables::Variables;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DECLARED: LazyLock<Declared> = LazyLock::new(|| {
    let declared = serde_json::json!({
        "disk": { "type": "text", "default": "auto" },
        "layout": { "type": "choice", "choices": ["plain", "lvm"], "default": "plain" },
        "packages": { "type": "list" },
        "vlan": { "type": "number", "default": 0 },
    });
    serde_json::from_value(declared).unwrap_or_default()
});

fuzz_target!(|text: &str| {
    match check_template(text, &DECLARED) {
        Ok(_) => {
            assert!(check_template(text, &DECLARED).is_ok(), "accepted and then refused");
            // A template without tags is served unchanged.
            if !text.contains("{{") && !text.contains("{%") {
                let served = Template::parse(text).and_then(|template| template.render(Variables::sample()));
                assert!(served.is_ok_and(|bytes| bytes == text.as_bytes()), "something was swallowed");
            }
        }
        Err(error) => assert!(!error.message.is_empty(), "refused without a reason"),
    }
});
