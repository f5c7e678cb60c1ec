//! Exports the catalogue as a file whose import gives the same catalogue: all entries in use, in a stable order, without ids
//! and derived values.

use super::apply::held;
use super::kinds::{self, Kind};
use super::write;
use anyhow::{Context, Result};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::devices::{self, Device, Filter};
use bootledger_web::images::store::{Contents, StoreError};
use futures::TryStreamExt;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::Path;
use tokio::io::AsyncWriteExt;

/// The maximum size of a text file that is written into the catalogue file itself, in bytes.
const LARGEST_TEXT: u64 = 256 << 10;

/// How many devices are read at a time.
const PAGE: i64 = 1_000;

/// A catalogue as a file.
#[derive(Debug)]
pub struct Exported {
    /// The catalogue file, in YAML.
    pub text: String,
    /// What an import into another installation would lack, as sentences.
    pub remarks: Vec<String>,
}

/// Exports the catalogue as it was at a position. Boot files that are not short texts are written into `folder` if one is
/// given, and otherwise named by their hash. `heading` becomes a comment.
///
/// # Errors
/// Returns an error if the views or the store of boot files cannot be read, or if a file cannot be written into `folder`. A
/// missing boot file is not an error: a remark names it.
pub async fn export(views: &Pool, contents: &Contents, at: At, folder: Option<&Path>, heading: &str) -> Result<Exported> {
    let mut remarks = vec![];
    let mut sections = Map::new();
    for kind in Kind::ALL {
        let section = match kind {
            Kind::Role => continue,
            Kind::Device => Value::Array(all_devices(views, at, &mut remarks).await?),
            _ => {
                let mut entries = Map::new();
                for (name, json) in held(views, kind, at).await? {
                    let json =
                        if kind == Kind::BootImage { image(contents, &name, json, folder, &mut remarks).await? } else { json };
                    entries.insert(name, tidied(json));
                }
                Value::Object(entries)
            }
        };
        if !is_empty(&section) {
            sections.insert(kind.section().to_owned(), section);
        }
    }
    let roles = held(views, Kind::Role, at).await?;
    for (name, role) in roles {
        let Some((venture, role_name)) = name.split_once('/') else { continue };
        if let Some(venture) = sections.get_mut("ventures").and_then(|ventures| ventures.get_mut(venture)) {
            venture["roles"][role_name] = tidied(role);
        }
    }
    let yaml = write::document(&sections);
    let heading: String = heading.lines().flat_map(|line| ["# ", line, "\n"]).collect();
    Ok(Exported { text: format!("{heading}{yaml}"), remarks })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Null => true,
        _ => false,
    }
}

/// Removes fields that only say that there is nothing.
fn tidied(entry: Value) -> Value {
    match entry {
        Value::Object(fields) => Value::Object(fields.into_iter().filter(|(_, value)| !is_empty(value)).collect()),
        other => other,
    }
}

async fn image(
    contents: &Contents,
    image: &str,
    mut json: Value,
    folder: Option<&Path>,
    remarks: &mut Vec<String>,
) -> Result<Value> {
    let Some(Value::Object(files)) = json.get_mut("files").map(Value::take) else { return Ok(json) };
    let mut written = Map::new();
    for (name, file) in files {
        let described = format!("the file {name} of the boot image {image}");
        let file =
            self::file(contents, (image, &name), &described, file, folder, remarks).await.with_context(|| described.clone())?;
        written.insert(name, file);
    }
    json["files"] = Value::Object(written);
    Ok(json)
}

async fn file(
    contents: &Contents,
    (image, name): (&str, &str),
    described: &str,
    file: Value,
    folder: Option<&Path>,
    remarks: &mut Vec<String>,
) -> Result<Value> {
    let (sha256, size): (Sha256, u64) =
        (serde_json::from_value(file["sha256"].clone())?, file["size"].as_u64().context("a boot file has a size")?);
    let mut json = json!({ "kind": file["kind"], "template": file["template"] });
    if size <= LARGEST_TEXT {
        let text = match contents.read_whole(sha256, size).await {
            Ok(content) => String::from_utf8(content.to_vec()).ok().filter(|text| !text.contains('\0')),
            Err(StoreError::Missing(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(text) = text {
            json["text"] = text.into();
            return Ok(json);
        }
    }
    let found = contents.read(sha256, 0..size).await;
    match (found, folder) {
        (Ok(mut content), Some(folder)) => {
            // The rules for names make them safe as file names.
            let path = folder.join(image).join(name);
            tokio::fs::create_dir_all(folder.join(image))
                .await
                .with_context(|| format!("{} cannot be created", folder.display()))?;
            let mut target =
                tokio::fs::File::create(&path).await.with_context(|| format!("{} cannot be written", path.display()))?;
            while let Some(part) = content.try_next().await? {
                target.write_all(&part).await.with_context(|| format!("{} cannot be written", path.display()))?;
            }
            target.flush().await?;
            json["path"] = path.to_str().context("the folder's name is not UTF-8")?.into();
        }
        (Ok(_), None) => {
            remarks.push(format!(
                "the export contains only the hash of {described}. To import it into another service, export with --contents, which writes the content too"
            ));
            (json["sha256"], json["size"]) = (file["sha256"].clone(), file["size"].clone());
        }
        (Err(StoreError::Missing(_)), _) => {
            remarks.push(format!(
                "the store of boot files has no content for {described}; check that --files has the same value as for the service"
            ));
            (json["sha256"], json["size"]) = (file["sha256"].clone(), file["size"].clone());
        }
        (Err(error), _) => return Err(error.into()),
    }
    Ok(json)
}

async fn all_devices(views: &Pool, at: At, remarks: &mut Vec<String>) -> Result<Vec<Value>> {
    let mut all: Vec<Device> = vec![];
    let mut filter = Filter { decommissioned: Some(false), ..Filter::default() };
    loop {
        let page = devices::list(views, &filter, at, PAGE).await?;
        let Some(last) = page.last() else { break };
        filter.after = Some(devices::cursor(filter.sort, last));
        all.extend(page);
    }
    all.sort_by_cached_key(|device| {
        (device.site.clone(), device.rack.clone(), device.rack_position, device.called(), device.macs.clone(), device.id)
    });
    let labels: HashMap<DeviceId, Value> = all.iter().filter_map(|device| Some((device.id, label(device)?))).collect();
    let mut written = vec![];
    for device in &all {
        let mut json = kinds::device(device);
        json.retain(|_, value| !is_empty(value));
        if let Some(parent) = device.parent {
            json.remove("parent");
            match labels.get(&parent) {
                Some(label) => drop(json.insert("parent".to_owned(), label.clone())),
                None => remarks.push(format!(
                    "{} is a part of a device that is not in use; the export leaves out its parent",
                    device.called()
                )),
            }
        }
        written.push(Value::Object(json));
    }
    Ok(written)
}

/// The label that names a device in another device's entry.
fn label(device: &Device) -> Option<Value> {
    let serial = device.serial.as_ref().map(|serial| json!({ "serial": serial }));
    let asset = || device.asset.as_ref().map(|asset| json!({ "asset": asset }));
    let mac = || device.macs.first().map(|mac| json!({ "mac": mac }));
    serial.or_else(asset).or_else(mac)
}
