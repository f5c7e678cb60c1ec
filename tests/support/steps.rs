//! Steps that many stories share: a server is registered and deployed, and the agent of a DHCP server confirms its entry.

use super::process::{Process, wait_for};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;

impl Process {
    /// Sends a POST with a JSON body and returns the ID in the answer.
    pub(crate) async fn create(&self, path: &str, body: &Value) -> Result<String> {
        let made = self.post(path, body).await?;
        Ok(made["id"].as_str().context("an id")?.to_owned())
    }

    /// Registers a device and verifies it. Returns its ID.
    pub(crate) async fn register(&self, device: &Value) -> Result<String> {
        let id = self.create("/api/v1/devices", device).await?;
        self.post(&format!("/api/v1/devices/{id}/verify"), &json!({})).await?;
        Ok(id)
    }

    /// Starts a deployment and returns its path.
    pub(crate) async fn start_deployment(&self, wanted: &Value) -> Result<String> {
        Ok(format!("/api/v1/deployments/{}", self.create("/api/v1/deployments", wanted).await?))
    }

    /// Waits until a deployment has this status. An error shows the deployment.
    pub(crate) async fn reaches(&self, deployment: &str, status: &str, limit: Duration) -> Result<()> {
        let reached = async || (self.get(deployment).await.ok()?["status"] == status).then_some(());
        match wait_for(&format!("the deployment is {status}"), limit, reached).await {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(self.get(deployment).await?.to_string())),
        }
    }

    /// Confirms the newest configuration for a DHCP server, as its agent does.
    pub(crate) async fn confirm(&self, server: &str) -> Result<()> {
        let position = self.get("/readyz").await?["views_position"].clone();
        let confirmation = json!({ "revision": "0".repeat(64), "position": position, "ok": true, "message": "" });
        self.put(&format!("/dhcp/servers/{server}/confirmation"), &confirmation).await.map(drop)
    }

    /// Confirms the DHCP entry of a deployment for the only DHCP server, `kea-1`, and waits until the deployment is in progress.
    pub(crate) async fn confirm_entry(&self, deployment: &str, limit: Duration) -> Result<()> {
        wait_for("the deployment is in progress", limit, async || {
            let shown = self.get(deployment).await.ok()?;
            let plugins = shown["plugins"].as_array()?;
            if plugins.iter().any(|run| run["plugin"] == "dhcp" && run["status"] == "waiting") {
                self.confirm("kea-1").await.ok()?;
            }
            (shown["status"] == "in_progress").then_some(())
        })
        .await
    }
}
