//! A form with invalid values comes back with every problem, linked to its fields, and with everything that the user entered.

use super::centre::{Centre, NEW};
use crate::support::browser::{Browsers, Look};
use anyhow::{Result, ensure};

#[tokio::test]
async fn a_refused_form_shows_every_problem_keeps_the_input_and_can_be_fixed() -> Result<()> {
    let centre = Centre::start().await?;
    Browsers::run_story("refused", async |browsers| {
        let page = centre.person(browsers, "operator", Look::default()).await?;
        page.visit("/devices/new").await?;
        page.fill("Name", "R650 no. 1").await?;
        // A serial number that another device has, and a text that is no MAC address.
        page.fill("Serial number", "SVC7Q01").await?;
        page.fill("Interfaces", "52:54:00:zz").await?;
        page.fill("Site", "dc1").await?;
        page.press("Register").await?;
        page.shows("#refused", "52:54:00:zz").await?;
        page.wait_until("the summary has the focus", async || Ok(page.focus().await?.contains("Not saved"))).await?;
        // The link of the summary leads to the field.
        page.element("#refused a[href='#field-macs']").await?.click().await?;
        page.wait_until("the link leads to the field", async || Ok(page.focus().await?.starts_with("textarea"))).await?;
        ensure!(page.value("Name").await? == "R650 no. 1" && page.value("Interfaces").await? == "52:54:00:zz", "values are gone");
        let described = page.element("#field-macs").await?.attr("aria-describedby").await?.unwrap_or_default();
        ensure!(described.contains("error-macs"), "the field does not name its error: {described}");
        page.fill("Interfaces", NEW).await?;
        page.press("Register").await?;
        // The page names the device with that serial number and links to it.
        let held = page.shows("#refused", "SVC7Q01").await?;
        ensure!(held.contains("Show the device"), "{held}");
        page.fill("Serial number", "SVC7Q99").await?;
        page.press("Register").await?;
        let path = page.arrives_at("/devices/0").await?;
        let device = centre.get(&format!("/api/v1{path}")).await?;
        ensure!(device["serial"] == "SVC7Q99" && device["macs"][0] == NEW, "{device}");
        Ok(())
    })
    .await
}
