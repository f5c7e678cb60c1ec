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
        if self.run("return typeof axe", vec![]).await? != "object" {
            self.run(AXE, vec![]).await.context("axe-core cannot be loaded")?;
        }
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, { runOnly: arguments[0], resultTypes: ['violations'] })
                .then(found => done({ violations: found.violations, passed: found.passes.length }),
                      error => done({ error: String(error) }));";
        let found = self.run_async(script, vec![json!(TAGS)]).await?;
        ensure!(found["passed"].as_u64().is_some_and(|rules| rules > 5), "axe-core has looked at nothing: {found}");
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
