//! Finds accessibility problems with axe-core: WCAG 2.2 AA, and what axe-core calls best practice.

use super::page::Page;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;
use std::fmt::Write;

/// The source of axe-core.
pub(crate) const AXE: &str = include_str!("../../browser/axe/axe.min.js");

/// The rules that are checked, by axe-core's tags.
const TAGS: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/// The rules whose result depends on the colours.
const OF_COLOURS: [&str; 2] = ["color-contrast", "link-in-text-block"];

#[derive(Deserialize)]
struct Violation {
    id: String,
    help: String,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    target: serde_json::Value,
    html: String,
    #[serde(rename = "failureSummary", default)]
    summary: String,
}

impl Page {
    /// The accessibility problems of the page that is shown, as text; empty if there are none.
    pub(crate) async fn barriers(&self) -> Result<String> {
        self.violations(&json!({ "type": "tag", "values": TAGS }), 6).await
    }

    /// The accessibility problems that depend on the colours, as text. Other rules find the same in all colours.
    pub(crate) async fn barriers_of_colours(&self) -> Result<String> {
        self.violations(&json!({ "type": "rule", "values": OF_COLOURS }), 1).await
    }

    /// The violations of these rules, of which at least so many must have been applied.
    async fn violations(&self, rules: &serde_json::Value, applied: u64) -> Result<String> {
        if self.run("return typeof axe", vec![]).await? != "object" {
            self.run(AXE, vec![]).await.context("axe-core cannot be loaded")?;
        }
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, { runOnly: arguments[0], resultTypes: ['violations'] })
                .then(found => done({ violations: found.violations, passed: found.passes.length }),
                      error => done({ error: String(error) }));";
        let found = self.run_async(script, vec![rules.clone()]).await?;
        ensure!(found["passed"].as_u64().is_some_and(|rules| rules >= applied), "axe-core has looked at nothing: {found}");
        let violations: Vec<Violation> = serde_json::from_value(found["violations"].clone())?;
        let mut words = String::new();
        for violation in violations {
            writeln!(words, "{}: {}", violation.id, violation.help)?;
            for node in violation.nodes.iter().take(5) {
                let html: String = node.html.chars().take(160).collect();
                writeln!(words, "    {} {html}\n        {}", node.target, node.summary.replace('\n', " "))?;
            }
            if violation.nodes.len() > 5 {
                writeln!(words, "    and {} more", violation.nodes.len() - 5)?;
            }
        }
        Ok(words)
    }
}
