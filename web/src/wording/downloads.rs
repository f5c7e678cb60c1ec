//! Sentences about downloads of boot images.

use bootledger_port::library::DownloadResult;
use bootledger_projections::database::cause::Cause;

/// The result of a download, one statement on each line; `None` if there is nothing to say.
pub fn message(result: &DownloadResult) -> Option<String> {
    let text = match result {
        DownloadResult::Done { warnings, changes } => {
            warnings.iter().cloned().chain(changes.iter().map(ToString::to_string)).collect::<Vec<_>>().join("\n")
        }
        DownloadResult::Failed { cause, detail } => {
            let cause = cause.map(Cause::sentence).filter(|cause| !detail.contains(cause));
            cause.map_or_else(|| detail.clone(), |cause| format!("{cause}: {detail}"))
        }
        DownloadResult::Text { text } => text.clone(),
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn a_result_has_a_statement_for_each_warning_and_change() {
        for (stored, expected) in [
            (
                r#"{"code":"done","warnings":["linux is not verified"],"changes":[{"what":"file linux","outcome":"changed"}]}"#,
                Some("linux is not verified\nfile linux: changed"),
            ),
            (r#"{"code":"done","warnings":[],"changes":[]}"#, None),
            (
                r#"{"code":"failed","cause":"files_full","detail":"linux cannot be stored"}"#,
                Some("the service's disk is full; free space on it, then try again: linux cannot be stored"),
            ),
            (r#"{"code":"failed","cause":null,"detail":"the checksum differs"}"#, Some("the checksum differs")),
            (r#"{"code":"text","text":""}"#, None),
        ] {
            let read = serde_json::from_str(stored).expect(stored);
            assert_eq!(message(&read).as_deref(), expected);
            assert_eq!(serde_json::to_string(&read).expect("JSON"), stored);
        }
    }
}
