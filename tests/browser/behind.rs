//! A DHCP server does not confirm. The page of the deployment that waits for it shows which server it waits for and since when;
//! the server's page shows its progress and which deployments wait for it.

use super::centre::Centre;
use crate::support::browser::{Browsers, Look};
use anyhow::Result;

#[tokio::test]
async fn the_page_of_a_waiting_deployment_leads_to_the_dhcp_server_that_is_behind() -> Result<()> {
    let centre = Centre::start().await?;
    centre.confirm("kea-dc1").await?;
    let deployment = centre.deploy("R640 no. 1", "10.20.0.11").await?;
    centre.plugin_is(&deployment, "dhcp", "waiting").await?;
    Browsers::run_story("behind", async |browsers| {
        let page = centre.person(browsers, "operator", Look::default()).await?;
        page.visit("/deployments").await?;
        let waits = page.shows("td[data-label='Waiting for']", "kea-dc1").await?;
        page.requires(waits.contains("dhcp"), "the list names the plugin that waits").await?;
        let since = page.has("td[data-label='Waiting for'] time[data-since]").await?;
        page.requires(since, "the list says since when it waits").await?;
        page.follow("h200.dc1.example").await?;
        page.arrives_at(&format!("/deployments/{deployment}")).await?;
        let waits = page.shows("#head .note", "kea-dc1").await?;
        page.requires(waits.contains("dhcp"), "it names the plugin that waits").await?;
        page.requires(page.has("#head .note time[data-since]").await?, "it says since when").await?;
        page.follow("DHCP server kea-dc1").await?;
        page.arrives_at("/dhcp-servers/kea-dc1").await?;
        page.says("h200.dc1.example").await?;
        page.says("Behind").await?;
        // When the server confirms, both pages update by themselves.
        let watching = centre.person(browsers, "viewer", Look::default()).await?;
        watching.visit(&format!("/deployments/{deployment}")).await?;
        watching.shows("#live-state", "Live").await?;
        page.shows("#live-state", "Live").await?;
        centre.confirm("kea-dc1").await?;
        watching.shows("#states [aria-current]", "In progress").await?;
        page.wait_until("the server's page holds nothing up any more", async || {
            Ok(!page.text().await?.contains("h200.dc1.example"))
        })
        .await
    })
    .await
}
