//! An installation as a user follows it: its stage, its failure in the installer's own message, and the next network boot.

use super::centre::Centre;
use crate::support::browser::{Browsers, Look};
use anyhow::{Context, Result, ensure};

const IP: &str = "10.20.0.11";

#[tokio::test]
async fn an_operator_follows_an_installation_and_sends_the_server_to_its_disk() -> Result<()> {
    let centre = Centre::start().await?;
    let deployment = centre.deploy("R640 no. 1", IP).await?;
    centre.plugin_is(&deployment, "dhcp", "waiting").await?;
    centre.confirm("kea-dc1").await?;
    centre.boots(IP, "/pxe/t/").await?;
    let script = reqwest::Client::new().get(centre.url("/pxe/")).header("X-Forwarded-For", IP).send().await?.text().await?;
    let at = script.find("/pxe/t/").context("no URL with a token")?;
    let files: String = script[at..].chars().take("/pxe/t/".len() + 64).collect();
    let report = async |query: &str| -> Result<()> {
        let url = centre.url(&format!("{files}/progress?{query}"));
        let answer = reqwest::Client::new().post(url).header("X-Forwarded-For", IP).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
        Ok(())
    };
    Browsers::run_story("installer", async |browsers| {
        let page = centre.person(browsers, "operator", Look::default()).await?;
        page.visit(&format!("/deployments/{deployment}")).await?;
        page.shows("#live-state", "Live").await?;
        report("stage=partition&percent=40&text=Creating+ext4+on+%3Cb%3Esda2%3C/b%3E").await?;
        page.shows("#installer", "Stage partition, 40 %").await?;
        page.shows("#installer", "Creating ext4 on <b>sda2</b>").await?;
        page.requires(page.has("progress#installer-progress[value='40']").await?, "the bar has its value").await?;
        report("stage=partition&failed=1&text=No+root+file+system+is+defined").await?;
        page.shows("#installer .note.bad", "No root file system is defined").await?;
        page.press("Boot from the local disk next").await?;
        page.shows("#installer", "the server gets the local disk").await?;
        centre.boots(IP, "sanboot").await?;
        page.press("Boot from the boot image next").await?;
        page.shows("#installer", "the server gets the boot image").await?;
        report("stage=base&percent=1").await?;
        page.wait_until("the failure is over", async || Ok(!page.has("#installer .note.bad").await?)).await?;
        Ok(())
    })
    .await
}
