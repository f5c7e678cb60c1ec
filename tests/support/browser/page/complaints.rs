//! What a browser complains about, and which complaints a test expects.

use super::Page;
use anyhow::Result;
use std::sync::PoisonError;

/// A browser's message about a page that answers with an error; the test knows whether that is one.
const ANSWERS: [&str; 4] = ["status of 401 ", "status of 403 ", "status of 409 ", "status of 422 "];

/// A browser's message about all pending requests when the machine gains or loses a network, as it does with each lab.
pub(super) const DISTURBED: &str = "net::ERR_NETWORK_CHANGED";
/// Messages that follow from that one.
const CONSEQUENCES: [&str; 2] = ["htmx:error: Failed to fetch", "htmx:sse:error"];

impl Page {
    /// Marks complaints with these words as expected.
    pub(crate) fn expects(&self, words: &'static str) {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).push(words);
    }

    /// What the browser has complained about since the last call: script errors, policy violations, and files that cannot be
    /// loaded.
    pub(crate) async fn complaints(&self) -> Result<Vec<String>> {
        let entries = self.driver.browser_log().await?;
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bad = entries.into_iter().filter(|entry| matches!(entry.level.as_str(), "SEVERE" | "WARNING"));
        let bad: Vec<String> = bad.map(|entry| format!("{}: {}", entry.source.unwrap_or_default(), entry.message)).collect();
        let disturbed = bad.iter().any(|text| text.contains(DISTURBED));
        let of_the_machine = [DISTURBED].into_iter().chain(CONSEQUENCES).filter(|_| disturbed);
        let expected: Vec<&str> = ANSWERS.into_iter().chain(expected).chain(of_the_machine).collect();
        Ok(bad.into_iter().filter(|text| !expected.iter().any(|words| text.contains(words))).collect())
    }
}
