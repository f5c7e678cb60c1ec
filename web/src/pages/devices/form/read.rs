//! The initial values of the form's fields, and parsing what was sent.

use super::view::FIELDS;
use crate::pages::form::Fields;
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::device::event::{Management, ManagementProtocol};
use bootledger_aggregates::device::footprint::{Face, usual_height};
use bootledger_aggregates::device::management::{Access, BootMode};
use bootledger_aggregates::device::patch::Removable;
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::notes::Notes;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::rows::devices::Device;

/// The initial values of the form's fields.
pub(super) fn current(device: &Device) -> Vec<(&'static str, String)> {
    let optional = |text: Option<&Text>| text.map(ToString::to_string).unwrap_or_default();
    let management = device.management.as_ref();
    let access = management.map(|management| management.access.clone()).unwrap_or_default();
    let assignment = match (&device.venture, &device.role) {
        (Some(venture), Some(role)) => format!("{venture}/{role}"),
        _ => String::new(),
    };
    vec![
        ("name", device.name.to_string()),
        ("serial", optional(device.serial.as_ref())),
        ("asset", optional(device.asset.as_ref())),
        ("site", device.site.to_string()),
        ("rack", device.rack.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("position", device.rack_position.map(|unit| unit.to_string()).unwrap_or_default()),
        ("height", device.height.to_string()),
        ("face", if device.face == Face::Both { String::new() } else { device.face.as_str().to_owned() }),
        ("tags", device.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        ("notes", device.notes.as_str().to_owned()),
        ("macs", device.macs.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        ("assignment", assignment),
        ("management.address", management.map(|management| management.address.to_string()).unwrap_or_default()),
        (
            "management.protocol",
            management
                .map_or("ipmi", |management| bootledger_projections::rows::devices::protocol_text(management.protocol))
                .to_owned(),
        ),
        (
            "management.credentials",
            management.and_then(|management| management.credentials.as_ref()).map(ToString::to_string).unwrap_or_default(),
        ),
        ("management.port", access.port.map(|port| port.to_string()).unwrap_or_default()),
        ("management.system", optional(access.system.as_ref())),
        ("management.path", access.path.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("management.tls", if access.tls == Access::default().tls { String::new() } else { access.tls.to_string() }),
        (
            "management.boot_mode",
            access.boot_mode.map(|mode| if mode == BootMode::Bios { "bios" } else { "uefi" }).unwrap_or_default().to_owned(),
        ),
    ]
}

/// Parses a number that a user entered.
pub(super) fn number(fields: &mut Fields, name: &str, words: &str) -> Option<u16> {
    let text = fields.text(name).to_owned();
    if text.is_empty() {
        return None;
    }
    let read = text.parse().ok();
    if read.is_none() {
        fields.refuse(name, Rule::Malformed, format!("{text:?} is not {words}"));
    }
    read
}

pub(super) fn management(fields: &mut Fields) -> Option<Management> {
    let text = fields.text("management.address").to_owned();
    let address = fields.read::<Host>("management.address");
    let credentials = fields.read::<Name>("management.credentials");
    let access = Access {
        port: number(fields, "management.port", "a port, 1 to 65535"),
        system: fields.read::<Text>("management.system"),
        path: fields.read("management.path"),
        tls: fields.read("management.tls").unwrap_or_default(),
        boot_mode: match fields.text("management.boot_mode") {
            "bios" => Some(BootMode::Bios),
            "uefi" => Some(BootMode::Uefi),
            _ => None,
        },
    };
    if text.is_empty() && (credentials.is_some() || access != Access::default()) {
        let message = "enter the address of the management controller, or clear its other fields";
        fields.refuse("management.address", Rule::Missing, message);
    }
    let protocol = match fields.text("management.protocol") {
        "redfish" => ManagementProtocol::Redfish,
        _ => ManagementProtocol::Ipmi,
    };
    Some(Management { address: address?, protocol, credentials, access })
}

pub(super) fn assignment(fields: &mut Fields) -> (Option<Name>, Option<Name>) {
    let text = fields.text("assignment").to_owned();
    let Some((venture, role)) = text.split_once('/') else { return (None, None) };
    if let (Ok(venture), Ok(role)) = (venture.parse(), role.parse()) {
        return (Some(venture), Some(role));
    }
    fields.refuse("assignment", Rule::Malformed, format!("{text:?} is not a venture and a role in the form venture/role"));
    (None, None)
}

/// Parses notes, which may have several lines.
pub(super) fn notes(fields: &mut Fields) -> Notes {
    match fields.lines("notes").parse::<Notes>() {
        Ok(notes) => notes,
        Err(error) => {
            fields.refuse("notes", Rule::Malformed, error.to_string());
            Notes::default()
        }
    }
}

/// The changed fields, as a change of the device.
pub(super) fn read_change(fields: &mut Fields) -> DeviceChange {
    let touched = |fields: &Fields, name: &str| fields.lines(name).trim() != fields.lines(&format!("was.{name}")).trim();
    // A field that was emptied is removed, as null removes it in the API.
    let emptied = |fields: &Fields, name: &str| touched(fields, name) && fields.text(name).is_empty();
    let mut change = DeviceChange::default();
    for (name, field) in [
        ("rack", Removable::Rack),
        ("position", Removable::Position),
        ("assignment", Removable::Venture),
        ("management.address", Removable::Management),
    ] {
        if emptied(fields, name) {
            change.removed.insert(field);
        }
    }
    for (name, place) in [("name", &mut change.name), ("serial", &mut change.serial), ("asset", &mut change.asset)] {
        if touched(fields, name) {
            *place = Some(fields.read(name).unwrap_or_default());
        }
    }
    if touched(fields, "site") {
        change.site = fields.required("site", "The site");
    }
    if touched(fields, "rack") {
        change.rack = fields.read("rack");
    }
    if touched(fields, "position") {
        change.position = number(fields, "position", "a rack unit such as 12");
    }
    if touched(fields, "height") {
        change.height = Some(number(fields, "height", "a number of rack units such as 2").unwrap_or_else(usual_height));
    }
    if touched(fields, "face") {
        change.face = Some(fields.read("face").unwrap_or_default());
    }
    if touched(fields, "tags") {
        change.tags = Some(fields.read_words("tags"));
    }
    if touched(fields, "notes") {
        change.notes = Some(notes(fields));
    }
    if touched(fields, "macs") {
        change.macs = Some(fields.read_list("macs"));
    }
    if touched(fields, "assignment") {
        (change.venture, change.role) = assignment(fields);
    }
    if !change.removes(Removable::Management)
        && FIELDS.iter().any(|name| name.starts_with("management.") && touched(fields, name))
    {
        change.management = management(fields);
    }
    change.remark = fields.read("remark");
    change
}
