//! Servers from a CSV file: the page reports errors by row and column, the user fixes them on the page, and all rows are
//! started.

use super::centre::{Centre, NEW};
use crate::support::browser::{Browsers, Look};
use anyhow::{Result, ensure};

#[tokio::test]
async fn a_file_is_checked_fixed_on_the_page_and_started() -> Result<()> {
    let centre = Centre::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("servers.csv");
    let wrong =
        format!("mac;network;venture;role;rack\n{NEW};dc1-prod;shop;cache;dc1-r01\n52:54:00:zz;dc1-prod;shop;web;dc1-r01\n");
    std::fs::write(&file, &wrong)?;
    Browsers::run_story("csv", async |browsers| {
        let page = centre.person(browsers, "operator", Look::default()).await?;
        page.visit("/racks/dc1-r01").await?;
        page.follow("Add servers").await?;
        page.choose_file("File", &file).await?;
        page.press("Deploy").await?;
        // Unreadable values and values that the data centre does not have are reported together.
        page.shows("#refused", "2 ").await?;
        let errors = page.texts_of("main table tbody tr").await?;
        ensure!(errors.len() == 2, "{errors:?}");
        for (error, words) in errors.iter().zip([["2 ", "role", "cache"], ["3 ", "mac", "52:54:00:zz"]]) {
            ensure!(words.iter().all(|word| error.contains(word)), "{words:?} are not shown: {errors:?}");
        }
        ensure!(page.value("CSV text").await?.replace("\r\n", "\n") == wrong, "what was sent is gone");

        page.fill("CSV text", &wrong.replace("cache", "web").replace("zz", "d1:00:98")).await?;
        page.press("Check").await?;
        page.shows(".note.good", "2 ").await?;
        ensure!(centre.get("/api/v1/deployments").await?["items"].as_array().is_some_and(Vec::is_empty), "it was only checked");
        page.press("Deploy").await?;
        page.wait_until("the import is linked", async || page.has("main a[href^='/deployments?import=']").await).await?;
        page.follow("Show the deployments of the import").await?;
        page.wait_until("both are listed", async || Ok(page.texts_of("main tbody tr").await?.len() == 2)).await
    })
    .await
}
