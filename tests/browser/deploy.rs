//! One server, from its registration to the end of its deployment, through pages alone; the test plays the server.

use super::centre::{Centre, NEW, register};
use crate::support::browser::{Browsers, Look};
use anyhow::{Result, ensure};

#[tokio::test]
async fn an_operator_registers_verifies_and_deploys_a_server_and_watches_it_become_done() -> Result<()> {
    let centre = Centre::start().await?;
    let ip = "10.20.0.40";
    Browsers::run_story("deploy", async |browsers| {
        let page = centre.person(browsers, "operator", Look::default()).await?;
        let device = register(&page).await?;
        page.says("Not verified").await?;
        let reason = page.text_of("#deploy .reason").await?;
        ensure!(reason.contains("verified"), "beside the deploy button: {reason}");
        page.press("Verify").await?;
        page.shows("#assignment .badge", "Verified").await?;
        page.wait_until("the device is verified", async || Ok(page.text_of("#assignment .badge").await? == "Verified")).await?;
        page.follow("Deploy…").await?;
        page.arrives_at(&format!("{device}/deploy")).await?;
        // The form is already filled in with the device's values and free ones.
        let filled = [page.value("Venture").await?, page.value("Role").await?, page.value("MAC").await?];
        ensure!(filled == ["shop", "web", NEW], "the form has {filled:?}");
        ensure!(page.value("Boot image").await? == "debian-12", "the role's image is not there");
        ensure!(page.value("Host name").await? == "h200.dc1.example", "the next host name is not there");
        page.shows("#box-ip .suggestions", "10.20.0.0/22").await?;
        // The page checks values as the user types.
        page.fill("IP address", "10.20.0.1").await?;
        page.shows("#error-ip", "10.20.0.1").await?;
        page.fill("IP address", ip).await?;
        page.wait_until("nothing is wrong any more", async || Ok(page.text_of("#error-ip").await?.is_empty())).await?;
        page.press("Deploy").await?;
        let deployment = page.arrives_at("/deployments/").await?;
        let deployment = deployment.trim_start_matches("/deployments/").to_owned();
        page.run("window.unloaded = 'no'", vec![]).await?;
        page.shows("#head .note", "dhcp").await?;
        centre.confirm("kea-dc1").await?;
        page.shows("#states [aria-current]", "In progress").await?;
        page.shows("#needed", "Restart h200.dc1.example manually").await?;
        centre.boots(ip, "installs Debian 12").await?;
        centre.is_installed(ip).await?;
        page.shows("#states [aria-current]", "Done").await?;
        ensure!(page.run("return window.unloaded", vec![]).await? == "no", "the page was loaded again");
        page.follow("Served files").await?;
        page.shows("#served", "boot.ipxe").await?;
        page.follow("Changes made").await?;
        page.shows("#changes", "h200.dc1.example. IN A 10.20.0.40").await?;
        page.follow("Events").await?;
        page.shows("#timeline", "h200.dc1.example").await?;
        let done = centre.get(&format!("/api/v1/deployments/{deployment}")).await?;
        ensure!(done["status"] == "done", "{done}");
        // The device's history shows it.
        page.visit(&format!("{device}/history")).await?;
        page.says("h200.dc1.example").await?;
        Ok(())
    })
    .await
}
