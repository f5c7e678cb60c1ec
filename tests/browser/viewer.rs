//! A viewer sees everything, and beside each disabled button the reason; a request that a viewer sends anyway is refused.

use super::centre::Centre;
use crate::support::browser::{Browsers, Look, Page};
use anyhow::{Result, ensure};
use serde_json::json;

/// The status of the answer to a form sent from this page.
async fn posted(page: &Page, path: &str) -> Result<i64> {
    let script = "const done = arguments[arguments.length - 1];
        fetch(arguments[0], { method: 'POST', body: new URLSearchParams({ reason: 'because', key: crypto.randomUUID() }) })
            .then(answer => done(answer.status), error => done(String(error)));";
    let answer = page.run_async(script, vec![json!(path)]).await?;
    answer.as_i64().ok_or_else(|| anyhow::anyhow!("{path}: {answer}"))
}

#[tokio::test]
async fn a_viewer_sees_the_reason_beside_each_disabled_button() -> Result<()> {
    let centre = Centre::start().await?;
    let deployment = centre.deploy("R640 no. 1", "10.20.0.11").await?;
    centre.plugin_is(&deployment, "dhcp", "waiting").await?;
    let path = format!("/deployments/{deployment}");
    Browsers::run_story("viewer", async |browsers| {
        let page = centre.person(browsers, "viewer", Look::default()).await?;
        page.visit(&path).await?;
        let reason = "This requires the role operator.";
        page.press("…").await?;
        for words in ["Cancel…", "Mark installed…", "Retry"] {
            let button = page.button(words).await?;
            ensure!(button.attr("aria-disabled").await?.as_deref() == Some("true"), "{words} can be pressed");
            let described = button.attr("aria-describedby").await?.unwrap_or_default();
            let message = page.text_of(&format!("#{described}")).await?;
            ensure!(message.contains(reason), "{words}: {message}");
            button.click().await?;
        }
        ensure!(page.path().await? == path, "a button that does nothing led to {}", page.path().await?);
        for action in ["cancel", "done", "notes", "next-boot", "restart-reported", "plugins/dhcp/retry"] {
            ensure!(posted(&page, &format!("{path}/{action}")).await? == 403, "a viewer may {action}");
        }
        Ok(())
    })
    .await?;
    let live = centre.get(&format!("/api/v1{path}")).await?;
    ensure!(live["status"] == "open", "{live}");
    Ok(())
}
