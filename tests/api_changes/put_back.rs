//! `PUT` and `PATCH` accept what `GET` returns, unchanged, and change nothing.

use super::{Place, names, only};
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::Value;

impl Place {
    /// Puts an entry back as it was read: the log and the answer must stay the same.
    async fn put_back(&self, method: &Method, path: &str, body: &Value, before: &Value) -> Result<()> {
        let position = self.position().await?;
        let after = self.done(method, path, body).await?;
        ensure!(self.position().await? == position, "{method} {path} {body} wrote an event");
        ensure!(after == *before, "{method} {path} {body}: {before} became {after}");
        Ok(())
    }
}

#[tokio::test]
async fn an_unchanged_object_can_be_written_back_and_changes_nothing() -> Result<()> {
    let place = Place::with_every_field().await?;
    let operations = place.operations()?;
    let mut kinds = vec![];
    for operation in operations.iter().filter(|operation| operation.method == Method::PUT && operation.path.ends_with("/{key}")) {
        let before = kinds.len();
        for entry in place.all(&operation.path).await? {
            let path = operation.path.replace("{key}", entry["key"].as_str().context("a key")?);
            // Only a webhook's own entry shows its URL.
            let entry = place.service.get(&path).await?;
            place.put_back(&Method::PUT, &path, &entry["spec"], &entry).await?;
            for (name, role) in entry["roles"].as_object().into_iter().flatten() {
                place.put_back(&Method::PUT, &format!("{path}/roles/{name}"), role, &entry).await?;
            }
            kinds.push(operation.path.clone());
        }
        ensure!(kinds.len() > before, "add something of {} to every_field.yaml", operation.path);
    }
    kinds.dedup();
    ensure!(kinds.len() >= 8, "{kinds:?}");

    let (change, mut facts) = (names(&place.description, "DeviceChange")?, names(&place.description, "Facts")?);
    // Sub-devices that reported themselves are recorded again as reported by the chassis.
    facts.retain(|name| *name != "sub_devices");
    let devices = place.all("/api/v1/devices/{id}").await?;
    ensure!(devices.len() >= 3, "{devices:?}");
    for device in devices {
        let path = format!("/api/v1/devices/{}", device["id"].as_str().context("an id")?);
        let device = place.service.get(&path).await?;
        place.put_back(&Method::PATCH, &path, &only(&device, &change), &device).await?;
        place.put_back(&Method::PUT, &format!("{path}/facts"), &only(&device, &facts), &device).await?;
    }
    Ok(())
}
