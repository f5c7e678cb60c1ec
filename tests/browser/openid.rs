//! Signing in through a provider in a browser, which has its own rules about what a page of another site may send.

use crate::support::browser::{Browsers, Look};
use crate::support::provider::Provider;
use anyhow::{Result, ensure};
use serde_json::json;

#[tokio::test]
async fn a_user_of_the_provider_signs_in_and_arrives_at_the_requested_page() -> Result<()> {
    let provider = Provider::start().await?;
    // For a browser, localhost is a different site from 127.0.0.1, where the service is.
    let service = crate::openid::start(&provider.url().replace("127.0.0.1", "localhost")).await?;
    let ada = json!({ "preferred_username": "ada", "name": "Ada Lovelace", "groups": ["dc-ops"] });
    provider.knows("sub-1", &ada).await?;
    Browsers::run_story("openid", async |browsers| {
        let page = browsers.open(&service, Look::default()).await?;
        // The provider's page loads a style sheet from elsewhere and has no icon.
        for words in ["net::ERR_", "/favicon.ico"] {
            page.expects(words);
        }
        page.visit("/devices?q=R640").await?;
        page.follow("Sign in through localhost").await?;
        page.says("Authorize Client").await?;
        page.element("input[name=sub]").await?.send_keys("sub-1").await?;
        page.press("Authorize").await?;
        page.arrives_at("/devices?q=R640").await?;
        let who = page.text_of("header.top .who").await?;
        ensure!(who.contains("Ada Lovelace"), "{who}");
        Ok(())
    })
    .await
}
