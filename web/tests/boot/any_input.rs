//! For any request or template: no panic, no server error, and only what may be served.

use crate::harness::Harness;
use actix_web::http::Method;
use bootledger_web::images::template::{MAX_OUTPUT, Template, check_template};
use bootledger_web::images::variables::Variables;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Pieces of templates, valid and invalid, in any order.
const PIECES: &str = "(\\{\\{|\\}\\}|\\{%|%\\}|\\{#|#\\}| for | in | if | else |endfor|endif|set |macro |hostname|settings|shell|json|xml|dns_servers|mac|range\\(9999999\\)|\
    |loop|\\.|\\||upper|mac_dashes|join|\\(|\\)|\\[|\\]|'|\"|,|\\*|\\*\\*|~|-|999999999|[a-z]|\n|\u{202e}|ä){0,24}";

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_template_is_a_panic_or_renders_without_end(text in prop_oneof![any::<String>(), PIECES]) {
        let saved = check_template(&text, &bootledger_web::images::settings::Declared::new());
        if let Ok(template) = Template::parse(&text) {
            let rendered = template.render(Variables::sample());
            prop_assert!(saved.is_err() || rendered.is_ok(), "what is saved can be rendered: {rendered:?}");
            prop_assert!(rendered.map_or(0, |bytes| bytes.len()) <= MAX_OUTPUT);
        }
    }
}

#[actix_web::test]
async fn no_path_causes_an_internal_error_or_reveals_a_secret() {
    let harness = Harness::new();
    let target = harness.target("10.0.0.20", true).await;
    harness.load(&[&target]);
    std::fs::write(harness.folder.path().join("secret"), "top secret").expect("written");
    let paths = "(/pxe)?(/|t|DONE|vmlinuz|secret|_kernel|_kickstart|boot.ipxe|\\.\\.|%2e%2e|%2f|%5c|%00|%0a|%|%ff|[!-~]|//|;|#|[?]){0,12}";
    // Random pieces hardly ever lead to the secret, so half of the paths would if they were joined to the folder of the store.
    let leading = "((\\.\\.|%2e%2e|\\.)(/|%2f|%5c)){0,3}secret";
    std::fs::write(harness.folder.path().join("files/secret"), "top secret").expect("written");
    let paths = prop_oneof![paths, leading];
    let mut runner = TestRunner::deterministic();
    for _ in 0..1_500 {
        let path = format!("/pxe/{}", paths.new_tree(&mut runner).expect("a path").current());
        if path.parse::<actix_web::http::Uri>().is_err() {
            continue;
        }
        for (method, client) in [(Method::GET, "10.0.0.20"), (Method::GET, "10.0.0.99"), (Method::HEAD, "10.0.0.20")] {
            // Whether a server without a deployment was done earlier is a database query, and there is no database here.
            if client == "10.0.0.99" && path.contains("DONE") {
                continue;
            }
            let answer = harness.request(method, &path, client, &[]).await;
            // The kernel is no text.
            let text = String::from_utf8_lossy(&answer.body);
            assert!(!answer.status.is_server_error(), "{path}: {text}");
            assert!(!text.contains("top secret"), "{path}");
        }
    }
}
