//! A user cancels a deployment with a reason, after its page has explained the consequences.

use super::centre::Centre;
use crate::support::browser::{Browsers, Look};
use anyhow::Result;

#[tokio::test]
async fn an_operator_cancels_a_deployment_and_says_why() -> Result<()> {
    let centre = Centre::start().await?;
    let deployment = centre.deploy("R640 no. 1", "10.20.0.11").await?;
    centre.plugin_is(&deployment, "dhcp", "waiting").await?;
    Browsers::run_story("cancel", async |browsers| {
        let page = centre.person(browsers, "operator", Look::default()).await?;
        page.visit(&format!("/deployments/{deployment}")).await?;
        page.follow("Cancel…").await?;
        // The page names what the cancellation releases.
        page.shows("main li", "10.20.0.11").await?;
        page.fill("Reason", "the wrong rack").await?;
        page.press("Cancel deployment").await?;
        page.arrives_at(&format!("/deployments/{deployment}")).await?;
        page.shows("#head .note", "the wrong rack").await?;
        // What comes next is another deployment.
        page.link("Redeploy…").await?;
        page.follow("Events").await?;
        page.shows("#timeline", "the wrong rack").await?;
        Ok(())
    })
    .await?;
    let cancelled = centre.get(&format!("/api/v1/deployments/{deployment}")).await?;
    assert_eq!((&cancelled["status"], &cancelled["reason"]), (&"cancelled".into(), &"the wrong rack".into()));
    Ok(())
}
