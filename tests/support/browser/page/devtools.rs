//! What the developer tools set and show: colours, width, headers, blocked addresses, and screenshots.

use super::Page;
use crate::support::browser::{Look, Scheme};
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

impl Page {
    /// Sets colours and width; the page changes immediately.
    pub(crate) async fn looks(&self, look: Look) -> Result<()> {
        self.colours(look.scheme).await?;
        self.width(look.width).await
    }

    /// Sets the colours that the system prefers, and switches animations off.
    pub(crate) async fn colours(&self, scheme: Scheme) -> Result<()> {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme.name() },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await?;
        Ok(())
    }

    /// Sets the width of the window in CSS pixels.
    pub(crate) async fn width(&self, width: u32) -> Result<()> {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        Ok(())
    }

    /// Sends a header with each request.
    pub(crate) async fn header(&self, name: &str, value: &str) -> Result<()> {
        self.devtools("Network.enable", json!({})).await?;
        self.devtools("Network.setExtraHTTPHeaders", json!({ "headers": { name: value } })).await?;
        Ok(())
    }

    /// Makes every request fail whose address matches one of these patterns (`*` matches anything). Without patterns, all
    /// requests work again.
    pub(crate) async fn cuts_off(&self, addresses: &[&str]) -> Result<()> {
        self.devtools("Network.enable", json!({})).await?;
        self.devtools("Network.setBlockedURLs", json!({ "urls": addresses })).await?;
        Ok(())
    }

    async fn devtools(&self, method: &str, parameters: Value) -> Result<Value> {
        self.driver.cdp().send_raw(method, parameters).await.with_context(|| format!("the browser refused {method}"))
    }

    /// A screenshot of the whole page, as PNG.
    pub(crate) async fn picture(&self) -> Result<Vec<u8>> {
        let metrics = self.devtools("Page.getLayoutMetrics", json!({})).await?;
        let size = &metrics["cssContentSize"];
        let height = size["height"].as_f64().context("a height")?.min(8_000.0);
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1 });
        let wanted = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip, "optimizeForSpeed": true });
        let picture = self.devtools("Page.captureScreenshot", wanted).await?;
        Ok(STANDARD.decode(picture["data"].as_str().context("a picture")?)?)
    }
}
