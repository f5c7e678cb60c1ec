//! `snapshots/drift.snap` has the sentence for each sample of a stored difference and problem, for review.

use super::{message, problem};
use crate::wording::timeline::tests::samples;
use bootledger_aggregates::drift::DriftEvent;
use std::fmt::Write;

#[test]
fn every_difference_and_every_problem_has_a_sentence() {
    let mut sentences = String::new();
    for payload in samples("drift") {
        let (code, sentence) = match serde_json::from_value::<DriftEvent>(payload.clone()).expect("an event") {
            DriftEvent::DriftFound { difference } => (&payload["difference"]["kind"]["code"], message(&difference)),
            DriftEvent::DriftRepairFailed { problem: reason } => (&payload["problem"]["code"], problem(&reason)),
            DriftEvent::DriftRepairOrdered {} | DriftEvent::DriftEnded { .. } => continue,
        };
        assert!(!sentence.ends_with('.'), "{sentence}");
        writeln!(sentences, "{}: {sentence}", code.as_str().expect("a code")).expect("a text");
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("drift", sentences);
    });
}
