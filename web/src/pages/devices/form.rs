//! Registering a device, and changing what is said of it. What somebody did not touch is not sent to the domain, so that two
//! people who change different things do not undo each other.

use super::called;
use super::show::{Found, form_head};
use crate::application::Application;
use crate::auth::caller::Operator;
use crate::auth::level::Level;
use crate::commands::{Command, CommandError};
use crate::error::Error;
use crate::pages::form::{Fields, done};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::once;
use crate::pages::kit::block;
use crate::pages::kit::field::{Field, summary};
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use actix_web::web::Data;
use bootledger_aggregates::device::allowed;
use bootledger_aggregates::device::event::{DeviceKind, Management, ManagementProtocol};
use bootledger_aggregates::device::management::{Access, BootMode};
use bootledger_aggregates::device::register::{DeviceChange, DeviceSpec};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::catalogue;
use bootledger_projections::devices::Device;
use maud::{Markup, html};

/// The fields in order.
const FIELDS: [&str; 18] = [
    "kind",
    "name",
    "serial",
    "asset",
    "site",
    "rack",
    "position",
    "macs",
    "assignment",
    "management.address",
    "management.protocol",
    "management.credentials",
    "management.port",
    "management.system",
    "management.tls",
    "management.boot_mode",
    "parent",
    "remark",
];

/// What selects offer.
struct Choices {
    sites: Vec<(String, String)>,
    racks: Vec<(String, String)>,
    assignments: Vec<(String, String)>,
}

impl Choices {
    async fn ask(reading: &mut Reading) -> Result<Self, Error> {
        let at = reading.at;
        let sites = catalogue::sites(reading.connection(), at).await?;
        let racks = catalogue::racks(reading.connection(), at).await?;
        let ventures = catalogue::ventures(reading.connection(), at).await?;
        let named = |site: &Name, name: &str| if name.is_empty() { site.to_string() } else { format!("{site}: {name}") };
        Ok(Self {
            sites: sites.iter().map(|site| (site.key.to_string(), named(&site.key, site.spec.name.as_str()))).collect(),
            racks: racks.iter().map(|rack| (rack.key.to_string(), format!("{} in {}", rack.key, rack.spec.site))).collect(),
            assignments: ventures
                .iter()
                .flat_map(|entry| {
                    entry.spec.roles.keys().map(|role| (format!("{}/{role}", entry.key), format!("{} / {role}", entry.key)))
                })
                .collect(),
        })
    }
}

/// The form with its values: what was sent, else what the device has.
struct Form<'a> {
    fields: &'a Fields,
    was: Vec<(&'static str, String)>,
    choices: &'a Choices,
    sent: bool,
}

impl Form<'_> {
    fn was(&self, name: &str) -> &str {
        self.was.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    fn value(&self, name: &str) -> String {
        if self.sent { self.fields.lines(name) } else { self.was(name).to_owned() }
    }

    fn field<R>(&self, name: &str, label: &str, hint: &str, required: bool, draw: impl FnOnce(&Field<'_>) -> R) -> R {
        let value = self.value(name);
        draw(&Field { name, label, value: &value, hint, required, errors: self.fields.broken() })
    }

    fn text(&self, name: &str, label: &str, hint: &str) -> Markup {
        self.field(name, label, hint, false, |field| field.text_with("text", &html! {}))
    }
}

fn pairs(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect()
}

fn what(form: &Form<'_>, device: Option<&Device>) -> Markup {
    let kinds = pairs(&[("physical", "Physical server"), ("blade", "Blade"), ("virtual", "Virtual server")]);
    html! {
        fieldset {
            legend { "What it is" }
            @if device.is_none() { (form.field("kind", "Kind", "", true, |field| field.select(None, &kinds))) }
            (form.text("name", "Name", "For people; host names come with deployments."))
            div.pair {
                (form.text("serial", "Serial number", "The maker's. One of serial number, asset number and MAC is needed."))
                (form.text("asset", "Asset number", "The owner's."))
            }
            (form.field("macs", "Interfaces", "MAC addresses, one a line, such as 52:54:00:12:34:56. It boots from one of them.", false, |field| field.area(4, false)))
            @if device.is_none() { (form.text("parent", "Part of", "The identifier of the device that it is a part of, such as a blade's chassis.")) }
        }
        fieldset {
            legend { "Where it is" }
            (form.field("site", "Site", "", true, |field| field.select(Some("Choose one"), &form.choices.sites)))
            div.pair {
                (form.field("rack", "Rack", "", false, |field| field.select(Some("None that is known"), &form.choices.racks)))
                (form.text("position", "Rack unit", "Its lowest, from 1."))
            }
        }
    }
}

fn whose(form: &Form<'_>, device: Option<&Device>) -> Markup {
    html! {
        fieldset {
            legend { "Whose it is" }
            @match device.and_then(|device| Some((device, allowed::reassigning(device.verified, "venture")?))) {
                Some((device, broken)) => {
                    p {
                        @if let Some(venture) = &device.venture { (venture) } @if let Some(role) = &device.role { " / " (role) }
                        ". " (broken.message) "."
                    }
                }
                None => (form.field("assignment", "Venture and role", "Needed before it can be verified.", false, |field| field.select(Some("Nobody's yet"), &form.choices.assignments))),
            }
        }
    }
}

fn managed(form: &Form<'_>) -> Markup {
    let protocols = pairs(&[("ipmi", "IPMI"), ("redfish", "Redfish")]);
    let modes = pairs(&[("bios", "BIOS"), ("uefi", "UEFI")]);
    html! {
        fieldset {
            legend { "How its power is switched" }
            div.pair {
                (form.text("management.address", "Address of the management controller", "Without one, its power is seen to by hand."))
                (form.field("management.protocol", "Protocol", "", true, |field| field.select(None, &protocols)))
            }
            (form.text("management.credentials", "Credentials", "The name of a secret of the form user:password; never the password itself."))
            details {
                summary { "Particulars of the controller" }
                div.pair {
                    (form.text("management.port", "Port", "623 for IPMI and 443 for Redfish where it is left out."))
                    (form.text("management.system", "System", "Redfish: the id of the server's system, where there are several."))
                    (form.text("management.tls", "Trust", "Redfish: verify, off, or sha256: and the certificate's fingerprint."))
                    (form.field("management.boot_mode", "Firmware boots as", "", false, |field| field.select(Some("As it is"), &modes)))
                }
            }
        }
    }
}

fn content(form: &Form<'_>, device: Option<&Device>) -> Markup {
    let (action, back) = match device {
        None => ("/devices/new".to_owned(), "/devices".to_owned()),
        Some(device) => (format!("/devices/{}/edit", device.id), format!("/devices/{}", device.id)),
    };
    let errors = form.fields.broken();
    html! {
        @match device {
            None => {
                (block::heading(&[("Devices", "/devices")], &html! { "Register a device" }, &html! {}))
                (summary(errors, &FIELDS))
                @if form.choices.sites.is_empty() {
                    (block::empty("A device stands in a site, and there is none yet.", &html! { a.button.primary href="/sites" { "Define a site first" } }))
                }
            }
            Some(device) => (form_head(device, &format!("Change {}", called(device)), errors, &FIELDS)),
        }
        form.form method="post" action=(action) {
            (once())
            @if device.is_some() { @for (name, value) in &form.was { input type="hidden" name=(format!("was.{name}")) value=(value); } }
            (what(form, device))
            (whose(form, device))
            (managed(form))
            @if device.is_some() { (form.field("remark", "Remark to add", "It stays until the device is deployed anew.", false, |field| field.text_with("text", &html! {}))) }
            div.actions {
                button.primary type="submit" { @if device.is_none() { "Register" } @else { "Change" } }
                a.button href=(back) { "Back" }
            }
        }
    }
}

/// A number that somebody wrote.
fn number(fields: &mut Fields, name: &str, words: &str) -> Option<u16> {
    let text = fields.text(name).to_owned();
    if text.is_empty() {
        return None;
    }
    let read = text.parse().ok();
    if read.is_none() {
        fields.refuse(name, "malformed", format!("{text:?} is not {words}"));
    }
    read
}

fn management(fields: &mut Fields) -> Option<Management> {
    let text = fields.text("management.address").to_owned();
    let address = text.parse().ok();
    if !text.is_empty() && address.is_none() {
        fields.refuse("management.address", "malformed", format!("{text:?} is not an IPv4 address such as 10.0.0.7"));
    }
    let credentials = fields.read::<Name>("management.credentials");
    let access = Access {
        port: number(fields, "management.port", "a port, 1 to 65535"),
        system: fields.read::<Text>("management.system"),
        tls: fields.read("management.tls").unwrap_or_default(),
        boot_mode: match fields.text("management.boot_mode") {
            "bios" => Some(BootMode::Bios),
            "uefi" => Some(BootMode::Uefi),
            _ => None,
        },
    };
    if text.is_empty() && (credentials.is_some() || access != Access::default()) {
        let message = "name the address of the management controller too, or leave the rest of it out";
        fields.refuse("management.address", "missing", message);
    }
    let protocol = match fields.text("management.protocol") {
        "redfish" => ManagementProtocol::Redfish,
        _ => ManagementProtocol::Ipmi,
    };
    Some(Management { address: address?, protocol, credentials, access })
}

fn assignment(fields: &mut Fields) -> (Option<Name>, Option<Name>) {
    let text = fields.text("assignment").to_owned();
    let Some((venture, role)) = text.split_once('/') else { return (None, None) };
    if let (Ok(venture), Ok(role)) = (venture.parse(), role.parse()) {
        return (Some(venture), Some(role));
    }
    fields.refuse("assignment", "malformed", format!("{text:?} is not a venture and a role with a / between them"));
    (None, None)
}

/// Remembers what the domain refused, beside the fields of this form.
fn refused(fields: &mut Fields, error: CommandError) -> Result<(), Error> {
    let CommandError::Refused(broken) = error else { return Err(error.into()) };
    let renamed = broken.into_iter().map(|mut broken| {
        if ["venture", "role"].contains(&broken.field.as_str()) {
            "assignment".clone_into(&mut broken.field);
        } else if broken.field == "management" {
            "management.address".clone_into(&mut broken.field);
        }
        broken
    });
    fields.refused(CommandError::Refused(renamed.collect()))
}

/// `GET /devices/new`; `?site=` and `?rack=` are filled in.
pub(super) async fn ask_new(visit: Visit, mut reading: Reading) -> Result<HttpResponse, Error> {
    let choices = Choices::ask(&mut reading).await?;
    let was = ["site", "rack", "position"].map(|name| (name, visit.parameter(name).to_owned())).to_vec();
    let fields = Fields::default();
    let content = match visit.may_change(&reading, Level::Operator) {
        Ok(()) => content(&Form { fields: &fields, was, choices: &choices, sent: false }, None),
        Err(reason) => html! {
            (block::heading(&[("Devices", "/devices")], &html! { "Register a device" }, &html! {}))
            p { (reason) }
        },
    };
    visit.answer(reading, Page::new("Register a device", Section::Devices, content)).await
}

/// `POST /devices/new`
pub(super) async fn register(
    caller: Operator,
    visit: Visit,
    application: Data<Application>,
    mut reading: Reading,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let kind = match fields.text("kind") {
        "blade" => DeviceKind::Blade,
        "virtual" => DeviceKind::Virtual,
        _ => DeviceKind::Physical,
    };
    let site = fields.required::<Name>("site", "The site");
    let (venture, role) = assignment(&mut fields);
    let (name, serial, asset) = (fields.read("name").unwrap_or_default(), fields.read("serial"), fields.read("asset"));
    let (rack, position) = (fields.read("rack"), number(&mut fields, "position", "a rack unit, a number from 1"));
    let macs = fields.read_list::<MacAddress>("macs");
    let (management, parent) = (management(&mut fields), fields.read("parent"));
    if let (Some(site), true) = (site, fields.broken().is_empty()) {
        let spec = DeviceSpec { kind, name, serial, asset, site, rack, position, macs, management, parent };
        let command = Command::RegisterDevice { spec: Box::new(spec), venture, role };
        match application.commands.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&application, &receipt, &format!("/devices/{}", receipt.id)).await),
            Err(error) => refused(&mut fields, error)?,
        }
    }
    let choices = Choices::ask(&mut reading).await?;
    let content = content(&Form { fields: &fields, was: vec![], choices: &choices, sent: true }, None);
    Ok(visit.refused(reading.position, Page::new("Register a device", Section::Devices, content)))
}

/// What the fields have before anybody changes them.
fn current(device: &Device) -> Vec<(&'static str, String)> {
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
        ("macs", device.macs.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        ("assignment", assignment),
        ("management.address", management.map(|management| management.address.to_string()).unwrap_or_default()),
        (
            "management.protocol",
            management
                .map_or("ipmi", |management| bootledger_projections::devices::protocol_text(management.protocol))
                .to_owned(),
        ),
        (
            "management.credentials",
            management.and_then(|management| management.credentials.as_ref()).map(ToString::to_string).unwrap_or_default(),
        ),
        ("management.port", access.port.map(|port| port.to_string()).unwrap_or_default()),
        ("management.system", optional(access.system.as_ref())),
        ("management.tls", if access.tls == Access::default().tls { String::new() } else { access.tls.to_string() }),
        (
            "management.boot_mode",
            access.boot_mode.map(|mode| if mode == BootMode::Bios { "bios" } else { "uefi" }).unwrap_or_default().to_owned(),
        ),
    ]
}

/// `GET /devices/{id}/edit`
pub(super) async fn ask_change(visit: Visit, Path(id): Path<DeviceId>, mut reading: Reading) -> Result<HttpResponse, Error> {
    let may = visit.may_change(&reading, Level::Operator);
    let found = Found::ask(&mut reading, id, may).await?;
    let choices = Choices::ask(&mut reading).await?;
    let fields = Fields::default();
    let form = Form { fields: &fields, was: current(&found.device), choices: &choices, sent: false };
    let content = match found.allows(None) {
        Ok(()) => content(&form, Some(&found.device)),
        Err(reason) => html! { (form_head(&found.device, "Change a device", &[], &[])) p { (reason) } },
    };
    visit.answer(reading, Page::new("Change a device", Section::Devices, content)).await
}

/// `POST /devices/{id}/edit`: only what differs from what the form was made with.
pub(super) async fn change(
    caller: Operator,
    visit: Visit,
    application: Data<Application>,
    Path(id): Path<DeviceId>,
    mut reading: Reading,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let change = read_change(&mut fields);
    if fields.broken().is_empty() {
        let command = Command::ChangeDevice(id, Box::new(change));
        match application.commands.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&application, &receipt, &format!("/devices/{id}")).await),
            Err(error) => refused(&mut fields, error)?,
        }
    }
    let found = Found::ask(&mut reading, id, Ok(())).await?;
    let choices = Choices::ask(&mut reading).await?;
    // What was touched is what the first form showed, however often it was refused.
    let was: Vec<_> = current(&found.device)
        .into_iter()
        .map(|(name, now)| (name, if fields.has(&format!("was.{name}")) { fields.lines(&format!("was.{name}")) } else { now }))
        .collect();
    let sent = fields.has("was.name");
    let content = content(&Form { fields: &fields, was, choices: &choices, sent }, Some(&found.device));
    Ok(visit.refused(reading.position, Page::new("Change a device", Section::Devices, content)))
}

fn read_change(fields: &mut Fields) -> DeviceChange {
    let touched = |fields: &Fields, name: &str| fields.lines(name).trim() != fields.lines(&format!("was.{name}")).trim();
    let emptied = |fields: &mut Fields, name: &str, words: &str| {
        if touched(fields, name) && fields.text(name).is_empty() {
            fields.refuse(name, "not_removable", format!("{words} can be replaced, but not taken away; name the new one"));
        }
    };
    let mut change = DeviceChange::default();
    for (name, place) in [("name", &mut change.name), ("serial", &mut change.serial), ("asset", &mut change.asset)] {
        if touched(fields, name) {
            *place = Some(fields.read(name).unwrap_or_default());
        }
    }
    if touched(fields, "site") {
        change.site = fields.required("site", "The site");
    }
    emptied(fields, "rack", "a device's rack");
    if touched(fields, "rack") {
        change.rack = fields.read("rack");
    }
    emptied(fields, "position", "a device's place in its rack");
    if touched(fields, "position") {
        change.position = number(fields, "position", "a rack unit, a number from 1");
    }
    if touched(fields, "macs") {
        change.macs = Some(fields.read_list("macs"));
    }
    if touched(fields, "assignment") {
        (change.venture, change.role) = assignment(fields);
    }
    emptied(fields, "management.address", "a management controller");
    if FIELDS.iter().any(|name| name.starts_with("management.") && touched(fields, name)) {
        change.management = management(fields);
    }
    change.remark = fields.read("remark");
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::devices::samples::device;
    use scraper::{Html, Selector};

    fn sent(change: &[(&str, &str)]) -> Fields {
        let mut pairs = vec![];
        for (name, value) in current(&device()) {
            let new = change.iter().find(|(known, _)| *known == name).map_or(value.clone(), |(_, new)| (*new).to_owned());
            pairs.push((name.to_owned(), new));
            pairs.push((format!("was.{name}"), value));
        }
        Fields::new(pairs)
    }

    fn texts(html: &Markup, selector: &str) -> Vec<String> {
        let page = Html::parse_document(&html.clone().into_string());
        page.select(&Selector::parse(selector).expect("a selector")).map(|found| found.text().collect()).collect()
    }

    #[test]
    fn only_what_was_touched_is_changed() {
        assert_eq!(read_change(&mut sent(&[])), DeviceChange::default());
        let change = read_change(&mut sent(&[("serial", ""), ("macs", "52:54:00:00:00:01\r\n52:54:00:00:00:02")]));
        assert_eq!(change.serial, Some(Text::default()));
        assert_eq!(change.macs.map(|macs| macs.len()), Some(2));
        assert_eq!((change.name, change.site, change.venture), (None, None, None));
    }

    #[test]
    fn what_cannot_be_taken_away_is_refused_beside_its_field() {
        let mut fields = sent(&[("rack", ""), ("position", "top")]);
        read_change(&mut fields);
        let broken: Vec<(&str, &str)> = fields.broken().iter().map(|e| (e.field.as_str(), e.rule.as_str())).collect();
        assert_eq!(broken, [("rack", "not_removable"), ("position", "malformed")]);
    }

    #[test]
    fn a_refused_form_keeps_every_value_and_says_what_is_wrong_beside_it() {
        let mut fields = Fields::new(vec![("serial".to_owned(), "<SN>".to_owned())]);
        refused(
            &mut fields,
            CommandError::Refused(vec![bootledger_aggregates::rules::BrokenRule::new("role", "role_unknown", "no such role")]),
        )
        .expect("rules");
        fields.refuse("serial", "serial_claimed", "held by another");
        let choices = Choices { sites: vec![], racks: vec![], assignments: vec![] };
        let html = content(&Form { fields: &fields, was: vec![], choices: &choices, sent: true }, None);
        assert_eq!(texts(&html, "#error-assignment"), ["no such role"]);
        assert_eq!(texts(&html, "#error-serial"), ["held by another"]);
        assert!(html.clone().into_string().contains("value=\"&lt;SN&gt;\""));
        assert!(texts(&html, ".empty")[0].contains("there is none yet"));
    }
}
