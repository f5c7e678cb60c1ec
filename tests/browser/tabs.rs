//! A user with more open tabs than a browser's six connections to one server still has live pages.

use super::centre::Centre;
use crate::support::browser::{Browsers, Look};
use anyhow::Result;
use serde_json::json;

const NAMES: [&str; 6] = ["R640 no. 1", "R640 no. 2", "R640 no. 3", "R640 no. 4", "XL170r no. 1", "XL170r no. 2"];

#[tokio::test]
async fn each_of_thirteen_tabs_is_live_while_it_is_visible() -> Result<()> {
    let centre = Centre::start().await?;
    Browsers::run_story("tabs", async |browsers| {
        let page = centre.person(browsers, "viewer", Look::default()).await?;
        page.visit("/devices").await?;
        page.shows("#live-state", "Live").await?;
        for name in NAMES.iter().chain(&NAMES) {
            page.open_in_background(name).await?;
        }
        for tab in 1..=2 * NAMES.len() {
            page.turn_to(tab).await?;
            page.shows("h1", "no.").await?;
            page.shows("#live-state", "Live").await?;
        }
        // A tab that comes to the front shows what happened while it was hidden.
        let device = centre.device(NAMES[3]).await?;
        centre.post(&format!("/api/v1/devices/{device}/verify"), &json!({})).await?;
        page.turn_to(0).await?;
        page.shows(&format!("#device-{device}"), "Verified").await?;
        page.shows("#live-state", "Live").await?;
        Ok(())
    })
    .await
}
