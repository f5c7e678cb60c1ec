//! The page of the API's documentation, which everyone may read.

use crate::support::browser::{Browsers, Look, Scheme};
use crate::support::service::Service;
use anyhow::{Result, ensure};
use std::net::Ipv4Addr;

#[tokio::test]
async fn the_api_documentation_is_public() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    Browsers::run_story("api_docs", async |browsers| {
        for (scheme, width, script) in [(Scheme::Light, 1280, true), (Scheme::Dark, 390, true), (Scheme::Light, 1280, false)] {
            let page = browsers.open(&service, Look { scheme, width, script }).await?;
            page.visit("/api/docs").await?;
            page.says("Send Authorization: Bearer").await?;
            page.follow("deployments").await?;
            page.arrives_at("/api/docs#tag-deployments").await?;
            // axe-core is itself a script.
            let barriers = if script { page.barriers().await? } else { String::new() };
            ensure!(barriers.is_empty(), "/api/docs {} {width}: {barriers}", scheme.name());
        }
        Ok(())
    })
    .await
}
