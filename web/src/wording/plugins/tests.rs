//! `snapshots/plugins.snap` has the sentence for each sample of a stored reason, for review.

use super::{ended_by, failure, waiting};
use crate::wording::timeline::tests::{holders, samples};
use bootledger_aggregates::deployment::event::DeploymentEvent;
use std::fmt::Write;

#[test]
fn every_reason_has_a_sentence() {
    let mut sentences = String::new();
    for payload in samples("deployment") {
        let (code, sentence) = match serde_json::from_value::<DeploymentEvent>(payload.clone()).expect("an event") {
            DeploymentEvent::PluginWaiting { reason, .. } => (&payload["reason"]["code"], waiting(&reason, "h200.dc1.example")),
            DeploymentEvent::PluginFailed { reason, .. } => (&payload["reason"]["code"], failure(&reason, &holders())),
            DeploymentEvent::DeploymentDone { by, .. } => (&payload["type"], ended_by(&by)),
            _ => continue,
        };
        assert!(!sentence.ends_with('.'), "{sentence}");
        writeln!(sentences, "{}: {sentence}", code.as_str().expect("a code")).expect("a text");
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("plugins", sentences);
    });
}
