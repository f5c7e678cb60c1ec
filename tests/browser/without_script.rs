//! The whole job in a browser that runs no script: every step is a link or a form, and changes appear after a reload.

use super::centre::{Centre, register};
use crate::support::browser::{Browsers, Look, PATIENCE, Page};
use crate::support::service::wait_for;
use anyhow::Result;

/// Reloads the page until it shows these words, as a waiting user does.
async fn says_once_loaded_again(page: &Page, selector: &str, words: &str) -> Result<()> {
    let said = async || {
        page.reload().await.ok()?;
        page.text_of(selector).await.ok()?.contains(words).then_some(())
    };
    wait_for(&format!("{selector} says {words:?}"), PATIENCE, said).await
}

#[tokio::test]
async fn the_whole_job_is_done_in_a_browser_without_scripts() -> Result<()> {
    let centre = Centre::start().await?;
    let (ip, other) = ("10.20.0.41", "10.20.0.42");
    Browsers::run_story("without_script", async |browsers| {
        let look = Look { script: false, ..Look::default() };
        let page = centre.person(browsers, "operator", look).await?;
        let device = register(&page).await?;
        page.press("Verify").await?;
        page.arrives_at(&device).await?;
        page.follow("Deploy…").await?;
        // After a refusal the page shows the form again, with what the user entered.
        page.fill("IP address", "10.20.0.1").await?;
        page.press("Deploy").await?;
        page.shows("#refused", "10.20.0.1").await?;
        page.requires(page.value("IP address").await? == "10.20.0.1", "what was written is gone").await?;
        page.fill("IP address", ip).await?;
        page.press("Deploy").await?;
        page.arrives_at("/deployments/").await?;
        says_once_loaded_again(&page, "#head", "(plugin dhcp)").await?;
        page.follow("DHCP server kea-dc1").await?;
        page.says("h200.dc1.example").await?;
        centre.confirm("kea-dc1").await?;
        page.visit("/deployments").await?;
        page.fill("Status", "in_progress").await?;
        page.press("Filter").await?;
        says_once_loaded_again(&page, "main", "h200.dc1.example").await?;
        page.follow("h200.dc1.example").await?;
        centre.boots(ip, "installs Debian 12").await?;
        centre.is_installed(ip).await?;
        says_once_loaded_again(&page, "#states [aria-current]", "Done").await?;
        // Another deployment is cancelled; many are cancelled at once after a preview.
        centre.deploy("R640 no. 1", other).await?;
        page.visit("/deployments?status=open").await?;
        says_once_loaded_again(&page, "main", other).await?;
        page.tick("All filtered rows").await?;
        page.press("Cancel…").await?;
        page.shows("h1", "1 of 1").await?;
        page.fill("Reason", "without a script").await?;
        page.press("Cancel 1 deployment").await?;
        // The bulk action has a page of its own.
        page.arrives_at("/bulk-actions/").await?;
        says_once_loaded_again(&page, "#progress", "1 done, 0 refused, 0 waiting").await?;
        page.visit("/deployments?status=cancelled").await?;
        page.says(other).await?;
        // The choice of colours is a form too.
        page.fill("Colours", "dark").await?;
        page.press("Apply").await?;
        page.wait_until("it is dark", async || Ok(page.attributes("html", "data-theme").await? == ["dark"])).await?;
        page.press("Sign out").await?;
        page.arrives_at("/sign-in").await?;
        Ok(())
    })
    .await
}
