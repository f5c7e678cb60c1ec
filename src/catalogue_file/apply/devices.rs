//! Imports devices: a device is found by its MAC addresses and numbers, registered if it does not exist, and otherwise changed
//! in the fields that the file gives. A field that may not change is refused alone, with the reason; the others are applied.

use super::{AT_ONCE, AppliedChange, Import, refused};
use crate::catalogue_file::kinds::{self, Label};
use crate::catalogue_file::read::{Device, Entry, What};
use crate::catalogue_file::report::{Change, Refusal, differences};
use crate::catalogue_file::shape;
use anyhow::Result;
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::device::register::{DeviceChange, DeviceSpec};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_port::{Command, DeviceAction};
use bootledger_projections::database::pool::Pool;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::devices;
use futures::StreamExt;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

/// How many values are looked up in one query.
const CHUNK: usize = 500;

/// Groups of fields that belong together: if one is refused, so are the others.
const TOGETHER: [&[&str]; 2] = [&["venture", "role"], &["site", "rack", "position", "height", "face", "parent"]];

/// The devices in use that hold any of the labels.
#[derive(Default)]
struct CurrentCatalogue {
    by_label: HashMap<Label, DeviceId>,
    by_id: HashMap<DeviceId, devices::Device>,
}

impl CurrentCatalogue {
    async fn look_up(views: &Pool, labels: &BTreeSet<Label>) -> Result<Self> {
        let mut known = Self::default();
        let labels: Vec<&Label> = labels.iter().collect();
        for some in labels.chunks(CHUNK) {
            let claims: Vec<Claim> = some.iter().map(|label| claim(label)).collect();
            let mut of_claims: HashMap<(&str, String), &Label> =
                some.iter().map(|label| (claim(label).parts(), *label)).collect();
            for (claim, holder) in
                crate::commands::holders(views, &claims).await.map_err(crate::commands::administrator::shown)?
            {
                if let (Holder::Device(id), Some(label)) = (holder, of_claims.remove(&claim.parts())) {
                    known.by_label.insert(label.clone(), id);
                }
            }
        }
        let ids: Vec<DeviceId> = known.by_label.values().copied().collect::<BTreeSet<_>>().into_iter().collect();
        known.add(views, &ids).await?;
        Ok(known)
    }

    async fn add(&mut self, views: &Pool, ids: &[DeviceId]) -> Result<()> {
        for some in ids.chunks(CHUNK) {
            let found = devices::find_many(views, some, At::Now).await?;
            self.by_id.extend(found.into_iter().map(|device| (device.id, device)));
        }
        Ok(())
    }

    fn called(&self, id: DeviceId) -> String {
        self.by_id.get(&id).map_or_else(|| id.to_string(), devices::Device::called)
    }
}

fn claim(label: &Label) -> Claim {
    match label {
        Label::Serial(serial) => Claim::Serial(serial.clone()),
        Label::Asset(asset) => Claim::Asset(asset.clone()),
        Label::Mac(mac) => Claim::Mac(*mac),
    }
}

/// A device of the file, with the changes to make.
struct Due<'e> {
    place: usize,
    device: &'e Device,
    id: Option<DeviceId>,
    /// The given fields, with the parent's id.
    given: Map<String, Value>,
    parent: Option<DeviceId>,
}

impl Import<'_> {
    pub(super) async fn devices<'e>(&self, entries: Vec<&'e Entry>) -> Result<Vec<(&'e Entry, AppliedChange)>> {
        let mut all: Vec<(&Entry, AppliedChange)> = entries.into_iter().map(|entry| (entry, AppliedChange::default())).collect();
        let mut waiting: Vec<usize> = (0..all.len()).collect();
        // Parents are imported before their sub-devices: a device that waits for another one of the same file is imported in a
        // later round.
        while !waiting.is_empty() {
            let labels = waiting
                .iter()
                .filter_map(|place| device_of(all[*place].0))
                .flat_map(|device| device.labels().chain(device.parent.clone()));
            let known = CurrentCatalogue::look_up(&self.target.views, &labels.collect()).await?;
            let coming: BTreeSet<Label> = waiting
                .iter()
                .filter_map(|place| device_of(all[*place].0))
                .flat_map(Device::labels)
                .filter(|label| !known.by_label.contains_key(label))
                .collect();
            let (mut due, mut later) = (vec![], vec![]);
            for place in std::mem::take(&mut waiting) {
                let Some(device) = device_of(all[place].0) else { continue };
                let parent = device.parent.as_ref().map(|label| known.by_label.get(label).copied().ok_or(label));
                match parent.transpose() {
                    Err(label) if coming.contains(label) && device.labels().all(|own| own != *label) => later.push(place),
                    Err(label) => {
                        let message = format!("no device in use has the {label}, and no file defines it");
                        all[place].1.refusals.push(Refusal { field: "parent".to_owned(), message });
                    }
                    Ok(parent) => match found(device, &known) {
                        Ok(id) => due.push(Due { place, device, id, given: given(device, parent), parent }),
                        Err(refusal) => all[place].1.refusals.push(refusal),
                    },
                }
            }
            if due.is_empty() {
                for place in later {
                    all[place]
                        .1
                        .refusals
                        .push(Refusal { field: "parent".to_owned(), message: "its parent device cannot be imported".to_owned() });
                }
                break;
            }
            self.due(due, &known, &mut all).await?;
            waiting = later;
        }
        Ok(all)
    }

    async fn due(&self, due: Vec<Due<'_>>, known: &CurrentCatalogue, all: &mut [(&Entry, AppliedChange)]) -> Result<()> {
        let mut done = futures::stream::iter(due.iter().map(async |due| {
            let held = due.id.and_then(|id| known.by_id.get(&id));
            let came = match held {
                Some(_) if self.only_new => (AppliedChange::default(), due.id),
                Some(held) => (self.change(due, held).await?, due.id),
                None => self.register(due).await?,
            };
            anyhow::Ok((due, came))
        }))
        .buffer_unordered(AT_ONCE);
        let mut applied = vec![];
        while let Some(done) = done.next().await {
            let (due, (came, id)) = done?;
            if let Some(id) = id.filter(|_| came.applied || !came.changes.is_empty()) {
                applied.push((due, id));
            }
            all[due.place].1 = came;
        }
        drop(done);
        if applied.is_empty() {
            return Ok(());
        }
        // Every field is accounted for: the given values are compared with what the catalogue has now.
        self.target.catch_up().await?;
        let mut now = CurrentCatalogue::default();
        now.add(&self.target.views, &applied.iter().map(|(_, id)| *id).collect::<Vec<_>>()).await?;
        for (due, id) in applied {
            let held = now.by_id.get(&id).map(kinds::device).unwrap_or_default();
            let came = &mut all[due.place].1;
            for change in differing(&held, &due.given) {
                if !came.refusals.iter().any(|refusal| refusal.field.is_empty() || refusal.is_about(&change.field)) {
                    let message = "the catalogue still has another value after the change".to_owned();
                    came.refusals.push(Refusal { field: change.field, message });
                }
            }
        }
        Ok(())
    }

    async fn register(&self, due: &Due<'_>) -> Result<(AppliedChange, Option<DeviceId>)> {
        let Device { spec, venture, role, verified, .. } = due.device;
        let spec = DeviceSpec { parent: due.parent.or(spec.parent), ..spec.clone() };
        let register =
            Command::Device(DeviceAction::RegisterDevice { spec: Box::new(spec), venture: venture.clone(), role: role.clone() });
        let mut came = AppliedChange { created: true, ..AppliedChange::default() };
        let id: DeviceId = match self.execute(register).await? {
            Ok(receipt) => receipt.id.parse()?,
            Err(refusals) => return Ok((AppliedChange { refusals, ..came }, None)),
        };
        came.applied = true;
        if *verified == Some(true) {
            came.refusals.extend(about("verified", self.execute(Command::Device(DeviceAction::VerifyDevice(id))).await?.err()));
        }
        Ok((came, Some(id)))
    }

    async fn change(&self, due: &Due<'_>, held: &devices::Device) -> Result<AppliedChange> {
        let id = held.id;
        let held = kinds::device(held);
        let mut came = AppliedChange { changes: differing(&held, &due.given), ..AppliedChange::default() };
        let mut fields: BTreeSet<&str> =
            came.changes.iter().map(|change| change.field.split('.').next().unwrap_or_default()).collect();
        let verifies = fields.remove("verified").then_some(due.device.verified).flatten();
        if verifies == Some(false) {
            match self.execute(Command::Device(DeviceAction::UnverifyDevice(id))).await? {
                Ok(_) => came.applied = true,
                Err(refusals) => came.refusals.extend(about("verified", Some(refusals))),
            }
        }
        let (mut change, refusals) = change_of(&fields, &due.given, &held);
        came.refusals.extend(refusals);
        while !change.is_empty() {
            let command =
                Command::Device(DeviceAction::ChangeDevice(id, Box::new(serde_json::from_value(Value::Object(change.clone()))?)));
            match self.execute(command).await? {
                Ok(_) => {
                    came.applied = true;
                    break;
                }
                Err(refusals) => {
                    let about = |field: &str| refusals.iter().any(|refusal| refusal.is_about(field));
                    let with = |field: &str| {
                        TOGETHER.iter().any(|group| group.contains(&field) && group.iter().any(|other| about(other)))
                    };
                    let any = change.keys().any(|field| about(field) || with(field));
                    // If the reason concerns none of the changing fields, no other field can be applied either.
                    let gone = change.keys().filter(|field| !any || about(field) || with(field)).cloned().collect::<Vec<_>>();
                    for field in gone {
                        change.remove(&field);
                        if !about(&field) {
                            let why = refusals.iter().map(|refusal| refusal.message.as_str()).collect::<Vec<_>>().join("; ");
                            came.refusals.push(Refusal { field, message: format!("not changed, because {why}") });
                        }
                    }
                    came.refusals.extend(refusals);
                }
            }
        }
        if verifies == Some(true) {
            match self.execute(Command::Device(DeviceAction::VerifyDevice(id))).await? {
                Ok(_) => came.applied = true,
                Err(refusals) => came.refusals.extend(about("verified", Some(refusals))),
            }
        }
        Ok(came)
    }
}

fn device_of(entry: &Entry) -> Option<&Device> {
    match &entry.what {
        What::Device(device) => Some(device),
        _ => None,
    }
}

/// The device that holds the label's values.
fn found(device: &Device, known: &CurrentCatalogue) -> Result<Option<DeviceId>, Refusal> {
    let holders: BTreeMap<DeviceId, Label> =
        device.labels().filter_map(|label| Some((*known.by_label.get(&label)?, label))).collect();
    if holders.len() > 1 {
        let held: Vec<String> =
            holders.iter().map(|(id, label)| format!("the {label} belongs to {}", known.called(*id))).collect();
        return Err(refused(format!(
            "these values belong to different devices: {}. Correct the file, or correct the devices first",
            held.join(", ")
        )));
    }
    Ok(holders.keys().next().copied())
}

fn given(device: &Device, parent: Option<DeviceId>) -> Map<String, Value> {
    let mut given = device.given.clone();
    if let Some(parent) = parent {
        given.insert("parent".to_owned(), json!(parent));
    }
    given
}

/// The given fields that differ.
fn differing(held: &Map<String, Value>, given: &Map<String, Value>) -> Vec<Change> {
    let something = |value: &&Value| !is_nothing(value);
    let mut changes = vec![];
    for (field, value) in given {
        for change in differences(held.get(field).filter(something), Some(value).filter(something)) {
            let path = if change.field.is_empty() { field.clone() } else { format!("{field}.{}", change.field) };
            changes.push(Change { field: path, ..change });
        }
    }
    changes
}

/// Whether a value means that there is nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// The command's fields for the changes, and the reasons why other fields cannot change.
fn change_of(
    fields: &BTreeSet<&str>,
    given: &Map<String, Value>,
    held: &Map<String, Value>,
) -> (Map<String, Value>, Vec<Refusal>) {
    static KNOWN: LazyLock<BTreeMap<String, shape::Field>> = LazyLock::new(shape::fields::<DeviceChange>);
    let (mut change, mut refusals) = (Map::new(), vec![]);
    for field in fields {
        let mut refuse = |message: &str| refusals.push(Refusal { field: (*field).to_owned(), message: message.to_owned() });
        let value = given.get(*field).cloned().unwrap_or_default();
        match (*field, is_nothing(&value)) {
            _ if !KNOWN.contains_key(*field) => {
                refuse("this is set when a device is registered. To change it, decommission the device and register it again");
            }
            ("settings", _) => {
                let empty = Map::new();
                let held = held.get("settings").and_then(Value::as_object).unwrap_or(&empty);
                let mut settings: Map<String, Value> = held.keys().map(|name| (name.clone(), Value::Null)).collect();
                settings.extend(value.as_object().cloned().unwrap_or_default());
                change.insert("settings".to_owned(), Value::Object(settings));
            }
            ("name" | "serial" | "asset" | "notes", true) => drop(change.insert((*field).to_owned(), json!(""))),
            ("macs" | "tags", true) => drop(change.insert((*field).to_owned(), json!([]))),
            // As in a JSON merge patch, an explicit null removes a value. The rules say where that is not possible.
            ("site", true) => refuse("a device always belongs to a site; name another site, or leave the field out"),
            (_, true) => drop(change.insert((*field).to_owned(), Value::Null)),
            _ => drop(change.insert((*field).to_owned(), value)),
        }
    }
    (change, refusals)
}

fn about(field: &str, refusals: Option<Vec<Refusal>>) -> Vec<Refusal> {
    let of_field = |refusal: Refusal| Refusal { field: field.to_owned(), message: refusal.message };
    refusals.into_iter().flatten().map(of_field).collect()
}
