//! Reads the section of devices. It is a list, because a device is identified by its label instead of a name.

use super::{Device, Entry, Reader, What, place_of};
use crate::catalogue_file::kinds::{self, Kind, Label};
use crate::catalogue_file::yaml::{Content, Node, Pair, shortened};
use bootledger_aggregates::device::register::DeviceSpec;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use serde_json::{Map, Value};

impl Reader {
    pub(super) fn devices(&mut self, node: &Node) {
        let Content::List(items) = &node.content else {
            let message = format!("found {} instead of a list of devices: `- {{ site: dc1, serial: … }}`", node.what());
            return self.converter(&["devices"]).problem(node.place, message);
        };
        for (n, item) in items.iter().enumerate() {
            let called = ["name", "serial", "asset"].into_iter().find_map(|field| match &item.get(field)?.content {
                Content::Scalar { text, .. } if !text.is_empty() => Some(shortened(text)),
                _ => None,
            });
            let named = called.map_or_else(|| format!("devices[{n}]"), |called| format!("devices[{n}] ({called})"));
            let pair = Pair { key: named.clone(), place: item.place, value: item.clone() };
            if let Some(device) = self.device(&named, &pair) {
                let mut labels = device.labels().peekable();
                if labels.peek().is_none() {
                    self.converter(&[&named])
                        .problem(item.place, "a device needs a serial number, an asset number or a MAC address");
                    continue;
                }
                let labels: Vec<Label> = labels.collect();
                let name = (!device.spec.name.is_empty()).then(|| device.spec.name.to_string());
                let name = name.unwrap_or_else(|| labels[0].to_string());
                let first = labels.iter().find_map(|label| Some((label, *self.labelled.get(label)?)));
                if let Some((label, first)) = first {
                    let message = format!(
                        "another device also has the {label}, {}. List each device once, with all its fields",
                        self.described(first, item.place)
                    );
                    self.converter(&[&named]).problem(item.place, message);
                    continue;
                }
                self.labelled.extend(labels.into_iter().map(|label| (label, item.place)));
                self.entries.push(Entry { kind: Kind::Device, name, place: item.place, what: What::Device(Box::new(device)) });
            }
        }
    }

    fn device(&mut self, named: &str, pair: &Pair) -> Option<Device> {
        let (value, _) = self.entry(Kind::Device, &[named], pair)?;
        let Value::Object(mut fields) = value else { return None };
        let mut given: Vec<String> = fields.keys().cloned().collect();
        let place = |field: &str| place_of(&pair.value, field).unwrap_or(pair.place);
        let verified = fields.remove("verified").and_then(|verified| verified.as_bool());
        let mut name_of = |field: &str| -> Result<Option<Name>, ()> {
            let Some(Value::String(text)) = fields.remove(field) else { return Ok(None) };
            text.parse().map(Some).map_err(|error| self.converter(&[named, field]).problem(place(field), format!("{error}")))
        };
        let (venture, role) = (name_of("venture").ok()?, name_of("role").ok()?);
        let mut parent = None;
        match fields.get("parent") {
            // An id, as used by the API, is also accepted.
            Some(Value::String(text)) if text.parse::<DeviceId>().is_err() => {
                let message = format!(
                    "`{}` does not identify a device. Write one of {{ serial: … }}, {{ asset: … }} and {{ mac: … }}",
                    shortened(text)
                );
                self.converter(&[named, "parent"]).problem(place("parent"), message);
                return None;
            }
            Some(Value::Object(label)) => {
                let label =
                    parent_label(label).map_err(|message| self.converter(&[named, "parent"]).problem(place("parent"), message));
                parent = Some(label.ok()?);
                fields.remove("parent");
                given.retain(|field| field != "parent");
            }
            _ => {}
        }
        // A field without a value counts as not given, so the type's default does not apply.
        let nothing: Vec<String> = fields.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name.clone()).collect();
        fields.retain(|_, value| !value.is_null());
        let (spec, _) = match kinds::typed::<DeviceSpec>(Value::Object(fields)) {
            Ok(typed) => typed,
            Err(wrong) => {
                self.wrong(&[named], &pair.value, pair.place, &wrong);
                return None;
            }
        };
        let mut all = kinds::described(spec.clone());
        all.extend(venture.iter().map(|venture| ("venture".to_owned(), Value::from(venture.as_str()))));
        all.extend(role.iter().map(|role| ("role".to_owned(), Value::from(role.as_str()))));
        all.extend(verified.map(|verified| ("verified".to_owned(), Value::from(verified))));
        let value_of = |field: String| {
            let value = if nothing.contains(&field) { None } else { all.get(&field).cloned() };
            (field, value.unwrap_or_default())
        };
        let given = given.into_iter().map(value_of).collect();
        Some(Device { spec, given, venture, role, verified, parent })
    }
}

fn parent_label(label: &Map<String, Value>) -> Result<Label, String> {
    let one: Vec<(&String, &str)> = label.iter().filter_map(|(field, value)| Some((field, value.as_str()?))).collect();
    let [(field, text)] = one[..] else {
        return Err("identify the parent by one of serial, asset and mac".to_owned());
    };
    let of_text = |label: fn(Text) -> Label| text.parse().map(label).map_err(|error| format!("{error}"));
    match field.as_str() {
        "serial" => of_text(Label::Serial),
        "asset" => of_text(Label::Asset),
        _ => text.parse().map(Label::Mac).map_err(|error| format!("{error}")),
    }
}
