//! Whatever is saved as a template is accepted or refused in words, and what is accepted can be rendered again.
#![no_main]

use bootledger_web::boot::settings::Declared;
use bootledger_web::boot::template::{Template, check_template};
use bootledger_web::boot::variables::Variables;
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
            // What has no tag in it is served to the letter.
            if !text.contains("{{") && !text.contains("{%") {
                let served = Template::parse(text).and_then(|template| template.render(Variables::sample()));
                assert!(served.is_ok_and(|bytes| bytes == text.as_bytes()), "something was swallowed");
            }
        }
        Err(error) => assert!(!error.message.is_empty(), "refused without a reason"),
    }
});
